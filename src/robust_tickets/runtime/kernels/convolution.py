"""The kernel of the engine: rows of a sparse matrix times a tile of vectors that stays in registers.

A block of R output channels is accumulated over a tile of the map, th x tw vectors of sixteen lanes. Its weights are
entries {offset of an input vector, R values}: for each, the tile's input vectors at that offset are multiplied by
each value. What the offset means is the planner's affair: kernel position, dilation and group are all in it, so that
one kernel serves convolutions of every shape, and fully connected layers, at every density.
"""

from dataclasses import dataclass

from robust_tickets.runtime.kernels.epilogue import Activation, declarations
from robust_tickets.runtime.kernels.text import ATTRIBUTES, V, fmuladd, splat

FIRST, LAST, RESIDUAL = 1, 2, 4
"""Bits of `mode`: start from the bias instead of the output; activate at the end; start from the residual as well.

The residual comes first so that it may lie where the output is to lie."""


@dataclass(frozen=True, order=True)
class ConvolutionKernel:
    """One member of the family of kernels."""

    rows: int
    """R: output channels that share their entries' positions."""
    height: int
    """Rows of vectors in the tile, at most 4."""
    width: int
    """Vectors in a row of the tile."""
    step: int
    """Input vectors from one column of the tile to the next: the convolution's horizontal stride."""
    activation: Activation

    @property
    def entry_size(self) -> int:
        """Return bytes of an entry: an int32 offset and R float32."""
        return 4 + 4 * self.rows

    @property
    def name(self) -> str:
        """Return the name of the function."""
        return "convolution"

    def ir(self) -> str:
        """Return the LLVM IR text.

        The function is void(in, out, residual, entries, ends, bias, strides, rows, mode): addresses of the tile in
        input, output and residual; entries of all row blocks one after the other; int32 ends[block] = entries up to
        the end of the block; float32 bias [R * blocks]; int64 strides {input row, output row, output channel,
        residual row, residual channel} in bytes; number of row blocks; mode bits.
        """
        tile = [(y, x) for y in range(self.height) for x in range(self.width)]
        cells = [(r, k) for r in range(self.rows) for k in range(len(tile))]
        # Below eight sums a processor waits for the last multiplication of the same sum: take two sets of sums.
        sets = 2 if len(cells) < 8 else 1
        return "\n".join(
            [
                *self._head(),
                *self._start(cells, tile, sets),
                *self._loop(cells, tile, sets),
                *self._finish(cells, tile, sets),
                "}",
                *declarations(self.activation),
                ATTRIBUTES,
            ]
        )

    def _head(self) -> list[str]:
        names = ("input_row", "output_row", "output_channel", "residual_row", "residual_channel")
        lines = [
            f"define void @{self.name}(ptr noalias %in, ptr %out, ptr %residual, ptr noalias %entries, "
            "ptr noalias %ends, ptr noalias %bias, ptr noalias %strides, i64 %blocks, i64 %mode) #0 {",
            "entry:",
        ]
        for number, name in enumerate(names):
            lines += [
                f"  %{name}.p = getelementptr i64, ptr %strides, i64 {number}",
                f"  %{name} = load i64, ptr %{name}.p",
            ]
        for y in range(self.height):
            lines += [f"  %in.o{y} = mul i64 %input_row, {y}", f"  %in{y} = getelementptr i8, ptr %in, i64 %in.o{y}"]
        lines += [
            f"  %first.b = and i64 %mode, {FIRST}",
            "  %first = icmp ne i64 %first.b, 0",
            f"  %last.b = and i64 %mode, {LAST}",
            "  %last = icmp ne i64 %last.b, 0",
            f"  %with.b = and i64 %mode, {RESIDUAL}",
            "  %with = icmp ne i64 %with.b, 0",
            f"  %output_step = mul i64 %output_channel, {self.rows}",
            f"  %residual_step = mul i64 %residual_channel, {self.rows}",
            "  br label %block",
        ]
        return lines

    def _start(self, cells: list[tuple[int, int]], tile: list[tuple[int, int]], sets: int) -> list[str]:
        """Return the beginning of a row block: where its entries end, and what its sums begin with."""
        lines = [
            "block:",
            "  %index = phi i64 [0, %entry], [%index.next, %stored]",
            "  %begin = phi ptr [%entries, %entry], [%end, %stored]",
            "  %o = phi ptr [%out, %entry], [%o.next, %stored]",
            "  %s = phi ptr [%residual, %entry], [%s.next, %stored]",
            "  %b = phi ptr [%bias, %entry], [%b.next, %stored]",
            "  %end.p = getelementptr i32, ptr %ends, i64 %index",
            "  %end.i = load i32, ptr %end.p",
            "  %end.l = zext i32 %end.i to i64",
            f"  %end.o = mul i64 %end.l, {self.entry_size}",
            "  %end = getelementptr i8, ptr %entries, i64 %end.o",
            *self._addresses("o", "output", tile),
            "  br i1 %first, label %fresh, label %resumed",
            "fresh:",
        ]
        for r in range(self.rows):
            lines += [
                f"  %b{r}.p = getelementptr float, ptr %b, i64 {r}",
                f"  %b{r}.f = load float, ptr %b{r}.p",
                *splat(f"b{r}", f"b{r}.f"),
            ]
        lines += ["  br i1 %with, label %adding, label %ready", "adding:"]
        lines += self._addresses("s", "residual", tile)
        for r, k in cells:
            lines += [
                f"  %q{r}.{k} = load {V}, ptr %s{r}.{k}, align 64",
                f"  %h{r}.{k} = fadd {V} %b{r}, %q{r}.{k}",
            ]
        lines += ["  br label %ready", "resumed:"]
        lines += [f"  %l{r}.{k} = load {V}, ptr %o{r}.{k}, align 64" for r, k in cells]
        lines += ["  br label %ready", "ready:"]
        lines += [
            f"  %i{r}.{k}.0 = phi {V} [%b{r}, %fresh], [%h{r}.{k}, %adding], [%l{r}.{k}, %resumed]" for r, k in cells
        ]
        if sets == 2:
            lines += [
                "  %count.p = ptrtoint ptr %end to i64",
                "  %count.q = ptrtoint ptr %begin to i64",
                "  %count.b = sub i64 %count.p, %count.q",
                f"  %count = udiv exact i64 %count.b, {self.entry_size}",
                "  %odd.l = and i64 %count, 1",
                "  %odd = icmp ne i64 %odd.l, 0",
                "  br i1 %odd, label %single, label %paired",
                "single:",
                *self._entry("begin", tile, "i", "t", 0, 0),
                f"  %begin.next = getelementptr i8, ptr %begin, i64 {self.entry_size}",
                "  br label %paired",
                "paired:",
                "  %from = phi ptr [%begin, %ready], [%begin.next, %single]",
            ]
            lines += [f"  %j{r}.{k}.0 = phi {V} [%i{r}.{k}.0, %ready], [%t{r}.{k}.0, %single]" for r, k in cells]
        return lines

    def _loop(self, cells: list[tuple[int, int]], tile: list[tuple[int, int]], sets: int) -> list[str]:
        """Return the loop over entries, one or two at a time."""
        before, at, start = ("paired", "from", "j") if sets == 2 else ("ready", "begin", "i")
        lines = [
            f"  %any = icmp ult ptr %{at}, %end",
            "  br i1 %any, label %loop, label %summed",
            "loop:",
            f"  %p = phi ptr [%{at}, %{before}], [%p.next, %loop]",
        ]
        for one in range(sets):
            initial = [f"%{start}{r}.{k}.0" if one == 0 else "zeroinitializer" for r, k in cells]
            lines += [
                f"  %a{r}.{k}.{one} = phi {V} [{value}, %{before}], [%n{r}.{k}.{one}, %loop]"
                for (r, k), value in zip(cells, initial, strict=True)
            ]
        for one in range(sets):
            lines += self._entry("p", tile, "a", "n", one, one * self.entry_size)
        lines += [
            f"  %p.next = getelementptr i8, ptr %p, i64 {sets * self.entry_size}",
            "  %more = icmp ult ptr %p.next, %end",
            "  br i1 %more, label %loop, label %summed, !llvm.loop !0",
            "summed:",
        ]
        for one in range(sets):
            initial = [f"%{start}{r}.{k}.0" if one == 0 else "zeroinitializer" for r, k in cells]
            lines += [
                f"  %d{r}.{k}.{one} = phi {V} [{value}, %{before}], [%n{r}.{k}.{one}, %loop]"
                for (r, k), value in zip(cells, initial, strict=True)
            ]
        if sets == 2:
            lines += [f"  %e{r}.{k}.0 = fadd {V} %d{r}.{k}.0, %d{r}.{k}.1" for r, k in cells]
        return [*lines, "  br i1 %last, label %activating, label %store"]

    def _entry(self, pointer: str, tile: list[tuple[int, int]], old: str, new: str, one: int, skip: int) -> list[str]:
        """Return the work of one entry: `new` sums are `old` sums plus values times input vectors."""
        u = f"{new}{one}"
        lines = [
            f"  %{u}.op = getelementptr i8, ptr %{pointer}, i64 {skip}",
            f"  %{u}.oi = load i32, ptr %{u}.op",
            f"  %{u}.o = zext i32 %{u}.oi to i64",
        ]
        for y in range(self.height):
            lines.append(f"  %{u}.in{y} = getelementptr i8, ptr %in{y}, i64 %{u}.o")
        for k, (y, x) in enumerate(tile):
            lines += [
                f"  %{u}.x{k}.p = getelementptr i8, ptr %{u}.in{y}, i64 {64 * self.step * x}",
                f"  %{u}.x{k} = load {V}, ptr %{u}.x{k}.p, align 64",
            ]
        for r in range(self.rows):
            lines += [
                f"  %{u}.w{r}.p = getelementptr i8, ptr %{pointer}, i64 {skip + 4 + 4 * r}",
                f"  %{u}.w{r}.f = load float, ptr %{u}.w{r}.p",
                *splat(f"{u}.w{r}", f"{u}.w{r}.f"),
            ]
            lines += [
                fmuladd(f"{new}{r}.{k}.{one}", f"{u}.w{r}", f"{u}.x{k}", f"{old}{r}.{k}.{one}")
                for k in range(len(tile))
            ]
        return lines

    def _finish(self, cells: list[tuple[int, int]], tile: list[tuple[int, int]], sets: int) -> list[str]:
        """Return the end of a row block: activation, store."""
        sums = "e" if sets == 2 else "d"
        lines = ["activating:"]
        results = {}
        for r, k in cells:
            more, results[r, k] = self.activation.ir(f"%{sums}{r}.{k}.0", f"act{r}.{k}")
            lines += more
        lines += ["  br label %store", "store:"]
        # An expression may have opened no blocks of its own, so the last block is still "activating".
        lines += [
            f"  %v{r}.{k} = phi {V} [%{sums}{r}.{k}.0, %summed], [{results[r, k]}, %activating]" for r, k in cells
        ]
        lines += [f"  store {V} %v{r}.{k}, ptr %o{r}.{k}, align 64" for r, k in cells]
        lines += [
            "  br label %stored",
            "stored:",
            "  %index.next = add i64 %index, 1",
            "  %o.next = getelementptr i8, ptr %o, i64 %output_step",
            "  %s.next = getelementptr i8, ptr %s, i64 %residual_step",
            f"  %b.next = getelementptr float, ptr %b, i64 {self.rows}",
            "  %unfinished = icmp ult i64 %index.next, %blocks",
            "  br i1 %unfinished, label %block, label %exit",
            "exit:",
            "  ret void",
        ]
        return lines

    def _addresses(self, base: str, what: str, tile: list[tuple[int, int]]) -> list[str]:
        """Return the addresses %base{r}.{k} of a row block's vectors in output or residual."""
        lines = []
        for r in range(self.rows):
            lines += [
                f"  %{base}{r}.c = mul i64 %{what}_channel, {r}",
                f"  %{base}{r} = getelementptr i8, ptr %{base}, i64 %{base}{r}.c",
            ]
            for y in range(self.height):
                lines += [
                    f"  %{base}{r}.r{y}.o = mul i64 %{what}_row, {y}",
                    f"  %{base}{r}.r{y} = getelementptr i8, ptr %{base}{r}, i64 %{base}{r}.r{y}.o",
                ]
            lines += [
                f"  %{base}{r}.{k} = getelementptr i8, ptr %{base}{r}.r{y}, i64 {64 * x}"
                for k, (y, x) in enumerate(tile)
            ]
        return lines
