"""Images as a network's input: the data resize them, the network itself normalises them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from robust_tickets.attacks.perturbable import Perturbable, same
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.foundation.seeds import generator
from robust_tickets.foundation.settings import Ratio
from robust_tickets.models.interface import Interface

if TYPE_CHECKING:
    from torch import Tensor

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def _pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int) else value


Size = Annotated[
    tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]],
    BeforeValidator(_pair, json_schema_input_type=int | tuple[int, int]),
    Field(description="Height and width of the network's input, in pixels; one number means a square."),
]
Mean = Annotated[
    tuple[Ratio, ...],
    Field(min_length=1, description="Mean of each input channel, for images in [0, 1]; `123/255` is accepted."),
]
Std = Annotated[
    tuple[Annotated[Ratio, Field(gt=0)], ...],
    Field(min_length=1, description="Standard deviation of each input channel, for images in [0, 1]."),
]
CropFraction = Annotated[
    float,
    Field(gt=0, le=1, description="Side of the central crop over the resized short side, in (0, 1]."),
]


class Pixels(Interface):
    """What turns an image in [0, 1] into what the network was trained on.

    The data resize the short side to `size / crop_fraction` with `interpolation` and crop the centre;
    `(image - mean) / std` happens inside the network, so that attacks and exports see images in [0, 1].
    """

    noun: ClassVar[str] = "images"
    mean: Mean
    std: Std
    size: Size
    interpolation: Interpolation = Field(default="bilinear", description="How images are resized.")
    crop_fraction: CropFraction = 1.0

    @model_validator(mode="after")
    def _same_channels(self) -> Pixels:
        if len(self.mean) != len(self.std):
            raise ValueError(f"mean has {len(self.mean)} channels and std has {len(self.std)}; they must agree")
        return self

    @property
    def channels(self) -> int:
        """Number of input channels."""
        return len(self.mean)

    def preparation(self) -> nn.Module:
        """Return the normalisation of every channel."""
        from robust_tickets.models.normalisation import Normalisation

        return Normalisation(self)

    def perturbable(self, body: nn.Module, inputs: Any) -> Perturbable:
        """Return the images: every pixel may move, within [0, 1]."""
        return Perturbable(inputs, same)

    def example(self, count: int, *stream: str) -> Tensor:
        """Return images float32 [count, C, H, W]: black, or uniform noise in [0, 1] from a stream."""
        shape = (count, self.channels, *self.size)
        return torch.rand(shape, generator=generator(0, *stream)) if stream else torch.zeros(shape)

    def wanted(self) -> dict[str, Any]:
        """Return size, channels and how images are resized."""
        names = ("size", "channels", "interpolation", "crop_fraction")
        return {name: getattr(self, name) for name in names}

    def describe(self) -> str:
        """Return size, resizing and normalisation."""
        mean, std = (" ".join(f"{value:.4g}" for value in part) for part in (self.mean, self.std))
        height, width = self.size
        return f"{height} x {width} px, {self.interpolation}, crop {self.crop_fraction:.4g}, mean {mean}, std {std}"

    @property
    def shape_words(self) -> str:
        """Channels, height and width."""
        return f"{self.channels} x {self.size[0]} x {self.size[1]}"


def require_pixels(interface: Interface, cannot: str) -> Pixels:
    """Return the interface of a network for images.

    Args:
        interface: what goes in.
        cannot: what the network cannot do without images, as in `NAME cannot find objects`.

    Raises:
        UserError: other things go in.
    """
    if isinstance(interface, Pixels):
        return interface
    raise UserError(f"{cannot}: it takes {interface.noun}, not images")


def identity_preprocessing(channels: int, size: tuple[int, int]) -> Pixels:
    """Return the preprocessing of a network that takes images in [0, 1] as they are."""
    return Pixels(mean=(0.0,) * channels, std=(1.0,) * channels, size=size)
