"""An exported file compared with its network, as a section of a report."""

from pathlib import Path

from robust_tickets.report.notation import signed_points
from robust_tickets.report.sections import Section, Table, Value
from robust_tickets.verbs.exported import Compared, Exported

TEXT = (
    "Attacks that need gradients were crafted on the network and replayed on the file; Square attack, which needs "
    "none, searched on each of the two directly."
)


def exported_section(exported: Exported) -> Section:
    """Return network against file, a line for each figure that tables show."""
    title = f"{Path(exported.path).name} and its network, seed {exported.provenance.seed}"
    table = Table(
        title=title,
        columns=("measure", "figure", "network", "file", "file minus network"),
        rows=tuple(cells(row) for row in exported.rows if row.heading),
    )
    return Section(title=title, text=TEXT if exported.attacked else "", tables=(table,))


def cells(row: Compared) -> tuple[Value, ...]:
    """Return the line of a table; figures whose unit has no decimals are written as plain numbers."""
    unit, difference = row.unit, row.file - row.network
    heading = unit.headed(row.heading)
    if unit.decimals is None:
        return (row.measure, heading, *map(unit.scaled, (row.network, row.file, difference)))
    told = (unit.number(row.network, unit.exact), unit.number(row.file, unit.exact))
    return (row.measure, heading, *told, signed_points(difference, unit, unit.exact))
