"""Normalisation over the channels at each pixel (layer norm of ConvNeXt)."""

from robust_tickets.runtime.kernels.text import ATTRIBUTES, FMULADD, V, at, fmuladd, loop, splat, step
from robust_tickets.runtime.layout import LANES, VECTOR

MAP, PLAIN = "layer_norm_map", "layer_norm_plain"

ADDRESSES = ("source", "target", "scale", "shift", "constants")
"""Of both values, of float32 scale and shift by channel, and of float32 {1 / channels, epsilon}."""

MAP_NUMBERS = ("channels", "columns", "source_channel", "source_row", "target_channel", "target_row")
"""Numbers of channels and of vectors in a row, and strides in bytes."""

PLAIN_NUMBERS = ("channels",)

_SQUARE_ROOT = f"declare {V} @llvm.sqrt.v16f32({V})\ndeclare float @llvm.vector.reduce.fadd.v16f32(float, {V})"


def map_ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over tasks: task = row * columns + column."""
    add = [
        f"  %sum = phi {V} [zeroinitializer, %task], [%sum.next, %c.loop]",
        *at("add.p", "from", ("%c", "%source_channel")),
        f"  %add.x = load {V}, ptr %add.p, align 64",
        f"  %sum.next = fadd {V} %sum, %add.x",
    ]
    spread = [
        f"  %power = phi {V} [zeroinitializer, %averaged], [%power.next, %d.loop]",
        *at("spread.p", "from", ("%d", "%source_channel")),
        f"  %spread.x = load {V}, ptr %spread.p, align 64",
        f"  %spread.d = fsub {V} %spread.x, %mean",
        fmuladd("power.next", "spread.d", "spread.d", "power"),
    ]
    normalise = [
        *at("x.p", "from", ("%e", "%source_channel")),
        f"  %x = load {V}, ptr %x.p, align 64",
        *_scaled("%e"),
        *at("y.p", "to", ("%e", "%target_channel")),
        f"  store {V} %y, ptr %y.p, align 64",
    ]
    body = [
        "  %row = udiv i64 %t, %columns",
        "  %column = urem i64 %t, %columns",
        *at("from", "source", ("%row", "%source_row"), ("%column", str(VECTOR))),
        *at("to", "target", ("%row", "%target_row"), ("%column", str(VECTOR))),
        *_constants(),
        "  br label %c.loop",
        *loop("c", "%channels", add, "task", "averaged"),
        "averaged:",
        f"  %mean = fmul {V} %sum.next, %share",
        "  br label %d.loop",
        *loop("d", "%channels", spread, "averaged", "measured"),
        "measured:",
        *_deviation("%power.next"),
        "  br label %e.loop",
        *loop("e", "%channels", normalise, "measured", "done"),
    ]
    return "\n".join([*step(MAP, ADDRESSES, MAP_NUMBERS, body), FMULADD, _SQUARE_ROOT, ATTRIBUTES])


def plain_ir() -> str:
    """Return the LLVM IR text of void(arguments, begin, end): one task, the channels of one pixel side by side."""
    add = [
        f"  %sum = phi {V} [zeroinitializer, %task], [%sum.next, %c.loop]",
        *_part("c", "add"),
        f"  %sum.next = fadd {V} %sum, %add.x",
    ]
    spread = [
        f"  %power = phi {V} [zeroinitializer, %averaged], [%power.next, %d.loop]",
        *_part("d", "spread"),
        f"  %spread.off = fsub {V} %spread.x, %mean",
        f"  %spread.d = select <16 x i1> %spread.in, {V} %spread.off, {V} zeroinitializer",
        fmuladd("power.next", "spread.d", "spread.d", "power"),
    ]
    # One by one: scale and shift end with the channels.
    normalise = [
        *at("x.p", "source", ("%e", "4")),
        "  %x.f = load float, ptr %x.p",
        *splat("x", "x.f"),
        *_scaled("%e"),
        f"  %y.f = extractelement {V} %y, i32 0",
        *at("y.p", "target", ("%e", "4")),
        "  store float %y.f, ptr %y.p",
    ]
    body = [
        *_constants(),
        "  %parts.up = add i64 %channels, 15",
        f"  %parts = udiv i64 %parts.up, {LANES}",
        "  br label %c.loop",
        *loop("c", "%parts", add, "task", "averaged"),
        "averaged:",
        *_over_lanes("sum.next", "total"),
        f"  %mean = fmul {V} %total, %share",
        "  br label %d.loop",
        *loop("d", "%parts", spread, "averaged", "measured"),
        "measured:",
        *_over_lanes("power.next", "powers"),
        *_deviation("%powers"),
        "  br label %e.loop",
        *loop("e", "%channels", normalise, "measured", "done"),
    ]
    return "\n".join([*step(PLAIN, ADDRESSES, PLAIN_NUMBERS, body), FMULADD, _SQUARE_ROOT, ATTRIBUTES])


def _constants() -> list[str]:
    return [
        "  %share.f = load float, ptr %constants",
        *splat("share", "share.f"),
        "  %epsilon.p = getelementptr float, ptr %constants, i64 1",
        "  %epsilon.f = load float, ptr %epsilon.p",
        *splat("epsilon", "epsilon.f"),
    ]


def _deviation(power: str) -> list[str]:
    """Return lines for %deviation = sqrt(power / channels + epsilon)."""
    return [
        f"  %variance = call {V} @llvm.fmuladd.v16f32({V} {power}, {V} %share, {V} %epsilon)",
        f"  %deviation = call {V} @llvm.sqrt.v16f32({V} %variance)",
    ]


def _scaled(channel: str) -> list[str]:
    """Return lines for %y = (%x - mean) / deviation * scale + shift."""
    return [
        f"  %x.d = fsub {V} %x, %mean",
        f"  %x.n = fdiv {V} %x.d, %deviation",
        *at("scale.p", "scale", (channel, "4")),
        "  %scale.f = load float, ptr %scale.p",
        *splat("scale.v", "scale.f"),
        *at("shift.p", "shift", (channel, "4")),
        "  %shift.f = load float, ptr %shift.p",
        *splat("shift.v", "shift.f"),
        fmuladd("y", "x.n", "scale.v", "shift.v"),
    ]


def _part(index: str, name: str) -> list[str]:
    """Return lines for sixteen channels %{name}.x, zeros behind the last one, where %{name}.in says which are."""
    lanes = ", ".join(f"i64 {lane}" for lane in range(LANES))
    return [
        *at(f"{name}.p", "source", (f"%{index}", str(VECTOR))),
        f"  %{name}.all = load {V}, ptr %{name}.p, align 4",
        f"  %{name}.first = mul i64 %{index}, {LANES}",
        f"  %{name}.left = sub i64 %channels, %{name}.first",
        f"  %{name}.left.i = insertelement <16 x i64> poison, i64 %{name}.left, i32 0",
        f"  %{name}.left.v = shufflevector <16 x i64> %{name}.left.i, <16 x i64> poison, <16 x i32> zeroinitializer",
        f"  %{name}.in = icmp sgt <16 x i64> %{name}.left.v, <{lanes}>",
        f"  %{name}.x = select <16 x i1> %{name}.in, {V} %{name}.all, {V} zeroinitializer",
    ]


def _over_lanes(source: str, name: str) -> list[str]:
    """Return lines that put the sum of all lanes into every lane."""
    return [
        f"  %{name}.f = call reassoc float @llvm.vector.reduce.fadd.v16f32(float 0.0, {V} %{source})",
        *splat(name, f"{name}.f"),
    ]
