"""What the attacker may do: the ball around each image, and the search for the worst point in it."""

from typing import Literal, Self

from pydantic import Field, model_validator

from robust_tickets.foundation.settings import Ratio, Settings


class Ball(Settings):
    """The set of allowed perturbations: all of at most `epsilon` in `norm`, over the whole image.

    Epsilon is measured on the network's input tensor, whose values are in [0, 1].
    """

    norm: Literal["linf", "l2"] = Field(default="linf", description="Norm that measures a perturbation.")
    epsilon: Ratio = Field(default=8 / 255, gt=0, description="Radius on inputs in [0, 1]; may be written 8/255.")

    @model_validator(mode="after")
    def _in_units_of_the_box(self) -> Self:
        if self.norm == "linf" and self.epsilon > 1:
            raise ValueError(
                f"epsilon is in [0,1] units, so an L-inf epsilon of {self.epsilon:g} allows any image; "
                f"write {self.epsilon:g}/255 if you meant pixel levels"
            )
        return self

    @property
    def ball_name(self) -> str:
        """For example `L-inf 8/255` or `L2 3`."""
        levels = self.epsilon * 255
        if self.norm == "linf" and abs(levels - round(levels)) < 1e-6:
            return f"L-inf {round(levels)}/255"
        return f"{'L-inf' if self.norm == 'linf' else 'L2'} {self.epsilon:g}"


class Threat(Ball):
    """Projected gradient descent in a ball (Madry et al. 2018)."""

    steps: int = Field(default=10, ge=1, description="Gradient steps.")
    step_size: Ratio | None = Field(
        default=None, gt=0, description="Length of a step in the norm; null means 2.5 * epsilon / steps."
    )
    random_start: bool = Field(
        default=True, description="Start at a uniformly drawn point of the ball, not at the image."
    )
    restarts: int = Field(default=1, ge=1, description="Independent searches; each image keeps its worst point.")

    @model_validator(mode="after")
    def _restarts_differ(self) -> Self:
        if self.restarts > 1 and not self.random_start:
            raise ValueError("restarts without random_start repeat the same search; set random_start: true")
        return self

    @property
    def step_length(self) -> float:
        """Length of one step in the norm (Madry's 2.5 * epsilon / steps unless given)."""
        return 2.5 * self.epsilon / self.steps if self.step_size is None else self.step_size

    def describe(self) -> str:
        """Return for example `PGD-20 in L-inf 8/255, 5 restarts`."""
        restarts = f", {self.restarts} restarts" if self.restarts > 1 else ""
        return f"PGD-{self.steps} in {self.ball_name}{restarts}"
