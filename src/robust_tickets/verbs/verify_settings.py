"""What counts as matching, and what is measured."""

from typing import Literal

from pydantic import Field

from robust_tickets.foundation.settings import Settings
from robust_tickets.measures.evaluation import Evaluation
from robust_tickets.measures.kinds import AnyMeasure

Part = Literal["test", "validation"]
"""Of the data: what is decided on, and what may be chosen on."""


class VerifySettings(Settings):
    """What counts as matching, and what is measured."""

    margin: float = Field(
        default=0.01,
        ge=0,
        description="Largest loss still called a match, in the metric's own unit: for accuracy and mIoU a fraction, "
        "0.01 for one point.",
    )
    level: float = Field(
        default=0.05, gt=0, lt=0.5, description="Largest probability of a wrong decision, in (0, 0.5)."
    )
    robustness: Evaluation | None = Field(
        default=None,
        description="The attack under which robust accuracy is measured and must match too; absent: none.",
    )
    measures: tuple[AnyMeasure, ...] = Field(
        default=(), description="Further measures on the test part; they decide nothing."
    )

    def require(self) -> None:
        """Refuse measures that this installation cannot take, before anything is trained.

        Raises:
            UserError: names what is missing.
        """
        for asked in (*((self.robustness,) if self.robustness is not None else ()), *self.measures):
            asked.require()
