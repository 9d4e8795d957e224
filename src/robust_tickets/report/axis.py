"""The axis the papers use: sparsity to the right, evenly spaced in the logarithm of density."""

from collections.abc import Sequence
from math import log

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

CHARACTER, GAP = 0.02, 0.03
"""Width of a character of a tick's label, and room between two labels, as fractions of the axis."""


def density_place(sparsity: float) -> float:
    """Return where a sparsity lies on the logarithmic axis; nothing kept at all has no place but the edge."""
    return max(1 - sparsity, 1e-6)


def sparsity_axis(axes: Axes, sparsities: Sequence[float]) -> None:
    """Make the axis the papers use: sparsity to the right, evenly spaced in the logarithm of density."""
    axes.set_xlabel("Sparsity (% of prunable weights removed)")
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    if not sparsities:
        axes.xaxis.set_major_locator(NullLocator())
        return
    left, right = density_place(sparsities[0]), density_place(sparsities[-1])
    edge = max((left / right) ** 0.06, 1.1)
    axes.set_xlim(left * edge, right / edge)
    ticks = readable_ticks(sparsities)
    axes.xaxis.set_major_locator(FixedLocator([density_place(tick) for tick in ticks]))
    axes.xaxis.set_major_formatter(FixedFormatter([tick_label(tick) for tick in ticks]))


def tick_label(sparsity: float) -> str:
    """Write a sparsity in per cent, as short as still tells it from its neighbours: `90`, `89.3`, `99.95`."""
    return f"{100 * sparsity:.{1 if sparsity < 0.99 else 2}f}".rstrip("0").rstrip(".")


def readable_ticks(sparsities: Sequence[float]) -> list[float]:
    """Choose which of the ascending sparsities get a tick, so that labels do not run into each other.

    Both ends always have one. Between them, from the sparsest to the left, a tick is left out if its label would
    touch the one to its right, or the one at the left end.
    """
    if len(sparsities) < 2:
        return list(sparsities)
    first, last = sparsities[0], sparsities[-1]
    span = log(density_place(first) / density_place(last))

    def clear(left: float, right: float) -> bool:
        width = CHARACTER * (len(tick_label(left)) + len(tick_label(right))) / 2 + GAP
        return log(density_place(left) / density_place(right)) >= width * span

    chosen = [last]
    for sparsity in reversed(sparsities[1:-1]):
        if clear(sparsity, chosen[-1]) and clear(first, sparsity):
            chosen.append(sparsity)
    return [first, *chosen[::-1]]
