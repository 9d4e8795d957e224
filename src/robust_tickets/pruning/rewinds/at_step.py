"""Back to an early point of training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from robust_tickets.foundation.lazy import nn
from robust_tickets.pruning.plans import steps_of
from robust_tickets.pruning.rewinds.rewind_point import RewindPoint

if TYPE_CHECKING:
    from torch import Tensor


class AtStep(RewindPoint):
    """Back to an early point of the draw's own first training (Frankle et al., 2020, arXiv 1912.05671)."""

    kind: Literal["step"] = "step"
    steps: int | None = Field(default=None, ge=0, description="Training steps before the rewind point.")
    epochs: float | None = Field(default=None, ge=0.0, description="Epochs before the rewind point; fractions allowed.")

    @model_validator(mode="after")
    def _is_one_of_two(self) -> AtStep:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("rewind 'step' takes either steps or epochs")
        return self

    def kept_step(self, steps_per_epoch: int) -> int | None:
        """Return the step, or the one nearest to the epochs."""
        return self.steps if self.epochs is None else steps_of(self.epochs, steps_per_epoch)

    @property
    def reached(self) -> tuple[float, str]:
        """Return the steps, or the epochs."""
        return (self.steps, "steps") if self.steps is not None else (self.epochs or 0.0, "epochs")

    def describe(self) -> str:
        """Return for example `step 2000` or `epoch 1.5`."""
        return f"step {self.steps}" if self.steps is not None else f"epoch {self.epochs:g}"

    def restore(
        self, body: nn.Module, *, start: Mapping[str, Tensor], kept: Mapping[str, Tensor] | None, seed: int
    ) -> None:
        """Load the state kept at that step."""
        if kept is None:
            raise RuntimeError("rewound before the rewind point was reached")
        body.load_state_dict(kept)
