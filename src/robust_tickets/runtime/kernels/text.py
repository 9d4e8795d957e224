"""Pieces of LLVM IR text that kernels share."""

V = "<16 x float>"

ATTRIBUTES = (
    'attributes #0 = { nounwind "min-legal-vector-width"="512" "prefer-vector-width"="512" }\n'
    "!0 = distinct !{!0, !1}\n"
    '!1 = !{!"llvm.loop.unroll.disable"}'
)
"""Of every function: vectors stay as wide as they are written where the processor can, and `!0` is not unrolled."""


def splat(name: str, scalar: str) -> list[str]:
    """Return lines that put the float %scalar into every lane of %name."""
    return [
        f"  %{name}.i = insertelement {V} poison, float %{scalar}, i32 0",
        f"  %{name} = shufflevector {V} %{name}.i, {V} poison, <16 x i32> zeroinitializer",
    ]


def fmuladd(name: str, left: str, right: str, addend: str) -> str:
    """Return the line %name = %left * %right + %addend, fused where the processor can."""
    return f"  %{name} = call {V} @llvm.fmuladd.v16f32({V} %{left}, {V} %{right}, {V} %{addend})"


FMULADD = f"declare {V} @llvm.fmuladd.v16f32({V}, {V}, {V})"


def constant(value: float) -> str:
    """Return a float32 constant as LLVM writes it: sixteen hexadecimal digits of the double."""
    import struct

    import numpy as np

    return f"0x{struct.unpack('<Q', struct.pack('<d', float(np.float32(value))))[0]:016X}"
