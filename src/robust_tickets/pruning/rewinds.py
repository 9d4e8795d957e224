"""Which weights a ticket restarts from. Settings only: the training loop does it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.foundation.settings import Settings


class Pretrained(Settings):
    """Back to the source: weights, buffers and head as they were loaded (arXiv 2012.06908)."""

    kind: Literal["pretrained"] = "pretrained"


class AtStep(Settings):
    """Back to an early point of the draw's own first training (Frankle et al., 2020, arXiv 1912.05671)."""

    kind: Literal["step"] = "step"
    steps: int | None = Field(default=None, ge=0, description="Training steps done at the rewind point.")
    epochs: float | None = Field(default=None, ge=0.0, description="The same in epochs; fractions allowed.")

    @model_validator(mode="after")
    def _is_one_of_two(self) -> "AtStep":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("rewind 'step' takes one of steps and epochs")
        return self


class NoRewind(Settings):
    """Go on with the weights as they are; optimiser and schedule still start afresh with each round."""

    kind: Literal["none"] = "none"


class Reinitialised(Settings):
    """Fresh random weights under the ticket's masks: a control that says what the masks alone are worth."""

    kind: Literal["reinitialised"] = "reinitialised"


AnyRewind = Annotated[Pretrained | AtStep | NoRewind | Reinitialised, Field(discriminator="kind"), Shorthand]
