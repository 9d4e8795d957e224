"""A function written down in LLVM IR: arguments, addresses, branches, loops, and what it does with vectors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from robust_tickets.runtime.kernels.epilogue import Activation, declarations
from robust_tickets.runtime.kernels.layout import LANES
from robust_tickets.runtime.kernels.record import Record
from robust_tickets.runtime.kernels.vector_code import MASK, WORDS, V, VectorCode

Operand = str | int
"""A name with its "%", or a constant; an i64 unless said otherwise."""

_POINTERS = "<16 x ptr>"
_MORE = (
    f"declare {V} @llvm.masked.load.v16f32.p0(ptr, i32, {MASK}, {V})",
    f"declare void @llvm.masked.store.v16f32.p0({V}, ptr, i32, {MASK})",
    f"declare {V} @llvm.masked.gather.v16f32.v16p0({_POINTERS}, i32, {MASK}, {V})",
    "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)",
    # Of every function: vectors stay as wide as they are written if the processor can.
    'attributes #0 = { nounwind "min-legal-vector-width"="512" "prefer-vector-width"="512" }',
    "!0 = distinct !{!0, !1}",
    '!1 = !{!"llvm.loop.unroll.disable"}',
)
_ALIGNMENT = {"i16": 2, "i32": 4, "float": 4, "i64": 8, "ptr": 8, V: 4, WORDS: 4}
"""Bytes that an address is known to be a multiple of, unless more is known."""


class Loop:
    """A loop being written: its index, and what goes round with it."""

    def __init__(self, index: str, values: Sequence[str]) -> None:
        """Say by which names the body knows them."""
        self.index = index
        self.values = list(values)
        """In the body, from the last round or the start; behind the loop, the last."""
        self.next: list[str] = []
        """To be set in the body: what the next round has as `values`."""


class Function:
    """A function without a result; its parameters, or the arguments of its tasks, are `function[name]`."""

    def __init__(self, name: str, parameters: Mapping[str, str]) -> None:
        """Begin a function, given the types of its parameters with what else LLVM is to know of them."""
        self.code = VectorCode("v")
        self._head = f"{name}({', '.join(f'{kind} %{parameter}' for parameter, kind in parameters.items())})"
        self._block = "entry"
        self._arguments = {parameter: f"%{parameter}" for parameter in parameters}

    @classmethod
    def over_tasks(cls, name: str, arguments: Record) -> "Function":
        """Begin void(arguments, begin, end), which does tasks begin, ..., end - 1 with the arguments' fields."""
        function = cls(name, {"arguments": "ptr noalias", "begin": "i32", "end": "i32"})
        function._arguments |= function.fields(function["arguments"], arguments)
        return function

    def __getitem__(self, argument: str) -> str:
        return self._arguments[argument]

    def text(self, activation: Activation | None = None) -> str:
        """Return the module with this function in it, and the activation if it has one."""
        body = [f"define void @{self._head} #0 {{", "entry:", *self.code.lines, "  ret void", "}"]
        return "\n".join([*body, *declarations(activation or Activation()), *_MORE])

    # Branches and loops

    @contextmanager
    def tasks(self) -> Iterator[str]:
        """Write a loop over the tasks; gives the task."""
        begin, end = (self.code.line(f"zext i32 %{bound} to i64") for bound in ("begin", "end"))
        with self.loop(begin, end) as loop:
            yield loop.index

    @contextmanager
    def loop(
        self,
        start: Operand,
        end: Operand,
        step: int = 1,
        values: Sequence[tuple[str, str]] = (),
        *,
        kind: str = "i64",
        unroll: bool = True,
    ) -> Iterator[Loop]:
        """Write a loop with an index from start while it is below end.

        Args:
            start: of the index.
            end: what the index stays below.
            step: added to the index in every round.
            values: (type, initial value) of what goes round.
            kind: of the index: i64, or ptr with a step in bytes.
            unroll: whether the compiler may do several rounds at once.
        """
        lines, test = self.code.lines, f"icmp ult {kind}"
        place, before = len(lines), self._block
        body, after = f"b{place}.body", f"b{place}.after"
        loop = Loop(f"%i{place}", [f"%i{place}.{number}" for number in range(len(values))])
        self._fork(self.code.line(f"{test} {start}, {end}"), body, after)
        self._enter(body)
        phis = len(lines)
        lines += [""] * (1 + len(values))
        yield loop
        following = self.at(loop.index, step) if kind == "ptr" else self.code.line(f"add nuw i64 {loop.index}, {step}")
        last = self._block
        self._fork(self.code.line(f"{test} {following}, {end}"), body, after)
        lines[-1] += "" if unroll else ", !llvm.loop !0"
        carried = [(kind, start), *values]
        names, results = [loop.index, *loop.values], [following, *loop.next]
        for number, ((sort, initial), name, value) in enumerate(zip(carried, names, results, strict=True)):
            lines[phis + number] = f"  {name} = phi {sort} [{initial}, %{before}], [{value}, %{last}]"
        self._enter(after)
        loop.values = [
            self.code.line(f"phi {sort} [{initial}, %{before}], [{value}, %{last}]")
            for (sort, initial), value in zip(values, loop.next, strict=True)
        ]

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """Write what is done only if an i1 is true."""
        place = len(self.code.lines)
        self._fork(condition, f"b{place}.then", f"b{place}.after")
        self._enter(f"b{place}.then")
        yield
        self._jump(f"b{place}.after")

    def either(
        self,
        condition: str,
        chosen: Callable[[], Sequence[str]],
        other: Callable[[], Sequence[str]],
        kinds: Sequence[str] = (),
    ) -> list[str]:
        """Write two ways, of which an i1 chooses one, and return what comes of them; vectors if no types are given."""
        place = len(self.code.lines)
        first, second, after = (f"b{place}.{part}" for part in ("chosen", "other", "after"))
        self._fork(condition, first, second)
        ends = []
        for block, write in ((first, chosen), (second, other)):
            self._enter(block)
            ends.append((write(), self._block))
            self.code.lines.append(f"  br label %{after}")
        self._enter(after)
        (left, left_end), (right, right_end) = ends
        return [
            self.code.line(f"phi {kind} [{one}, %{left_end}], [{two}, %{right_end}]")
            for kind, one, two in zip(kinds or [V] * len(left), left, right, strict=True)
        ]

    def call(self, function: str, parameters: Record, **operands: str) -> None:
        """Call the function at an address."""
        kinds = parameters.kinds.values()
        passed = ", ".join(f"{kind} {one}" for kind, one in zip(kinds, parameters.ordered(operands), strict=True))
        self.code.lines.append(f"  call void {function}({passed})")

    def call_over_tasks(self, function: str, arguments: str, begin: str, end: str) -> None:
        """Call the function void(arguments, begin, end) at an address; the bounds are i32."""
        self.code.lines.append(f"  call void {function}(ptr {arguments}, i32 {begin}, i32 {end})")

    # Numbers and addresses

    def plus(self, left: Operand, right: Operand) -> str:
        """Return left + right."""
        return self.code.line(f"add i64 {left}, {right}")

    def minus(self, left: Operand, right: Operand) -> str:
        """Return left - right."""
        return self.code.line(f"sub i64 {left}, {right}")

    def times(self, left: Operand, right: Operand) -> str:
        """Return left * right."""
        return self.code.line(f"mul i64 {left}, {right}")

    def bits(self, left: Operand, right: Operand) -> str:
        """Return the bits that both have."""
        return self.code.line(f"and i64 {left}, {right}")

    def split(self, number: Operand, divisor: Operand) -> tuple[str, str]:
        """Return quotient and remainder."""
        return self.code.line(f"udiv i64 {number}, {divisor}"), self.code.line(f"urem i64 {number}, {divisor}")

    def smaller(self, left: Operand, right: Operand) -> str:
        """Return the smaller of both."""
        return self.choose(self.code.line(f"icmp ult i64 {left}, {right}"), left, right)

    def equal(self, left: Operand, right: Operand) -> str:
        """Return whether they are equal, an i1."""
        return self.code.line(f"icmp eq i64 {left}, {right}")

    def different(self, left: Operand, right: Operand) -> str:
        """Return whether they are different, an i1."""
        return self.code.line(f"icmp ne i64 {left}, {right}")

    def choose(self, condition: str, chosen: Operand, other: Operand, kind: str = "i64") -> str:
        """Return one of two values of a type, as an i1 says."""
        return self.code.line(f"select i1 {condition}, {kind} {chosen}, {kind} {other}")

    def at(self, address: str, *offsets: Operand | tuple[Operand, Operand]) -> str:
        """Return the address this many bytes further; a pair is a product, such as index times element size."""
        for offset in offsets:
            size = self.times(*offset) if isinstance(offset, tuple) else offset
            address = self.code.line(f"getelementptr i8, ptr {address}, i64 {size}")
        return address

    # Memory

    def load(self, address: str, kind: str = V, alignment: int = 0) -> str:
        """Return what lies at an address."""
        return self.code.line(f"load {kind}, ptr {address}, align {alignment or _ALIGNMENT[kind]}")

    def store(self, value: str, address: str, kind: str = V, alignment: int = 0) -> None:
        """Put a value at an address."""
        self.code.lines.append(f"  store {kind} {value}, ptr {address}, align {alignment or _ALIGNMENT[kind]}")

    def load_index(self, address: str) -> str:
        """Return the number that lies at an address as an unsigned integer of 32 bits."""
        return self.code.line(f"zext i32 {self.load(address, 'i32')} to i64")

    def load_splat(self, address: str) -> str:
        """Return a vector that has the float at an address in every lane."""
        return self.code.splat(self.load(address, "float"))

    def load_mask(self, address: str) -> str:
        """Return the mask that lies at an address as sixteen bits, the lowest for the first lane."""
        return self.code.line(f"bitcast i16 {self.load(address, 'i16')} to {MASK}")

    def load_lanes(self, address: str, mask: str) -> str:
        """Return the vector at an address, zero in lanes outside of the mask, which are not read."""
        arguments = f"ptr {address}, i32 4, {MASK} {mask}, {V} zeroinitializer"
        return self.code.line(f"call {V} @llvm.masked.load.v16f32.p0({arguments})")

    def store_lanes(self, value: str, address: str, mask: str) -> None:
        """Put the mask's lanes of a vector at an address."""
        arguments = f"{V} {value}, ptr {address}, i32 4, {MASK} {mask}"
        self.code.lines.append(f"  call void @llvm.masked.store.v16f32.p0({arguments})")

    def load_pixels(self, address: str, offsets: str) -> str:
        """Return the floats this many bytes behind an address, sixteen int32 that lie at another, one by one.

        Which is as fast as together, on today's processors.
        """
        pixels = "poison"
        for lane in range(LANES):
            offset = self.load_index(self.at(offsets, 4 * lane))
            pixels = self.code.with_lane(pixels, lane, self.load(self.at(address, offset), "float"))
        return pixels

    def load_scattered(self, address: str, offsets: str) -> str:
        """Return the floats that lie this many bytes behind an address, unsigned integers of 32 bits, one per lane."""
        wide = self.code.line(f"zext {WORDS} {offsets} to <16 x i64>")
        places = self.code.line(f"getelementptr i8, ptr {address}, <16 x i64> {wide}")
        arguments = f"{_POINTERS} {places}, i32 4, {MASK} splat (i1 true), {V} poison"
        return self.code.line(f"call {V} @llvm.masked.gather.v16f32.v16p0({arguments})")

    def copy(self, target: str, source: str, size: Operand) -> None:
        """Copy this many bytes to where they do not overlap."""
        self.code.lines.append(f"  call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {source}, i64 {size}, i1 false)")

    def fields(self, address: str, record: Record) -> dict[str, str]:
        """Return what lies at an address, by the names of a record's fields."""
        return {
            name: self.load(self.at(address, 8 * place), kind)
            for place, (name, kind) in enumerate(record.kinds.items())
        }

    def activated(self, activation: Activation, value: str) -> str:
        """Return an activation of a vector."""
        return activation.of(self.code, value)

    def _fork(self, condition: str, chosen: str, other: str) -> None:
        self.code.lines.append(f"  br i1 {condition}, label %{chosen}, label %{other}")

    def _jump(self, block: str) -> None:
        self.code.lines.append(f"  br label %{block}")
        self._enter(block)

    def _enter(self, block: str) -> None:
        self.code.lines.append(f"{block}:")
        self._block = block
