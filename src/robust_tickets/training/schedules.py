"""Learning-rate schedules as pure functions of progress, so that a rewound or resumed run needs no state."""

import math
from typing import Annotated, Literal

from pydantic import Field

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.foundation.settings import Settings


class Constant(Settings):
    """The peak rate throughout."""

    kind: Literal["constant"] = "constant"

    def factor(self, progress: float) -> float:
        """Return the multiple of the peak rate at `progress` in [0, 1)."""
        return 1.0


class Cosine(Settings):
    """From the peak to `final` along half a cosine (Loshchilov and Hutter, 2017)."""

    kind: Literal["cosine"] = "cosine"
    final: float = Field(default=0.0, ge=0, le=1, description="Multiple of the peak rate at the end.")

    def factor(self, progress: float) -> float:
        """Return the multiple of the peak rate at `progress` in [0, 1)."""
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * progress))


class StepDecay(Settings):
    """Multiply by `gamma` at each milestone."""

    kind: Literal["step"] = "step"
    milestones: tuple[float, ...] = Field(
        default=(1 / 3, 2 / 3),
        description="Where the rate drops, as fractions of the training, each in (0, 1).",
    )
    gamma: float = Field(default=0.1, gt=0, lt=1, description="Multiple of the rate at each milestone.")

    def factor(self, progress: float) -> float:
        """Return the multiple of the peak rate at `progress` in [0, 1)."""
        return self.gamma ** sum(progress >= milestone for milestone in self.milestones)


class Poly(Settings):
    """To zero along a power of what remains of the training: the custom of segmentation (Chen et al., 2017)."""

    kind: Literal["poly"] = "poly"
    power: float = Field(default=0.9, gt=0, description="Exponent of the remaining part, above 0.")

    def factor(self, progress: float) -> float:
        """Return the multiple of the peak rate at `progress` in [0, 1)."""
        return (1 - progress) ** self.power


Schedule = Annotated[Constant | Cosine | StepDecay | Poly, Field(discriminator="kind"), Shorthand]


def rate_factor(schedule: Constant | Cosine | StepDecay | Poly, warmup_steps: int, step: int, steps: int) -> float:
    """Return the multiple of the peak rate for `step` of `steps` since the last reset.

    The rate climbs linearly over `warmup_steps`, then follows the schedule over what remains.
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    return schedule.factor((step - warmup_steps) / max(1, steps - warmup_steps))
