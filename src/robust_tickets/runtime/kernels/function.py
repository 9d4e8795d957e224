"""A function over tasks, written down in LLVM IR: arguments, addresses, loops, and arithmetic on vectors."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from robust_tickets.runtime.kernels.epilogue import Activation, declarations
from robust_tickets.runtime.kernels.text import ATTRIBUTES, V
from robust_tickets.runtime.kernels.vector_code import MASK, WORDS, VectorCode

_MORE = (
    f"declare {V} @llvm.masked.load.v16f32.p0(ptr, i32, {MASK}, {V})",
    f"declare void @llvm.masked.store.v16f32.p0({V}, ptr, i32, {MASK})",
    f"declare float @llvm.vector.reduce.fadd.v16f32(float, {V})",
)
_LANES = "<" + ", ".join(f"i32 {lane}" for lane in range(16)) + ">"


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
    """void(arguments, begin, end) over tasks, with arguments that are int64 or addresses.

    Operands are names with their "%", or constants; numbers are i64 unless said otherwise.
    """

    def __init__(self, name: str, numbers: Sequence[str], addresses: Sequence[str]) -> None:
        """Load the arguments, in this order; then they are `function[name]`."""
        self.code = VectorCode("v")
        self._name = name
        self._block = "entry"
        self._arguments: dict[str, str] = {}
        for place, argument in enumerate((*numbers, *addresses)):
            kind = "i64" if argument in numbers else "ptr"
            self._arguments[argument] = self.load(self.at("%arguments", str(8 * place)), kind, 8)

    def __getitem__(self, argument: str) -> str:
        return self._arguments[argument]

    def text(self, activation: Activation | None = None) -> str:
        """Return the module with this function in it, and the activation if it has one."""
        head = f"define void @{self._name}(ptr noalias %arguments, i32 %begin, i32 %end) #0 {{"
        body = [head, "entry:", *self.code.lines, "  ret void", "}"]
        return "\n".join([*body, *declarations(activation or Activation()), *_MORE, ATTRIBUTES])

    @contextmanager
    def tasks(self) -> Iterator[str]:
        """Write a loop over the tasks; gives the task."""
        line = self.code.line
        with self.loop(line("zext i32 %begin to i64"), line("zext i32 %end to i64")) as loop:
            yield loop.index

    @contextmanager
    def loop(self, start: str, end: str, step: int = 1, values: Sequence[tuple[str, str]] = ()) -> Iterator[Loop]:
        """Write a loop with an index from start while it is below end.

        Args:
            start: of the index.
            end: what the index stays below.
            step: added to the index in every round.
            values: (type, initial value) of what goes round.
        """
        lines = self.code.lines
        place, before = len(lines), self._block
        head, body, exit = (f"b{place}.{part}" for part in ("head", "body", "exit"))
        loop = Loop(f"%i{place}", [f"%i{place}.{number}" for number in range(len(values))])
        self._jump(head)
        phis = len(lines)
        lines += [""] * (1 + len(values))
        more = self.code.line(f"icmp ult i64 {loop.index}, {end}")
        lines.append(f"  br i1 {more}, label %{body}, label %{exit}")
        self._enter(body)
        yield loop
        following = self.code.line(f"add nuw i64 {loop.index}, {step}")
        last = self._block
        self._jump(head, enter=False)
        carried = [("i64", start), *values]
        names, after = [loop.index, *loop.values], [following, *loop.next]
        for number, ((kind, initial), name, value) in enumerate(zip(carried, names, after, strict=True)):
            lines[phis + number] = f"  {name} = phi {kind} [{initial}, %{before}], [{value}, %{last}]"
        self._enter(exit)

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """Write what is done only if an i1 is true."""
        place = len(self.code.lines)
        self.code.lines.append(f"  br i1 {condition}, label %b{place}.then, label %b{place}.after")
        self._enter(f"b{place}.then")
        yield
        self._jump(f"b{place}.after")

    # Numbers and addresses

    def plus(self, left: str, right: str) -> str:
        """Return left + right."""
        return self.code.line(f"add i64 {left}, {right}")

    def minus(self, left: str, right: str) -> str:
        """Return left - right."""
        return self.code.line(f"sub i64 {left}, {right}")

    def times(self, left: str, right: str) -> str:
        """Return left * right."""
        return self.code.line(f"mul i64 {left}, {right}")

    def split(self, number: str, divisor: str) -> tuple[str, str]:
        """Return quotient and remainder."""
        return self.code.line(f"udiv i64 {number}, {divisor}"), self.code.line(f"urem i64 {number}, {divisor}")

    def smaller(self, left: str, right: str) -> str:
        """Return the smaller of both."""
        below = self.code.line(f"icmp ult i64 {left}, {right}")
        return self.code.line(f"select i1 {below}, i64 {left}, i64 {right}")

    def at(self, address: str, offset: str) -> str:
        """Return the address so many bytes further."""
        return self.code.line(f"getelementptr i8, ptr {address}, i64 {offset}")

    def element(self, address: str, index: str, size: int) -> str:
        """Return the address of an element of an array, of so many bytes each."""
        return self.at(address, self.times(index, str(size)))

    # Memory

    def load(self, address: str, kind: str = V, alignment: int = 4) -> str:
        """Return what lies at an address."""
        return self.code.line(f"load {kind}, ptr {address}, align {alignment}")

    def store(self, value: str, address: str, kind: str = V, alignment: int = 4) -> None:
        """Put a value at an address."""
        self.code.lines.append(f"  store {kind} {value}, ptr {address}, align {alignment}")

    def load_lanes(self, address: str, mask: str) -> str:
        """Return the vector at an address, zero in lanes outside of the mask, which are not read."""
        arguments = f"ptr {address}, i32 4, {MASK} {mask}, {V} zeroinitializer"
        return self.code.line(f"call {V} @llvm.masked.load.v16f32.p0({arguments})")

    def store_lanes(self, value: str, address: str, mask: str) -> None:
        """Put the mask's lanes of a vector at an address."""
        arguments = f"{V} {value}, ptr {address}, i32 4, {MASK} {mask}"
        self.code.lines.append(f"  call void @llvm.masked.store.v16f32.p0({arguments})")

    # Vectors

    def splat(self, number: str) -> str:
        """Return a vector that has a float in every lane."""
        first = self.code.line(f"insertelement {V} poison, float {number}, i32 0")
        return self.code.line(f"shufflevector {V} {first}, {V} poison, <16 x i32> zeroinitializer")

    def first_lanes(self, count: str) -> str:
        """Return the mask of the first lanes, as many as an i64 says."""
        number = self.code.line(f"trunc i64 {count} to i32")
        first = self.code.line(f"insertelement {WORDS} poison, i32 {number}, i32 0")
        every = self.code.line(f"shufflevector {WORDS} {first}, {WORDS} poison, <16 x i32> zeroinitializer")
        return self.code.line(f"icmp ult {WORDS} {_LANES}, {every}")

    def sum(self, vector: str) -> str:
        """Return the sum of all lanes, a float."""
        return self.code.line(f"call reassoc float @llvm.vector.reduce.fadd.v16f32(float {-0.0:.1f}, {V} {vector})")

    def activated(self, activation: Activation, value: str) -> str:
        """Return an activation of a vector."""
        lines, result = activation.ir(value, f"a{len(self.code.lines)}")
        self.code.lines += lines
        return result

    def _jump(self, block: str, *, enter: bool = True) -> None:
        self.code.lines.append(f"  br label %{block}")
        if enter:
            self._enter(block)

    def _enter(self, block: str) -> None:
        self.code.lines.append(f"{block}:")
        self._block = block
