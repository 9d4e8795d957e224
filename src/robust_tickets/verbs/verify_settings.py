"""What counts as matching, and what is measured."""

from typing import Literal

from pydantic import Field, field_validator

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
        description="Largest loss of accuracy, or of mIoU, still called a match, in [0, 1): 0.01 is one point.",
    )
    level: float = Field(
        default=0.05, gt=0, lt=0.5, description="Largest probability of a wrong decision, in (0, 0.5)."
    )
    robustness: Evaluation | None = Field(
        default=None,
        description="The attack under which robust accuracy is measured and has to match too; absent: none.",
    )
    measures: tuple[AnyMeasure, ...] = Field(
        default=(), description="What else is measured on the test images; nothing is decided on it."
    )

    @field_validator("margin")
    @classmethod
    def _is_a_fraction(cls, margin: float) -> float:
        if margin >= 1:
            raise ValueError(f"is a fraction in [0, 1); write {margin / 100:g} if you meant {margin:g} points")
        return margin

    def require(self) -> None:
        """Refuse measures that this installation cannot take, before anything is trained.

        Raises:
            UserError: names what is missing.
        """
        for asked in (*((self.robustness,) if self.robustness is not None else ()), *self.measures):
            asked.require()
