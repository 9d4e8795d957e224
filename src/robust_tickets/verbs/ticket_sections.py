"""What is found in tickets, as sections of a report: their layers, their overlap."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TypeVar

from robust_tickets.analysis.layers import LayerCounts, layer_counts
from robust_tickets.analysis.overlap import Overlap, overlaps
from robust_tickets.pruning.masks import Masks
from robust_tickets.report.sections import Chart, Line, Map, Section, Table, Value

Item = TypeVar("Item")

COLUMNS = 6
"""Tickets whose layers are told side by side, and lines of a chart: as many as colours tell apart."""

LISTED = 10
"""Pairs of tickets whose overlap is listed, and of them..."""

BY_LAYER = 3
"""...pairs whose overlap is told layer by layer: two lines each in a chart."""


def layers_section(tickets: Mapping[str, Masks]) -> Section:
    """Return sparsity, all-zero kernels and all-zero outputs of tickets, in all and by layer."""
    counts = {name: layer_counts(masks) for name, masks in tickets.items()}
    shown = dict(evenly(list(counts.items()), COLUMNS))
    names = list(dict.fromkeys(name for layers in shown.values() for name in layers))
    return Section(
        title="Layers of the tickets",
        text="A kernel, the k x k weights between two channels, or a whole output (filter, neuron) of which nothing is "
        "left computes nothing; a 1x1 kernel is a single weight.",
        tables=(
            Table(
                title="What is removed",
                columns=(
                    "ticket",
                    "sparsity, %",
                    "weights left",
                    "kernels all zero",
                    "kernels all zero, %",
                    "outputs all zero",
                    "outputs all zero, %",
                ),
                rows=tuple(totals(name, LayerCounts.total(layers.values())) for name, layers in counts.items()),
            ),
            Table(
                title="Sparsity by layer, %",
                columns=("layer", *shown),
                rows=tuple(
                    (name, *(100 * layers[name].sparsity if name in layers else None for layers in shown.values()))
                    for name in names
                ),
            ),
            Table(
                title="All-zero kernels by layer",
                columns=("layer", *shown),
                rows=tuple(
                    (name, *(kernels(layers[name]) if name in layers else None for layers in shown.values()))
                    for name in names
                ),
                note="Linear layers have no kernels.",
            ),
        ),
        charts=(
            Chart(
                title="All-zero kernels and outputs",
                x_label="sparsity of the ticket, %",
                y_label="all zero, %",
                lines=shares(counts),
            ),
        )
        if len(counts) > 1
        else (),
    )


def totals(name: str, total: LayerCounts) -> tuple[Value, ...]:
    """Return a ticket's row."""
    return (
        name,
        100 * total.sparsity,
        total.kept,
        f"{total.zero_kernels} of {total.kernels}" if total.kernels else None,
        100 * total.zero_kernel_share if total.kernels else None,
        f"{total.zero_outputs} of {total.outputs}",
        100 * total.zero_output_share,
    )


def kernels(layer: LayerCounts) -> str | None:
    """Return `zero of all (share)`."""
    if not layer.kernels:
        return None
    return f"{layer.zero_kernels} of {layer.kernels} ({100 * layer.zero_kernel_share:.3g} %)"


def shares(counts: Mapping[str, Mapping[str, LayerCounts]]) -> tuple[Line, ...]:
    """Return the shares of all-zero kernels and outputs over the tickets' sparsities."""
    found = sorted((LayerCounts.total(layers.values()) for layers in counts.values()), key=lambda one: one.sparsity)
    conv = [one for one in found if one.kernels]
    lines = {
        "kernels": ([one.sparsity for one in conv], [one.zero_kernel_share for one in conv]),
        "outputs": ([one.sparsity for one in found], [one.zero_output_share for one in found]),
    }
    return tuple(
        Line(name=name, x=tuple(100 * one for one in x), y=tuple(100 * one for one in y))
        for name, (x, y) in lines.items()
        if x
    )


def overlap_sections(tickets: Mapping[str, Masks]) -> list[Section]:
    """Return a section for every set of two or more tickets that mask the same weights."""
    alike: dict[tuple[object, ...], dict[str, Masks]] = {}
    for name, masks in tickets.items():
        weights = tuple((key, tuple(mask.shape)) for key, mask in masks.items())
        alike.setdefault(weights, {})[name] = masks
    return [overlap_section(same) for same in alike.values() if len(same) > 1]


def overlap_section(tickets: Mapping[str, Masks]) -> Section:
    """Return how much any two of the tickets have in common."""
    names = tuple(tickets)
    layers = {(a, b): overlaps(tickets[a], tickets[b]) for a, b in combinations(names, 2)}
    total = {pair: Overlap.total(found.values()) for pair, found in layers.items()}
    # The pairs of most alike sparsity: of the others, most that differs is the sparsity.
    listed = sorted(total, key=lambda pair: abs(total[pair].first - total[pair].second))[:LISTED]
    detailed = listed[:BY_LAYER]
    index = {pair: one.jaccard for pair, one in total.items()}
    excess = {pair: one.jaccard - one.chance for pair, one in total.items()}
    return Section(
        title="Overlap of the tickets",
        text="The Jaccard index of what two tickets keep is the share of weights kept by both among those kept by "
        "either. Beside it stands the index that independent masks of the same layer sizes would have: only what lies "
        "above is a choice that the two have in common.",
        tables=(
            Table(
                title="Overlap in all",
                columns=("ticket", "other ticket", "kept", "kept by other", "kept by both", "Jaccard", "chance", "±"),
                rows=tuple(
                    (*pair, one.first, one.second, one.both, one.jaccard, one.chance, one.chance_deviation)
                    for pair, one in ((pair, total[pair]) for pair in listed)
                ),
                note=f"{'All pairs' if len(listed) == len(total) else 'The pairs of most alike sparsity'}; ± is the "
                "standard deviation of chance where single weights are chosen, and larger where groups are.",
            ),
            Table(
                title="Overlap by layer: Jaccard (chance)",
                columns=("layer", *(" / ".join(pair) for pair in detailed)),
                rows=tuple(
                    (
                        name,
                        *(f"{one.jaccard:.3f} ({one.chance:.3f})" for one in (layers[pair][name] for pair in detailed)),
                    )
                    for name in tickets[names[0]]
                ),
            ),
        ),
        charts=(
            Chart(
                title="Overlap by layer",
                x_label="layer, in network order",
                y_label="Jaccard index",
                lines=tuple(
                    line
                    for pair in detailed
                    for line in (
                        by_layer(" / ".join(pair), [one.jaccard for one in layers[pair].values()]),
                        by_layer("chance", [one.chance for one in layers[pair].values()]),
                    )
                ),
            ),
        ),
        maps=(
            square("Overlap of any two tickets", names, index, 1.0, "Jaccard index of the weights kept"),
            square("Overlap above chance", names, excess, 0.0, "Jaccard index minus its expectation by chance"),
        )
        if len(names) > 2
        else (),
    )


def by_layer(name: str, values: Sequence[float]) -> Line:
    """Return values over the number of the layer."""
    return Line(name=name, x=tuple(float(number) for number in range(1, len(values) + 1)), y=tuple(values))


def square(
    title: str, names: tuple[str, ...], values: Mapping[tuple[str, str], float], itself: float, label: str
) -> Map:
    """Return a symmetric map of values of pairs; `itself` is a ticket's with itself."""
    both = {**values, **{(b, a): value for (a, b), value in values.items()}}
    rows = tuple(tuple(both.get((a, b), itself) for b in names) for a in names)
    return Map(title=title, x=names, y=names, values=rows, value_label=label)


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """Return at most so many of the items, evenly spaced, first and last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(number * (len(items) - 1) / (most - 1))] for number in range(most)]
