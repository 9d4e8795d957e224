"""From which to which sparsity tickets match, and whether anything else would, too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.measures.matching import Conclusion
from robust_tickets.report.points import CONTROL_NAMES
from robust_tickets.report.sections import Section, Table
from robust_tickets.report.summary import TicketKind

Reach = Literal["trivial", "only drawn", "none", "undecided"]
"""What matches at a sparsity."""

TITLE = "Matching ranges"

TEXT = (
    "As Frankle et al. (2020) divide sparsities. Trivial: a control matches dense as well, so that the choice of "
    "weights, or their values, do not matter. Only drawn: the drawn ticket matches, and all of its controls are shown "
    "not to. None: the drawn ticket is shown not to match. Undecided: seeds or examples are too few for one of the "
    "verdicts."
)

WORDS: Mapping[Reach, str] = {
    "trivial": "trivial, controls match too",
    "only drawn": "only drawn tickets match",
    "none": "drawn tickets do not match",
    "undecided": "undecided",
}


@dataclass(frozen=True)
class Rung:
    """One sparsity, with the verdicts on the drawn ticket and on its controls there."""

    sparsity: float
    """In [0, 1)."""
    drawn: Conclusion
    controls: Mapping[TicketKind, Conclusion]
    """Of those that lack the ticket's masks or its weights; at least one."""

    @property
    def reach(self) -> Reach:
        """Return what matches here."""
        found = set(self.controls.values())
        if self.drawn == "does not match":
            return "none"
        if self.drawn == "matches" and "matches" in found:
            return "trivial"
        return "only drawn" if self.drawn == "matches" and found == {"does not match"} else "undecided"


@dataclass(frozen=True)
class Range:
    """Neighbouring sparsities at which the same matches."""

    reach: Reach
    first: float
    """The lowest sparsity."""
    last: float
    """The highest."""

    def told(self) -> str:
        """Write for example `only drawn tickets match from 80 to 13.4 % kept`."""
        first, last = (sparsity_percent(1 - sparsity) for sparsity in (self.first, self.last))
        where = f"at {first} %" if first == last else f"from {first} to {last} %"
        return f"{WORDS[self.reach]} {where} kept"


@dataclass(frozen=True)
class Ladder:
    """Tickets drawn in one way at several sparsities, and their controls, trained alike."""

    name: str
    """Target, transfer and source, as far as there are several."""
    rungs: tuple[Rung, ...]


def ranges_of(rungs: Sequence[Rung]) -> list[Range]:
    """Return the ranges that sparsities fall into, from the lowest sparsity on; neighbours with equal reach are one."""
    found: list[Range] = []
    for rung in sorted(rungs, key=lambda rung: rung.sparsity):
        if found and found[-1].reach == rung.reach:
            found[-1] = Range(rung.reach, found[-1].first, rung.sparsity)
        else:
            found.append(Range(rung.reach, rung.sparsity, rung.sparsity))
    return found


def matching_range_sections(ladders: Sequence[Ladder]) -> list[Section]:
    """Return the ranges of every ladder, in words and as a table; nothing without any."""
    if not ladders:
        return []
    told = (f"{ladder.name}{': ' if ladder.name else ''}{_told(ladder)}" for ladder in ladders)
    tables = tuple(map(_table, ladders))
    return [Section(title=TITLE, text=" ".join((*told, TEXT)), tables=tables, is_verdict=True)]


def _told(ladder: Ladder) -> str:
    text = "; ".join(one.told() for one in ranges_of(ladder.rungs))
    return f"{text[:1].upper()}{text[1:]}."


def _table(ladder: Ladder) -> Table:
    controls: dict[TicketKind, None] = {name: None for rung in ladder.rungs for name in rung.controls}
    rungs = sorted(ladder.rungs, key=lambda rung: rung.sparsity)
    return Table(
        title=f"What matches{f', {ladder.name}' if ladder.name else ''}",
        columns=("weights kept (%)", "drawn", *(CONTROL_NAMES[name] for name in controls), "range"),
        rows=tuple(
            (
                sparsity_percent(1 - rung.sparsity),
                rung.drawn,
                *(rung.controls.get(name) for name in controls),
                WORDS[rung.reach],
            )
            for rung in rungs
        ),
    )
