"""Which cells the tables show, once for the terminal, Markdown and HTML."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import get_args

from robust_tickets.foundation.samples import told_enough
from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.report.notation import (
    ABSENT,
    beside,
    capitalised,
    headed,
    in_points,
    interval,
    magnitude,
    mean_and_std,
    scores_of,
    shared,
    signed_points,
)
from robust_tickets.report.points import CONTROL_NAMES, Point, points
from robust_tickets.report.sections import Table, Value
from robust_tickets.report.summary import ResultRow, ShrinkRow, TicketKind, VerdictRow

FIGURE = re.compile(r"[+−-]?[\d.]+( ±.*)?$")
"""Text that is a number, with a spread or without."""


@dataclass(frozen=True)
class Column:
    """A heading; `numeric` is aligned right, a `setting` may be given once if every line agrees on it."""

    label: str
    numeric: bool = False
    setting: bool = False


@dataclass(frozen=True)
class Cells:
    """A table before it is decided how to draw it. `caption` and `notes` are sentences to go below it."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    notes: tuple[str, ...] = ()


def accuracy_cells(rows: Iterable[ResultRow], title: str = "{score} on the test data") -> Cells:
    """Return what was measured, one line per setting: mean and standard deviation over its seeds.

    A value that is the same in every line goes into the caption instead of a column.
    """
    order = get_args(TicketKind)
    averaged = points(rows)
    score = scores_of(point.row.score for point in averaged)
    unit = shared(point.row.unit for point in averaged)
    several = len({point.row.score for point in averaged}) > 1
    facets = list(dict.fromkeys(map(_facet, averaged)))
    series = list(dict.fromkeys(point.row.series for point in averaged))
    averaged.sort(
        key=lambda p: (
            facets.index(_facet(p)),
            series.index(p.row.series),
            p.row.ticket != "dense",
            order.index(p.row.ticket),
            p.sparsity,
        )
    )
    columns = (
        Column("target", setting=True),
        Column("data", setting=True),
        Column("objective", setting=True),
        Column("transfer", setting=True),
        Column("training", setting=True),
        Column("source", setting=True),
        Column("ticket"),
        Column("drawing", setting=True),
        Column("group", setting=True),
        Column("timeline", setting=True),
        Column("sparsity (%)", numeric=True),
        *([Column("score")] if several else []),
        Column(headed(score, unit), numeric=True),
        Column(headed(f"robust {score}", unit), numeric=True),
        Column("seeds", numeric=True, setting=True),
    )
    lines = [
        (
            point.row.target,
            point.row.fraction,
            point.row.objective,
            point.row.transfer,
            point.row.training or ABSENT,
            point.row.series,
            CONTROL_NAMES.get(point.row.ticket, point.row.ticket),
            point.row.drawing or ABSENT,
            ABSENT if point.row.ticket == "dense" else point.row.group,
            ABSENT if point.row.ticket == "dense" else point.row.timeline,
            sparsity_percent(point.sparsity),
            *([point.row.score] if several else []),
            *(
                beside(mean_and_std(spread, point.row.unit), point.row.unit, unit)
                for spread in (point.standard, point.robust)
            ),
            str(point.standard.seeds),
        )
        for point in averaged
    ]
    return _without_constants(title.format(score=capitalised(score)), columns, lines)


def verdict_cells(verdicts: Sequence[VerdictRow]) -> Cells:
    """Return the decisions: the difference to dense with its interval, and the papers' rule."""
    unit = shared(row.unit for row in verdicts)
    columns = (
        Column("verdict"),
        Column("sparsity (%)", numeric=True),
        # One column, before the settings, so that a phone shows it without scrolling.
        Column(in_points("difference, interval", unit), numeric=True),
        Column("drawing", setting=True),
        Column("group", setting=True),
        Column("source", setting=True),
        Column("transfer", setting=True),
        Column("training", setting=True),
        Column("measure", setting=True),
        Column("objective", setting=True),
        Column("target", setting=True),
        Column("data", setting=True),
        Column(in_points("margin", unit), numeric=True, setting=True),
        Column("seeds", numeric=True, setting=True),
        Column("test examples", numeric=True, setting=True),
        Column("would decide"),
        Column("papers' rule"),
    )
    lines = [
        (
            row.verdict,
            sparsity_percent(row.sparsity),
            f"{signed_points(row.difference, row.unit)}{f' ({interval(row)})' if row.low is not None else ''}",
            row.drawing or ABSENT,
            row.group,
            row.series,
            row.transfer,
            row.training or ABSENT,
            f"{row.measure} {row.score}",
            row.objective,
            row.target,
            row.fraction,
            row.unit.number(row.margin),
            str(row.seeds),
            ABSENT if row.examples is None else f"{row.examples:,}",
            told_enough(row.seeds_needed, row.examples_needed, row.noun) or ABSENT,
            {True: "met", False: "not met", None: ABSENT}[row.papers_rule],
        )
        for row in verdicts
    ]
    return _without_constants("Does the ticket match dense?", columns, lines)


def shrink_cells(shrink: Sequence[ShrinkRow]) -> Cells:
    """Return what was exported: metric, verdict, size and latency; notes go below the table."""
    score, unit = scores_of(row.score for row in shrink), shared(row.unit for row in shrink)
    columns = (
        Column("network"),
        Column("sparsity (%)", numeric=True),
        Column(headed(score, unit), numeric=True),
        Column("verdict"),
        Column("file", numeric=True),
        Column("smaller", numeric=True),
        Column("latency (ms)", numeric=True),
        Column("speed against dense", numeric=True),
        Column("parameters not zero", numeric=True),
        Column("multiply-adds", numeric=True),
        Column("largest difference", numeric=True),
    )
    lines = [
        (
            row.name,
            sparsity_percent(row.sparsity),
            ABSENT if row.accuracy is None else beside(row.unit.number(row.accuracy), row.unit, unit),
            row.verdict or ABSENT,
            magnitude(row.bytes, "B"),
            ABSENT if row.size_ratio is None else f"{row.size_ratio:.2f} ×",
            "not measured" if row.latency_ms is None else f"{row.latency_ms:.3g}",
            ABSENT if row.ratio is None else f"{row.ratio:.2f} ×",
            magnitude(row.nonzero),
            ABSENT if row.macs is None else magnitude(row.macs),
            ABSENT if row.max_difference is None else f"{row.max_difference:.2g}",
        )
        for row in shrink
    ]
    captions = []
    if any(row.accuracy is not None for row in shrink):
        captions.append(
            f"{capitalised(score)}: mean over seeds on test data; a file contains the run that is best on validation."
        )
    if any(row.max_difference is not None for row in shrink):
        captions.append(
            "Largest difference: between the logits of the exported and the masked network, on the same "
            f"{shrink[0].noun}."
        )
    notes = tuple(f"{row.name}: {row.note}" for row in shrink if row.note)
    stays = [bool({line[index] for line in lines} - {ABSENT}) for index in range(len(columns))]
    return Cells(
        f"{f'{capitalised(score)}, size' if stays[2] else 'Size'} and speed of the exported networks",
        tuple(compress(columns, stays)),
        tuple(tuple(compress(line, stays)) for line in lines),
        " ".join(captions),
        notes,
    )


def table_cells(table: Table) -> Cells:
    """Return a section's table; columns with only numbers are aligned right."""

    def is_numeric(index: int) -> bool:
        values = [row[index] for row in table.rows if row[index] is not None]
        return bool(values) and not any(isinstance(value, str) and not FIGURE.match(value) for value in values)

    columns = tuple(Column(label, numeric=is_numeric(index)) for index, label in enumerate(table.columns))
    rows = tuple(tuple(map(_value, row)) for row in table.rows)
    return Cells(table.title, columns, rows, table.note)


def _value(value: Value) -> str:
    """Write a value: text as it is, whole numbers whole, others to four digits."""
    if value is None:
        return ABSENT
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _facet(point: Point) -> tuple[str, ...]:
    return (point.row.target, point.row.fraction, point.row.objective, point.row.transfer, point.row.training)


def _without_constants(title: str, columns: Sequence[Column], lines: Sequence[tuple[str, ...]]) -> Cells:
    """Move settings that are the same in every line into the caption, and drop empty columns."""
    values = [{line[index] for line in lines} - {ABSENT} for index in range(len(columns))]
    told_once = [column.setting and len(cells) == 1 for column, cells in zip(columns, values, strict=True)]
    stays = [bool(cells) and not once for cells, once in zip(values, told_once, strict=True)]
    same = [
        f"{column.label} {next(iter(cells))}"
        for column, cells, once in zip(columns, values, told_once, strict=True)
        if once
    ]
    return Cells(
        title,
        tuple(compress(columns, stays)),
        tuple(tuple(compress(line, stays)) for line in lines),
        f"{'The same in every line' if len(lines) > 1 else 'Settings'}: {', '.join(same)}." if same else "",
    )
