"""Which part of a loss landscape is looked at, and how closely."""

from pydantic import Field, model_validator

from robust_tickets.foundation.settings import Settings


class LandscapeSettings(Settings):
    """Which part of a loss landscape is looked at, and how closely."""

    points: int = Field(default=9, ge=3, le=201, description="Grid points along each direction; odd, for a centre.")
    radius: float = Field(
        default=1.0, gt=0.0, description="How far the grid reaches; 1 moves every filter by its own norm."
    )
    seed: int = Field(default=0, description="Seed of the two directions.")
    most: int = Field(default=4, ge=1, description="At most this many networks, the first ones, get a landscape.")

    @model_validator(mode="after")
    def _has_a_centre(self) -> "LandscapeSettings":
        if self.points % 2 == 0:
            raise ValueError(f"points {self.points} has no centre; use {self.points + 1}")
        return self

    @property
    def places(self) -> tuple[float, ...]:
        """Return the places along an axis, from -radius to radius, exactly 0 in the middle."""
        half = self.points // 2
        return tuple(self.radius * step / half for step in range(-half, half + 1))
