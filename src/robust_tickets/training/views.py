"""Several views of each image, as an objective asks for them, in the place of the data's augmentation."""

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from robust_tickets.data.augmentation import Augmenting
from robust_tickets.data.images.fit import ImageFit, convert_channels
from robust_tickets.data.images.user import sample_stream
from robust_tickets.objectives.views import Transform, Views

STREAMS = 2**24
"""How many streams a random number in [0, 1) tells apart: as many as fp32 has digits for."""


class ViewsOfImage(Augmenting):
    """Every image becomes its views, each from a stream of its own: [N, views, C, H, W].

    They are cut out of originals, which are larger than the network's input.
    """

    uniforms: ClassVar[int] = 1
    cuts_originals: ClassVar[bool] = True
    takes_long: ClassVar[bool] = True
    views: Views
    size: tuple[int, int]
    """Height and width of a view, pixels."""

    @cached_property
    def transforms(self) -> Sequence[Transform]:
        """What makes each view."""
        return self.views.transforms(self.size)

    def apply(self, images: Tensor, draws: Tensor, size: tuple[int, int]) -> Tensor:
        """Return the views, float [N, V, C, H, W] in [0, 1], of float images [N, C, h, w]."""
        pairs = zip(images, draws, strict=True)
        return torch.stack([self.of(as_pil(image), draw) for image, draw in pairs])

    def of_original(self, image: Image.Image | Tensor, draws: Tensor, fit: ImageFit) -> Tensor:
        """Return the views, float [V, C, H, W] in [0, 1], of an original."""
        if torch.is_tensor(image):
            return self.of(as_pil(convert_channels(image, fit.channels)), draws[0])
        mode = "L" if fit.channels == 1 else "RGB"
        return self.of(image if image.mode == mode else image.convert(mode), draws[0])

    def of(self, image: Image.Image, draw: Tensor) -> Tensor:
        """Return the views of an image, float [V, C, H, W], from the stream that a random number [1] names."""
        with sample_stream(int(draw[0] * STREAMS), "views"):
            return torch.stack([transform(image) for transform in self.transforms])


def as_pil(image: Tensor) -> Image.Image:
    """Return a float image [C, h, w] in [0, 1] as PIL knows it, rounded to 256 levels."""
    levels = np.asarray(image.mul(255).round().to(torch.uint8))
    return Image.fromarray(levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0))
