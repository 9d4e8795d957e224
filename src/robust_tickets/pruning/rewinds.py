"""Which weights a ticket restarts from. Settings only: the training loop, which holds the weights, does it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.kinds import Shorthand


class PretrainedRewind(Settings):
    """Back to the source: weights, buffers and head as they were loaded (Chen et al., 2021, arXiv 2012.06908)."""

    kind: Literal["pretrained"] = "pretrained"


class StepRewind(Settings):
    """Back to an early point of the draw's own first round of training (Frankle et al., 2020, arXiv 1912.05671)."""

    kind: Literal["step"] = "step"
    steps: int | None = Field(None, ge=0, description="Training steps done at the rewind point.")
    epochs: float | None = Field(
        None, ge=0.0, description="The same in epochs; may be fractional. Give one of the two."
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> "StepRewind":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("rewind 'step' takes one of steps and epochs")
        return self


class NoRewind(Settings):
    """Go on with the weights as they are; the optimiser and its schedule still start afresh with each round."""

    kind: Literal["none"] = "none"


class ReinitialisedRewind(Settings):
    """Fresh random weights under the ticket's masks: a control, which says what the masks are worth alone."""

    kind: Literal["reinitialised"] = "reinitialised"


AnyRewind = Annotated[
    PretrainedRewind | StepRewind | NoRewind | ReinitialisedRewind, Field(discriminator="kind"), Shorthand
]
