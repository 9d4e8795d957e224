"""One claim: a measured ratio beside its target."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from rich.table import Table

from robust_tickets.foundation.settings import Settings


class Row(Settings):
    """A row of `results/bench.json`. One that misses stays in, with the reason."""

    name: str
    ratio: float | None = Field(description="How many times better than the baseline; null: not run.")
    target: float = Field(description="The ratio that is claimed.")
    met: bool
    reason: str = Field(description="Why it missed or was not run; empty if it is met.")
    details: dict[str, Any] = Field(description="Times, their spread, conditions, machine.")

    @classmethod
    def judged(
        cls, name: str, ratio: float, target: float, details: dict[str, Any], reason: str, *failed: str
    ) -> "Row":
        """Return a row that is met if the ratio reaches the target and no further condition `failed`.

        Args:
            name: of the row.
            ratio: as measured.
            target: as claimed.
            details: what the ratio rests on.
            reason: what explains a ratio below the target.
            failed: one sentence for each further condition that does not hold; empty sentences do not count.
        """
        reasons = [sentence for sentence in (reason if ratio < target else "", *failed) if sentence]
        return cls(
            name=name,
            ratio=round(ratio, 3),
            target=target,
            met=not reasons,
            reason="; ".join(reasons),
            details=details,
        )

    @classmethod
    def not_run(cls, name: str, target: float, lacking: str) -> "Row":
        """Return a row for a machine that lacks what it needs."""
        reason = f"not run: {lacking}"
        return cls(name=name, ratio=None, target=target, met=False, reason=reason, details={"summary": reason})

    def told(self) -> str:
        """Return the ratio beside its target, or why there is none."""
        return self.reason if self.ratio is None else f"{self.ratio:.3f} (target {self.target:g})"


def table(rows: Sequence[Row]) -> Table:
    """Return the rows as a table for the terminal."""
    drawn = Table("row", "ratio", "target", "met", "measured")
    for row in rows:
        told = row.details["summary"]
        if row.ratio is None:
            drawn.add_row(row.name, "-", f"{row.target:g}", "-", told)
            continue
        told += "" if row.met else f"; missed: {row.reason}"
        drawn.add_row(row.name, f"{row.ratio:.3g}", f"{row.target:g}", "yes" if row.met else "no", told)
    return drawn
