"""How one picture is restored."""

from pydantic import Field

from robust_tickets.foundation.settings import Ratio, Settings


class RestoreSettings(Settings):
    """How one picture is restored: by which generator, how much of it is kept, and for how long each part trains."""

    network: str = Field(
        default="prior/unet4-x0.5", min_length=1, description="The generator: prior/unet6, prior/decoder5 and the like."
    )
    kept: Ratio = Field(
        default=0.05,
        gt=0,
        le=1,
        description="Share of its parameters that the ticket keeps, in (0, 1]; 1: all, a plain deep image prior.",
    )
    noise: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Standard deviation of the noise in the picture, for values in [0, 1], as far as it is known: "
        "training then stops where as much is left over.",
    )
    lost: str | None = Field(
        default=None, min_length=1, description="An image file of the picture's size whose white pixels are painted in."
    )
    factor: int = Field(default=1, ge=1, le=16, description="By how much the picture is enlarged.")
    reference: str | None = Field(
        default=None, min_length=1, description="An image file of the clean picture, to say how close the result is."
    )
    mask_side: int = Field(
        default=64, ge=16, description="Side of the piece of the picture on which the ticket is drawn, pixels."
    )
    mask_steps: int = Field(default=500, ge=1, description="Steps in which the ticket is drawn.")
    steps: int = Field(default=500, ge=1, description="Steps in which the ticket learns each tile.")
    tile: int = Field(default=256, ge=32, description="Largest side of a tile, pixels; larger pictures have several.")
    overlap: int = Field(
        default=16, ge=0, description="Pixels by which neighbouring tiles overlap, over which they are blended."
    )
