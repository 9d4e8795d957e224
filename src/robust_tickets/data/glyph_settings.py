"""How many letters, how large, and how much they vary."""

from pydantic import Field

from robust_tickets.foundation.settings import Settings


class GlyphSettings(Settings):
    """How many letters, how large, and how much they vary."""

    count: int = Field(default=8000, ge=52, description="Training letters; a quarter as many more are the test part.")
    size: int = Field(default=16, ge=8, le=256, description="Height and width, pixels.")
    seed: int = Field(default=0, ge=0, description="Seed of the letters; another seed gives other letters.")
    strength: float = Field(
        default=1.0,
        ge=0,
        le=2,
        description="Strength of the deformation; 1: 15 degrees, shear 0.2, scale and shift 15%.",
    )
    noise: float = Field(
        default=0.1, ge=0, le=1, description="Largest uniform noise either way, part of full contrast."
    )
