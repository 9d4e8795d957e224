"""Into and out of the domain in which a convolution is a product for each point (Winograd, Toom and Cook).

F(m x m, r x r): m x m outputs of a kernel of r x r taps from n x n products instead of m^2 r^2, n = m + r - 1
(Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016).
"""

from fractions import Fraction

from robust_tickets.runtime.kernels.epilogue import Activation
from robust_tickets.runtime.kernels.text import ATTRIBUTES, V, at, loop, splat, step
from robust_tickets.runtime.kernels.vector_code import DECLARATIONS, VectorCode, number
from robust_tickets.runtime.layout import VECTOR

FORWARD, BACKWARD = "winograd_forward", "winograd_backward"

FORWARD_ADDRESSES = ("source", "target")
FORWARD_NUMBERS = ("tiles", "source_channel", "source_row", "target_point", "target_channel")
"""Tiles in a row, and strides in bytes; `source` is the first vector that the first window reads."""

BACKWARD_ADDRESSES = ("source", "target", "bias")
BACKWARD_NUMBERS = ("tiles", "source_point", "source_channel", "target_channel", "target_row")

_POINTS = (0, 1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2))

Matrix = list[list[Fraction]]


def matrices(outputs: int, taps: int) -> tuple[Matrix, Matrix, Matrix]:
    """Return A^T [m, n], G [n, r] and B^T [n, n]: convolution is A^T ((G g) * (B^T d)) in each dimension."""
    size = outputs + taps - 1
    points = [Fraction(point) for point in _POINTS[: size - 1]]
    a = [[point**power for point in points] + [Fraction(int(power == outputs - 1))] for power in range(outputs)]
    g, b = [], []
    for point in points:
        others = [other for other in points if other != point]
        scale = Fraction(1)
        for other in others:
            scale *= point - other
        g.append([point**power / scale for power in range(taps)])
        b.append([*_expanded(others), Fraction(0)])
    g.append([Fraction(int(power == taps - 1)) for power in range(taps)])
    b.append(_expanded(points))
    return a, g, b


def _expanded(roots: list[Fraction]) -> list[Fraction]:
    """Return the coefficients of the product of (x - root), the constant first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        coefficients = [high - root * low for high, low in zip(shifted, [*coefficients, Fraction(0)], strict=True)]
    return coefficients


def forward_ir(outputs: int, taps: int, stride: int, kernel: tuple[int, int]) -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over inputs: task = (channel * stride + p) * stride + q.

    Input (channel, p, q) is every stride-th pixel from row p and column q on. For each tile of a row its n x n
    vectors d become B^T d B, at target[point, task, tile].
    """
    _, _, b = matrices(outputs, taps)
    size = len(b)
    # Of phases with fewer taps the last vector would be multiplied by a tap that does not exist.
    short = [taps - len(range(phase, length, stride)) for length in kernel for phase in range(stride)]
    code = VectorCode("d")
    body = [
        f"  %channel = udiv i64 %t, {stride * stride}",
        f"  %phase = urem i64 %t, {stride * stride}",
        f"  %p = udiv i64 %phase, {stride}",
        f"  %q = urem i64 %phase, {stride}",
        *at("plane", "source", ("%channel", "%source_channel"), ("%p", "%source_row"), ("%q", str(VECTOR))),
        *at("place", "target", ("%t", "%target_channel")),
        *_short_masks(short, stride),
        "  br label %x.loop",
    ]
    lines = [*at("from", "plane", ("%x", str(VECTOR * stride * outputs)))]
    for i in range(size):
        lines += at(f"row{i}", "from", (str(stride * i), "%source_row"))
    loaded = []
    for i in range(size):
        for j in range(size):
            name, flag = f"load{i}.{j}", _last(i, j, size)
            lines.append(f"  %{name}.p = getelementptr i8, ptr %row{i}, i64 {VECTOR * stride * j}")
            if flag:
                # There may be nothing to read there: any other vector will do.
                lines += [
                    f"  %{name}.s = select i1 %{flag}, ptr %from, ptr %{name}.p",
                    f"  %{name}.v = load {V}, ptr %{name}.s, align 64",
                    f"  %{name} = select i1 %{flag}, {V} zeroinitializer, {V} %{name}.v",
                ]
            else:
                lines.append(f"  %{name} = load {V}, ptr %{name}.p, align 64")
        loaded.append([f"%load{i}.{j}" for j in range(size)])
    results = _both_sides(code, b, loaded)
    lines += code.lines
    lines += at("to", "place", ("%x", str(VECTOR)))
    for i in range(size):
        for j in range(size):
            lines += [
                *at(f"to{i}.{j}", "to", (str(i * size + j), "%target_point")),
                f"  store {V} {results[i][j]}, ptr %to{i}.{j}, align 64",
            ]
    body += loop("x", "%tiles", lines, "task", "done")
    return "\n".join([*step(FORWARD, FORWARD_ADDRESSES, FORWARD_NUMBERS, body), *DECLARATIONS, ATTRIBUTES])


def _last(i: int, j: int, size: int) -> str:
    """Return the flag that says whether a vector lies behind the last tap; empty where it never does."""
    if i == j == size - 1:
        return "short.any"
    return "short.row" if i == size - 1 else "short.column" if j == size - 1 else ""


def _short_masks(short: list[int], stride: int) -> list[str]:
    rows, columns = short[:stride], short[stride:]
    lines = []
    for name, phase, missing in (("row", "p", rows), ("column", "q", columns)):
        bits = sum(1 << index for index, count in enumerate(missing) if count)
        lines += [
            f"  %short.{name}.b = lshr i64 {bits}, %{phase}",
            f"  %short.{name} = trunc i64 %short.{name}.b to i1",
        ]
    return [*lines, "  %short.any = or i1 %short.row, %short.column"]


def backward_ir(outputs: int, taps: int, activation: Activation) -> str:
    """Return the LLVM IR text of void(arguments, begin, end) over output channels.

    For each tile of a row the products m at source[point, channel, tile] become m x m outputs
    activation(A^T m A + bias).
    """
    a, _, _ = matrices(outputs, taps)
    size = len(a[0])
    code = VectorCode("m")
    lines = at("from", "plane", ("%x", str(VECTOR)))
    loaded = []
    for i in range(size):
        row = []
        for j in range(size):
            lines += [
                *at(f"from{i}.{j}", "from", (str(i * size + j), "%source_point")),
                f"  %load{i}.{j} = load {V}, ptr %from{i}.{j}, align 64",
            ]
            row.append(f"%load{i}.{j}")
        loaded.append(row)
    results = _both_sides(code, a, loaded)
    lines += code.lines
    lines += at("to", "place", ("%x", str(VECTOR * outputs)))
    for i in range(outputs):
        lines += at(f"to{i}", "to", (str(i), "%target_row"))
        for j in range(outputs):
            name = f"out{i}.{j}"
            more, result = activation.ir(f"%{name}.b", f"{name}.a")
            lines += [
                f"  %{name}.b = fadd {V} {results[i][j]}, %bias.v",
                *more,
                f"  %{name}.p = getelementptr i8, ptr %to{i}, i64 {VECTOR * j}",
                f"  store {V} {result}, ptr %{name}.p, align 64",
            ]
    body = [
        *at("plane", "source", ("%t", "%source_channel")),
        *at("place", "target", ("%t", "%target_channel")),
        *at("bias.p", "bias", ("%t", "4")),
        "  %bias.f = load float, ptr %bias.p",
        *splat("bias.v", "bias.f"),
        "  br label %x.loop",
        *loop("x", "%tiles", lines, "task", "done"),
    ]
    return "\n".join([*step(BACKWARD, BACKWARD_ADDRESSES, BACKWARD_NUMBERS, body), *DECLARATIONS, ATTRIBUTES])


def _both_sides(code: VectorCode, matrix: Matrix, values: list[list[str]]) -> list[list[str]]:
    """Return matrix @ values @ matrix^T."""
    columns = [_times(code, matrix, [row[j] for row in values]) for j in range(len(values[0]))]
    return [_times(code, matrix, [column[i] for column in columns]) for i in range(len(matrix))]


def _times(code: VectorCode, matrix: Matrix, vector: list[str]) -> list[str]:
    """Return matrix @ vector, with additions for coefficients of one and nothing for zeros."""
    results = []
    for row in matrix:
        total = ""
        for coefficient, value in sorted(zip(row, vector, strict=True), key=lambda pair: pair[0] != 1):
            if coefficient == 0:
                continue
            if not total:
                total = value if coefficient == 1 else code.multiply(value, number(float(coefficient)))
            elif coefficient == 1:
                total = code.add(total, value)
            elif coefficient == -1:
                total = code.subtract(total, value)
            else:
                total = code.multiply_add(value, number(float(coefficient)), total)
        results.append(total)
    return results
