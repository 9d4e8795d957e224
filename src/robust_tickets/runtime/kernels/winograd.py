"""The domain in which a convolution is a product for each point (Winograd, Toom and Cook).

F(m x m, r x r): m x m outputs of a kernel of r x r taps from n x n products instead of m^2 r^2, n = m + r - 1
(Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016).
"""

from fractions import Fraction

from robust_tickets.runtime.kernels.vector_code import VectorCode, number

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


def both_sides(code: VectorCode, matrix: Matrix, values: list[list[str]]) -> list[list[str]]:
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
