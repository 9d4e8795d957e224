"""A smaller network and its ticket, found in one training: what is left, how good, small and fast it is."""

from pathlib import Path

from robust_tickets.findings.searches import stairs
from robust_tickets.findings.sizes import size_table
from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.report.sections import Chart, Section, Table
from robust_tickets.report.summary import Summary
from robust_tickets.ticket.ticket_card import told_prunable
from robust_tickets.verbs.channels_left import ChannelsLeft
from robust_tickets.verbs.search import NETWORK, TICKET, Searched

NAMED = 2
"""Layers of one set of channels that are named; the others are counted."""


FEW_ZEROS = 0.1
"""Share of zeros below which a file without them gains little."""


def searched_summary(found: Searched, command: str) -> Summary:
    """Return the report on a search; `command` is what repeats it."""
    source, data = found.ticket.source, found.data
    prunable = told_prunable(found.ticket.prunable, found.ticket.left_out)
    return Summary(
        title=f"A smaller {source.name} for {data.name}",
        facts=facts(found),
        sections=searched_sections(found),
        notes=[*further(found), *source.notes, *prunable, *data.notes],
        command=command,
    )


def further(found: Searched) -> list[str]:
    """Return what was not done, and the commands that do it."""
    place = found.folder or Path("OUT")
    lines = [
        "Not compared with the dense network trained on the same data: that takes tickets transfer "
        f"{place / TICKET} --data DATA --out RUNS, and tickets verify RUNS."
    ]
    if found.zeros > FEW_ZEROS:
        lines.append(
            f"{100 * found.zeros:.0f} % of the smaller network's parameters are zero: tickets export {place / NETWORK} "
            "--out model.rtk writes it without them, for the sparse runtime."
        )
    return lines


def facts(found: Searched) -> list[tuple[str, str]]:
    """Return what was searched in and with."""
    source, data, training = found.ticket.source, found.data, found.settings.training
    optimiser = training.optimiser
    derived = f", which takes {found.settings.pull:g} from an idle channel of mean cost"
    return [
        ("source", f"{source.name}, weights {source.weights}"),
        ("data", f"{data.name}, {len(data.classes)} classes, {data.fit.words}"),
        (
            data.noun,
            f"{len(data.train):,} for training, {len(data.validation):,} for validation, {len(data.test):,} for test",
        ),
        (
            "training",
            f"{found.cost.steps:,} steps of {training.batch_size} {data.noun}, {optimiser.kind} at {optimiser.lr:g}, "
            f"{training.schedule.kind}; {found.cost.seconds:,.0f} s",
        ),
        ("penalty on gains", f"rho {found.penalty:.3g}{derived if found.settings.penalty is None else ''}"),
        ("sparsity asked for", f"{sparsity_percent(found.settings.sparsity)} %"),
        ("seed", str(found.seed)),
        ("ticket", found.ticket.digest),
    ]


def searched_sections(found: Searched) -> list[Section]:
    """Return what was found, how the network became smaller, and what is left of every layer."""
    sizes = size_table(found.report).model_copy(
        update={
            "note": "dense: the whole network; ticket: the same with zeros in place; shrunk: the folder that was "
            "written. Each is timed as an ONNX file in ONNX Runtime, in which zeros gain nothing."
        }
    )
    sections = [
        Section(title="What was found", text=" ".join(found.sentences()), tables=(sizes,)),
        Section(
            title="Channels of every layer",
            text="Channels of several layers go together where their outputs are added, or pass through a depthwise "
            "convolution.",
            tables=(channel_table(found),),
        ),
    ]
    if found.removals:
        steps, channels, multiply_adds = zip(*found.removals, strict=True)
        left = {"channels": channels, "multiply-adds": multiply_adds}
        chart = Chart(
            title="What is left of the network",
            x_label="training step",
            y_label="left, %",
            lines=tuple(stairs(name, steps, shares, found.cost.steps) for name, shares in left.items()),
            note="Multiply-adds of the layers that are pruned, zeros included.",
        )
        text = (
            "Channels whose gain has fallen to zero leave the network for good, while the weights of all others train "
            "on."
        )
        sections.insert(1, Section(title="How it became smaller", text=text, charts=(chart,)))
    return sections


def channel_table(found: Searched) -> Table:
    """Return the channels of every layer: of the source, of the ticket, and of the network that was written."""
    kept = found.report.removal.channels_kept
    return Table(
        title="Channels",
        columns=("layers", "dense", "left", "left (%)", "written", "why they stay"),
        rows=tuple(
            (
                layers(one),
                one.channels,
                one.left,
                f"{100 * one.left / one.channels:.0f}",
                one.written,
                one.reason or None,
            )
            for one in found.channels
        ),
        note=f"written: in the smaller network. It keeps {kept:,} of the removed channels as zeros, because engines "
        "compute in blocks of channels: --set shrink.round_to=4 or 1 keeps fewer, and may be faster or slower."
        if kept
        else "written: in the smaller network.",
    )


def layers(one: ChannelsLeft) -> str:
    """Return the layers that make some channels, the first of them by name."""
    more = len(one.layers) - NAMED
    return ", ".join(one.layers[:NAMED]) + (f" and {more} more" if more > 0 else "")
