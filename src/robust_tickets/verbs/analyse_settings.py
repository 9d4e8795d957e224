"""Which analyses of tickets and transfers are made, and on which images."""

from pydantic import Field

from robust_tickets.analysis.barrier_settings import BarrierSettings
from robust_tickets.analysis.interpolation_settings import InterpolationSettings
from robust_tickets.analysis.landscape_settings import LandscapeSettings
from robust_tickets.foundation.settings import Settings, later_field
from robust_tickets.verbs.verify_settings import Part


class AnalyseSettings(Settings):
    """What is analysed, and on which images."""

    tickets: int = Field(default=12, ge=1, description="At most this many tickets, the first ones, are compared.")
    part: Part = Field(default="test", description="Part on which losses are computed: test or validation.")
    images: int = Field(default=256, ge=1, description="At most this many examples, balanced over classes.")
    landscape: LandscapeSettings | None = Field(
        default=LandscapeSettings(), description="The loss around transferred networks; null: skip it."
    )
    interpolation: InterpolationSettings | None = Field(
        default=InterpolationSettings(), description="The line between two transfers of one ticket; null: skip it."
    )
    angles: int = later_field(
        8,
        ge=0,
        description="At most this many transfers, drawn tickets and dense first, are compared by the angles between "
        "their networks; 0: skip it.",
    )
    instability: BarrierSettings | None = later_field(
        None,
        description="Which tickets, and dense, are stable to training noise, by where in training they start; `{}`: "
        "between all seeds of every transfer with head: keep; null: skip it.",
    )
    rounds: BarrierSettings | None = later_field(
        None,
        description="What lies between the networks of successive tickets of one draw, such as the rounds of iterative "
        "pruning; `{}`: barriers and angles, seed by seed; null: skip it.",
    )
