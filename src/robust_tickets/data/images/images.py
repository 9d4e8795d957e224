"""Where the images of a data set come from: what files, arrays and a user's data set have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import default_collate

from robust_tickets.data.augmentation import Augmenting, FlipCrop
from robust_tickets.data.fitting import Wanted
from robust_tickets.data.images.fit import ImageFit, resize
from robust_tickets.data.inputs import Inputs
from robust_tickets.foundation.errors import UserError

if TYPE_CHECKING:
    from robust_tickets.data.examples import Listing
    from robust_tickets.data.names import PartName
    from robust_tickets.data.settings import DataSettings
    from robust_tickets.data.targets.targets import Targets

Geometry = tuple[tuple[int, int], int]
"""(height, width) in pixels, and channels, 1 or 3."""


class Held(Protocol):
    """Images that are held in memory, at their own resolution."""

    def floats(self, indices: Tensor) -> Tensor:
        """Return float images `(n, C, h, w)` in [0, 1]."""
        ...


class Images(Inputs):
    """The images that some part of a data set was found to have, by index."""

    noun: ClassVar[str] = "images"
    one: ClassVar[str] = "image"
    lacks: ClassVar[frozenset[str]] = frozenset({"text-inputs"})

    resized_whole: ClassVar[bool] = False
    """Whether images are resized whole, so that no centre is cut out of them."""

    have_originals: ClassVar[bool] = True
    """Whether an image can be had at a higher resolution than the one that is held in memory."""

    probed: ClassVar[bool] = False
    """Whether only some images are looked at before training, because there is no other way than to load them."""

    @abstractmethod
    def original(self, index: int, *stream: str | int) -> Image.Image | Tensor:
        """Return one image as it is, upright: PIL, or float `(C, H, W)` in [0, 1].

        Args:
            index: which.
            stream: what random transforms draw from, if the source has any.

        Raises:
            UserError: it cannot be read.
        """

    @abstractmethod
    def geometries(self, indices: Tensor) -> Sequence[tuple[str, Geometry]]:
        """Return where images lie and their geometry, of all or, where `probed`, of some. Damaged ones are left out.

        Raises:
            UserError: none of them can be read.
        """

    @abstractmethod
    def held(self, indices: Tensor, fit: ImageFit, keep: bool) -> Held | None:
        """Return the images from memory, where they are or come to be held there; else None.

        Args:
            indices: those that will be asked for.
            fit: the network's input geometry.
            keep: whether images that are decoded may be kept.
        """

    def channels(self, indices: Tensor) -> list[int]:
        """Return the channels, 1 or 3, that each image has before it is converted; where `probed`, of some."""
        return [channels for _, (_, channels) in self.geometries(indices)]

    def suited(self, indices: Tensor) -> Augmenting:
        """Return what training should do to such images where nobody said."""
        # Grey images are mostly digits and letters, which must not be mirrored.
        return FlipCrop(flip=3 in self.channels(indices))

    @classmethod
    def fitting(
        cls, parts: Mapping[PartName, Listing], targets: type[Targets], settings: DataSettings, asked: Wanted, name: str
    ) -> ImageFit:
        """Return the size and channels that are asked for, or those that the images share.

        Raises:
            UserError: the network takes something else, or the images differ in size and none was asked for.
        """
        if asked.noun != cls.noun:
            raise UserError(f"{name}: contains images, but the network takes {asked.noun}; give one for images")
        found = [part.inputs for part in parts.values()]
        size, channels = shared_geometry(
            [(one, part.indices) for one, part in zip(found, parts.values(), strict=True) if isinstance(one, Images)],
            targets.wanted_size(settings, asked.size),
            settings.channels or asked.channels,
        )
        return targets.fit(size, channels, asked.interpolation, asked.crop_fraction)

    def bytes_each(self, fit: ImageFit) -> int:
        """Return the bytes of a decoded image at the network's size."""
        channels, height, width = fit.shape
        return channels * height * width

    def single(self, index: int, held: Held | None, fit: ImageFit) -> Tensor:
        """Return a float image `(C, H, W)` in [0, 1]."""
        return self.pixels(torch.tensor([index]), held, fit)[0]

    def batch(
        self, indices: Tensor, held: Held | None, fit: ImageFit, augmentation: Augmenting, draws: Tensor
    ) -> Tensor:
        """Return float images `(n, C, H, W)` in [0, 1]."""
        images = augmentation.apply(self.pixels(indices, held, fit, own=True), draws, fit.size)
        return resize(images, fit.size, fit.interpolation)

    def pixels(self, indices: Tensor, held: Held | None, fit: ImageFit, own: bool = False) -> Tensor:
        """Return float images `(n, C, H, W)` in [0, 1], not augmented; of those in memory, their `own` resolution."""
        if held is None:
            return torch.stack([fit.floats(self.original(index)) for index in indices.tolist()])
        images = held.floats(indices)
        return images if own else resize(images, fit.size, fit.interpolation)

    def in_whole_batches(self, held: Held | None, augmentation: Augmenting) -> bool:
        """Return whether they are in memory, and nothing is gained from the originals."""
        return held is not None and not (augmentation.cuts_originals and self.have_originals)

    def augmented(
        self, index: int, augmentation: Augmenting, draws: Tensor, fit: ImageFit, *stream: str | int
    ) -> Tensor:
        """Return one image `(C, H, W)`, uint8 or float, made of the original."""
        return augmentation.of_original(self.original(index, *stream), draws, fit)

    def collated(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return float images `(n, C, H, W)` in [0, 1] from such floats `(C, H, W)`, uint8, or both."""
        # In a worker this stacks them in memory that it shares with the main process, which spares a copy.
        return default_collate([image if image.is_floating_point() else image.float().div_(255) for image in inputs])

    def shipped_with(self, fit: ImageFit) -> dict[str, Any]:
        """Return the size of the data, which wins over the network's; of images resized whole, no centre is cut out."""
        return {"size": fit.size, **({"crop_fraction": 1.0} if self.resized_whole else {})}

    @classmethod
    def remarks(cls, parts: Sequence[Listing], fit: ImageFit) -> tuple[str, ...]:
        """Return how many images, as they were found, become grey or RGB; nothing if none do."""
        images = [(part.inputs, part.indices) for part in parts if isinstance(part.inputs, Images)]
        found = [of_image for one, indices in images for of_image in one.channels(indices)]
        others = sum(of_image != fit.channels for of_image in found)
        if not others:
            return ()
        probed = any(one.probed for one, _ in images)
        number = f"{'of the images looked at, ' if probed else ''}{others:,} of {len(found):,}"
        if fit.channels == 3:
            return (f"{number} images are grey and become RGB, as in torchvision's ImageFolder",)
        return (f"{number} images are in colour and become grey, as the network takes them",)


def images_of(inputs: Inputs) -> Images:
    """Return inputs whose kind of target only images have."""
    assert isinstance(inputs, Images)
    return inputs


def shared_geometry(
    parts: Sequence[tuple[Images, Tensor]], size: tuple[int, int] | None, channels: int | None
) -> Geometry:
    """Return the size and channels asked for, or else those that the images share.

    Where some images are grey and others in colour they are given out in colour, as torchvision's ImageFolder does.

    Raises:
        UserError: the images differ in size, and none was asked for.
    """
    if size is not None and channels is not None:
        return size, channels
    known = [found for images, indices in parts for found in images.geometries(indices)]
    first, (first_size, _) = known[0]
    for where, (other_size, _) in known:
        if size is None and other_size != first_size:
            raise UserError(
                f"{where}: is {other_size[1]} x {other_size[0]} pixels, but {first} is {first_size[1]} x "
                f"{first_size[0]}; set the data's `size`, for example `size: 224`"
            )
    return size or first_size, channels or max(found[1] for _, found in known)
