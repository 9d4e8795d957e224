"""Findings about tickets, as sections of a report: their layers and their overlap."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from robust_tickets.analysis.layers import LayerCounts
from robust_tickets.analysis.overlap import Overlap, TicketOverlaps
from robust_tickets.report.sections import Chart, Line, Map, Section, Table, Value
from robust_tickets.ticket.ticket import Ticket

COLUMNS = 6
"""Tickets whose layers are shown side by side, and lines of a chart: as many as colours can distinguish."""

LISTED = 10
"""Pairs of tickets whose overlap is listed, and of them..."""

BY_LAYER = 3
"""...pairs whose overlap is shown layer by layer: two lines each in a chart."""


def ticket_table(ticket: Ticket) -> Table:
    """Return the sparsity of every layer of one ticket."""
    rows = tuple(
        (name, ticket.masks[name].numel(), f"{100 * removed:.1f}") for name, removed in ticket.layer_sparsity.items()
    )
    return Table(title="Sparsity by layer", columns=("layer", "weights", "removed (%)"), rows=rows)


def layers_section(counts: Mapping[str, Mapping[str, LayerCounts]]) -> Section:
    """Return sparsity, all-zero kernels and all-zero outputs of tickets by name, in all and by layer."""
    shown = dict(list(counts.items())[:COLUMNS])
    note = f"The first {len(shown)} of {len(counts)} tickets." if len(shown) < len(counts) else ""
    names = list(dict.fromkeys(name for layers in shown.values() for name in layers))
    zero_kernels = [
        line(name, [100 * one.zero_kernel_share for one in layers.values() if one.kernels])
        for name, layers in shown.items()
        if any(one.kernels for one in layers.values())
    ]
    return Section(
        title="Layers of the tickets",
        text="A kernel (the k x k weights between two channels) or a whole output (filter, neuron) with no weights "
        "left computes nothing; a 1x1 kernel is a single weight."
        if zero_kernels
        else "A whole output (neuron) with no weights left computes nothing.",
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
                note=note,
            ),
            *([kernel_table(shown, names, note)] if zero_kernels else []),
        ),
        charts=(
            by_layer(
                "Sparsity by layer",
                "removed, %",
                [line(name, [100 * one.sparsity for one in layers.values()]) for name, layers in shown.items()],
                note,
            ),
            *(
                [by_layer("All-zero kernels by layer", "kernels all zero, %", zero_kernels, note)]
                if zero_kernels
                else []
            ),
        ),
    )


def kernel_table(shown: Mapping[str, Mapping[str, LayerCounts]], names: Sequence[str], note: str) -> Table:
    """Return the all-zero kernels of every layer of some tickets."""
    rows = tuple(
        (name, *(kernels(layers[name]) if name in layers else None for layers in shown.values())) for name in names
    )
    told = f"Linear layers have no kernels. {note}".strip()
    return Table(title="All-zero kernels by layer", columns=("layer", *shown), rows=rows, note=told)


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


def line(name: str, values: Sequence[float]) -> Line:
    """Return values over the number of the layer."""
    return Line(name=name, x=tuple(float(number) for number in range(1, len(values) + 1)), y=tuple(values))


def by_layer(title: str, y_label: str, lines: Sequence[Line], note: str = "") -> Chart:
    """Return a chart of values over the number of the layer."""
    return Chart(title=title, x_label="layer, in network order", y_label=y_label, lines=tuple(lines), note=note)


def overlap_section(found: TicketOverlaps) -> Section:
    """Return how much any two of the tickets have in common."""
    names, layers = found.names, found.layers
    total = {pair: Overlap.total(each.values()) for pair, each in layers.items()}
    # The pairs of most similar sparsity: the others differ mostly in sparsity.
    pairs = sorted(combinations(names, 2), key=lambda pair: abs(total[pair].first - total[pair].second))
    listed = pairs[:LISTED]
    detailed = listed[:BY_LAYER]
    index = {pair: one.jaccard for pair, one in total.items()}
    excess = {pair: one.jaccard - one.chance for pair, one in total.items()}
    return Section(
        title="Overlap of the tickets",
        text="The Jaccard index of two tickets is the share of weights kept by both among those kept by either. Next "
        "to it is the index that independent masks keeping as many weights per layer would have: only the excess over "
        "it is a choice that the two have in common.",
        tables=(
            Table(
                title="Overall overlap",
                columns=("ticket", "other ticket", "kept", "kept by other", "kept by both", "Jaccard", "chance", "±"),
                rows=tuple(
                    (*pair, one.first, one.second, one.both, one.jaccard, one.chance, one.chance_deviation)
                    for pair, one in ((pair, total[pair]) for pair in listed)
                ),
                note=f"{'All pairs' if len(listed) == len(pairs) else 'The pairs of most similar sparsity'}; ± is the "
                "standard deviation of chance if single weights are chosen, and larger if groups are.",
            ),
            Table(
                title="Overlap by layer: Jaccard (chance)",
                columns=("layer", *(" / ".join(pair) for pair in detailed)),
                rows=tuple(
                    (
                        name,
                        *(f"{one.jaccard:.3f} ({one.chance:.3f})" for one in (layers[pair][name] for pair in detailed)),
                    )
                    for name in layers[names[0], names[0]]
                ),
            ),
        ),
        charts=(
            by_layer(
                "Overlap by layer",
                "Jaccard index",
                [
                    line(name, values)
                    for pair in detailed
                    for name, values in (
                        (" / ".join(pair), [one.jaccard for one in layers[pair].values()]),
                        ("chance", [one.chance for one in layers[pair].values()]),
                    )
                ],
            ),
        ),
        maps=(
            square("Overlap of any two tickets", names, index, "Jaccard index of the weights kept"),
            square("Overlap above chance", names, excess, "Jaccard index minus its expectation by chance"),
        )
        if len(names) > 2
        else (),
    )


def square(title: str, names: tuple[str, ...], values: Mapping[tuple[str, str], float], label: str) -> Map:
    """Return a symmetric map of values of pairs, each ticket with itself among them. Columns are numbered."""
    rows = tuple(tuple(values[(a, b) if (a, b) in values else (b, a)] for b in names) for a in names)
    numbers = tuple(str(number) for number in range(1, len(names) + 1))
    numbered = tuple(f"{name} ({number})" for name, number in zip(names, numbers, strict=True))
    return Map(title=title, x=numbers, y=numbered, values=rows, value_label=label)
