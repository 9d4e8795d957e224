"""Which sparsities are tried, and what a ticket has to achieve."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from robust_tickets.foundation.settings import Settings, Sparsity

CriterionName = Literal["match", "double-win"]
"""What a ticket has to do."""


RATE, RUNGS = 0.2, 18
"""The ladder that is climbed by default: 20 to 98 %."""


class FindSettings(Settings):
    """Which sparsities are tried, and what a ticket has to achieve."""

    criterion: CriterionName = Field(
        default="match",
        description="match: be as good as dense, in accuracy and, if an attack is given, under attack. double-win: the "
        "same after standard and after adversarial transfer (Chen et al., 2022, arXiv 2206.04762).",
    )

    rate: float = Field(
        default=RATE,
        gt=0,
        lt=1,
        description="The ladder's step: sparsities 1 - (1 - rate)^k. Any but the default one overrides what ways of "
        "drawing state.",
    )
    rungs: int = Field(default=RUNGS, ge=1, description="Number of rungs of the ladder; overrides likewise.")
    sparsities: tuple[Sparsity, ...] | None = Field(
        default=None,
        description="Sparsities to try; absent: of each way of drawing those that it states, or else the ladder.",
    )

    def candidates(self, stated: Iterable[float]) -> tuple[float, ...]:
        """Return the sparsities at which a way of drawing is tried, ascending; it states some itself, or none."""
        stated = stated if (self.rate, self.rungs) == (RATE, RUNGS) else ()
        if asked := set(stated if self.sparsities is None else self.sparsities):
            return tuple(sorted(asked))
        return tuple(1 - (1 - self.rate) ** k for k in range(1, self.rungs + 1))
