"""How far apart trained networks are, on the weights that their tickets share."""

from robust_tickets.findings.tickets import square
from robust_tickets.report.notation import ABSENT
from robust_tickets.report.sections import Section, Table
from robust_tickets.verbs.angles import Angles, Distances

TEXT = (
    "Angular distance of two trained networks: 2 angle / pi between their prunable weights, over those that both "
    "tickets keep (Maene et al., 2021). 0: the same direction; 1: orthogonal, as unrelated solutions nearly are. "
    "Between two transfers: the mean over the seeds that both have; of a transfer with itself: the mean over pairs of "
    "its seeds. ± is one standard deviation."
)


def angles_section(found: Angles) -> Section:
    """Return the matrix of angular distances, as a table and a map."""
    numbers = {name: str(number) for number, name in enumerate(found.names, 1)}
    rows = tuple(
        (f"{name} ({numbers[name]})", *(_told(distances(found, name, other)) for other in found.names))
        for name in found.names
    )
    note = f"{found.left_out} more transfers are left out; analyse.angles shows more." if found.left_out else ""
    table = Table(title="Angular distance", columns=("transfer", *numbers.values()), rows=rows, note=note)
    drawn = related(found)
    values = {pair: one.mean or 0.0 for pair, one in found.pairs.items() if pair[0] in drawn and pair[1] in drawn}
    title = "Angular distance of trained networks"
    maps = (square(title, drawn, values, "2 angle / pi; 1 is orthogonal"),) if len(drawn) > 2 else ()
    return Section(title="Angles between trained networks", text=TEXT, tables=(table,), maps=maps)


def distances(found: Angles, name: str, other: str) -> Distances:
    """Return the distances of a pair, in whichever order it is kept."""
    return found.pairs[(name, other) if (name, other) in found.pairs else (other, name)]


def related(found: Angles) -> tuple[str, ...]:
    """Return the transfers that share weights with all before them: others have no angle, and no place on a map."""
    kept: list[str] = []
    for name in found.names:
        if all(distances(found, name, other).values for other in kept):
            kept.append(name)
    return tuple(kept)


def _told(one: Distances) -> str:
    """Write `0.42 ± 0.03`."""
    if one.mean is None:
        return ABSENT
    return f"{one.mean:.2f}" + (f" ± {one.spread:.2f}" if one.spread is not None else "")
