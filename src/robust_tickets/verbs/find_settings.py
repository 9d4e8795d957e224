"""Which sparsities are tried, and what a ticket has to achieve."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from robust_tickets.foundation.settings import Settings, Sparsity

CriterionName = Literal["match", "double-win"]
"""What a ticket has to do."""


class FindSettings(Settings):
    """Which sparsities are tried, and what a ticket has to achieve."""

    criterion: CriterionName = Field(
        default="match",
        description="match: be as good as dense, in accuracy and, if an attack is given, under attack. double-win: the "
        "same after standard and after adversarial transfer (Chen et al., 2022, arXiv 2206.04762).",
    )

    rate: float = Field(default=0.2, gt=0, lt=1, description="The ladder's step: sparsities 1 - (1 - rate)^k.")
    rungs: int = Field(default=18, ge=1, description="Number of rungs of the ladder.")
    sparsities: tuple[Sparsity, ...] | None = Field(
        default=None,
        description="Sparsities to try; absent: those that the ways of drawing state, or, where none does, the ladder.",
    )

    def candidates(self, stated: Iterable[float]) -> tuple[float, ...]:
        """Return the sparsities to try, ascending; the ways of drawing state some."""
        if tried := sorted(set(stated if self.sparsities is None else self.sparsities)):
            return tuple(tried)
        return tuple(1 - (1 - self.rate) ** k for k in range(1, self.rungs + 1))
