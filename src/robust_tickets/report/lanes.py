"""The figure of timelines: one lane for each way of drawing, over its own time."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.report.looks import CONTROL, INK, PALETTE, figure_style
from robust_tickets.report.notation import shortened
from robust_tickets.report.sections import Lane, Lanes

MARKS: dict[str, dict[str, Any]] = {
    "prune": {"marker": "v", "color": PALETTE[1]},
    "restore": {"marker": "^", "color": PALETTE[2]},
    "drop and grow": {"marker": "|", "color": PALETTE[3]},
    "remove": {"marker": "x", "color": PALETTE[3]},
    "compare": {"marker": ".", "color": CONTROL},
    "rewind": {"marker": "<", "color": PALETTE[4]},
    "ticket": {"marker": "o", "color": INK},
}
"""How each kind of event is drawn; a kind that is not here would be a mistake of the program."""

ROWS = {"ticket": 1.52, "rewind": 1.26, "remove": 1.26}
"""Height, in lanes, of events that happen together with others."""

LEARNED = "masks are learned"


def lanes_figure(shown: Lanes) -> Figure:
    """Draw sparsity in force as a filled step over the share of each lane's time, and its events above."""
    with figure_style():
        figure = Figure(figsize=(6.6, 0.68 * len(shown.lanes) + 1.1), layout="constrained")
        grid = figure.subplots(len(shown.lanes), 1, sharex=True, squeeze=False)
        for axes, lane in zip(grid[:, 0], shown.lanes, strict=True):
            _draw(axes, lane)
        grid[-1, 0].set_xlabel("Share of the draw's own training (%)")
        figure.suptitle(shortened(shown.title, 64), x=0.01, ha="left", fontsize=10.5)
        kinds = [kind for kind in MARKS if any(kind == mark for lane in shown.lanes for _, mark in lane.marks)]
        handles: list[Any] = [Line2D([], [], ls="", ms=5, label=kind, **MARKS[kind]) for kind in kinds]
        if any(lane.is_learned for lane in shown.lanes):
            handles.append(Patch(facecolor="none", edgecolor=CONTROL, hatch="////", lw=0, label=LEARNED))
        figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _draw(axes: Axes, lane: Lane) -> None:
    """Draw one lane: time on the horizontal axis in per cent, sparsity from 0 to 1 on the vertical one."""
    x, y = [100 * place for place in (*lane.x, 1.0)], [*lane.y, lane.y[-1]]
    axes.fill_between(x, y, step="post", color=PALETTE[5], alpha=0.35, lw=0)
    axes.step(x, y, where="post", color=PALETTE[0], lw=1.3)
    if lane.is_learned:
        axes.axvspan(0, 100, facecolor="none", edgecolor=CONTROL, hatch="////", lw=0, alpha=0.5)
    for place, kind in lane.marks:
        axes.plot(100 * place, ROWS.get(kind, 1.02), ls="", ms=5, clip_on=False, **MARKS[kind])
    axes.set(xlim=(0, 100), ylim=(0, 1.62), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="x", length=2)
    axes.set_ylabel(shortened(lane.name, 30), rotation=0, ha="right", va="center")
    told = f"{_at_the_end(lane)}\n{lane.note}".rstrip()
    axes.text(1.015, 0.5, told, transform=axes.transAxes, fontsize=8, va="center")


def _at_the_end(lane: Lane) -> str:
    """Write the sparsity that a lane ends on."""
    return "any sparsity" if lane.is_open else f"{sparsity_percent(lane.y[-1])} %"


def lanes_in_words(shown: Lanes) -> str:
    """Say what lanes show, for readers who cannot see them."""
    return " ".join(
        (
            f"{shown.title}.",
            *(f"{lane.name}: {_at_the_end(lane)} at the end, {len(lane.marks)} events." for lane in shown.lanes),
        )
    )
