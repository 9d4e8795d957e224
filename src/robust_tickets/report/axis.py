"""The axis the papers use: sparsity to the right, evenly spaced in the logarithm of density."""

from collections.abc import Sequence
from math import log

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator


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


def readable_ticks(sparsities: Sequence[float], most: int = 8) -> list[float]:
    """Choose which of the ascending sparsities get a tick, so that labels do not run into each other.

    The sparsest always has one; going left, a tick is left out when it is nearer than 1/`most` of the axis.
    """
    if len(sparsities) < 2:
        return list(sparsities)
    span = log(density_place(sparsities[0]) / density_place(sparsities[-1]))
    chosen = [sparsities[-1]]
    for sparsity in reversed(sparsities[:-1]):
        if log(density_place(sparsity) / density_place(chosen[-1])) >= span / most:
            chosen.append(sparsity)
    return chosen[::-1]
