"""Images that are stored encoded: in files of a folder, or whatever else holds such files."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from PIL import Image
from torch import Tensor

from robust_tickets.data.augmentation import Augmenting, RandomResizedCrop
from robust_tickets.data.images.encoded import Codec, Encoded, Files, Kept
from robust_tickets.data.images.fit import ImageFit
from robust_tickets.data.images.image_files import decoded_image, glance, mode_channels
from robust_tickets.data.images.images import Geometry, Images
from robust_tickets.data.inputs import Fault
from robust_tickets.data.targets.targets import Targets
from robust_tickets.foundation.errors import UserError

SMALL = 64
"""Images up to this side are cropped and flipped in training; larger ones are photographs."""


class ImageFacts(NamedTuple):
    """One image file.

    Attributes:
        digest: hexadecimal SHA-256 of the file's bytes.
        height: of the upright image, pixels.
        width: of the upright image, pixels.
        channels: 1 for grey images, 3 for any in colour.
        decoded: whether all of it was decoded, and not the header alone.
    """

    digest: str
    height: int
    width: int
    channels: int
    decoded: bool = True


class ImageCodec(Codec[Image.Image, ImageFacts]):
    """Files that PIL reads as images."""

    memory: ClassVar[str] = "image files"

    def decode(self, content: bytes, where: str) -> Image.Image:
        """Return the upright image."""
        return decoded_image(content, where)

    def described(self, digest: str, content: Image.Image) -> ImageFacts:
        """Return the facts of a decoded image."""
        return ImageFacts(digest, content.height, content.width, mode_channels(content.mode))

    def glanced(self, digest: str, content: bytes, where: str) -> ImageFacts:
        """Return the facts that the header tells."""
        seen = glance(content, where)
        return ImageFacts(digest, seen.height, seen.width, mode_channels(seen.mode), False)

    def restored(self, values: Sequence[Any]) -> ImageFacts:
        """Return the facts that were remembered."""
        return ImageFacts(*values)


class HeldImages:
    """Decoded images in memory, at the network's size."""

    def __init__(self, kept: Kept[Image.Image]) -> None:
        self.kept = kept

    def floats(self, indices: Tensor) -> Tensor:
        """Return float images `(n, C, H, W)` in [0, 1]; those that are not there yet are decoded."""
        return self.kept.rows(indices).float().div_(255)


class StoredImages(Images):
    """Images that are decoded when asked for, or kept decoded if all that were chosen fit into memory.

    Args:
        files: where they lie.
    """

    def __init__(self, files: Files) -> None:
        self.files = files
        self.encoded = Encoded(files, ImageCodec())

    def __len__(self) -> int:
        return len(self.files)

    def original(self, index: int, *stream: str | int) -> Image.Image:
        """Return the image as it is stored, upright; no random stream changes it."""
        return self.encoded.decode(index)

    def geometries(self, indices: Tensor) -> list[tuple[str, Geometry]]:
        """Return where the images lie and their geometry, by their headers."""
        chosen, found = indices.tolist(), self.encoded.facts(indices)
        known = [
            (self.files.where(index), ((one.height, one.width), one.channels))
            for index, one in zip(chosen, found, strict=True)
            if not isinstance(one, UserError)
        ]
        if not known:
            self.encoded.usable(indices)
        return known

    def channels(self, indices: Tensor) -> list[int]:
        """Return the channels of each image before it is converted."""
        return [facts.channels for facts in self.encoded.usable(indices)]

    def faults(self, indices: Tensor) -> list[Fault | None]:
        """Return what is wrong with images that cannot be decoded."""
        with self.encoded.remembering():
            found = zip(indices.tolist(), self.encoded.facts(indices, decoded=True), strict=True)
        return [(self.files.where(index), str(one)) if isinstance(one, UserError) else None for index, one in found]

    def held(self, indices: Tensor, fit: ImageFit, keep: bool) -> HeldImages | None:
        """Return the images from memory, if they may be kept there."""
        if not keep:
            return None
        kept = self.encoded.kept(fit, fit.shape, fit)
        kept.reserve(indices)
        return HeldImages(kept)

    def prepare(self, indices: Tensor, fit: ImageFit, keep: bool, ahead: bool) -> None:
        """Read every file's bytes and header; where `ahead`, decode those that are kept.

        Raises:
            UserError: one is unreadable.
        """
        held = self.held(indices, fit, keep)
        with self.encoded.remembering():
            if held is not None and ahead:
                self.encoded.fill(held.kept, indices)
            else:
                self.encoded.usable(indices)

    def suited(self, indices: Tensor) -> Augmenting:
        """Return crops of photographs at random; flips and shifts of smaller images."""
        first = self.encoded.usable(indices[:1])[0]
        return RandomResizedCrop() if max(first.height, first.width) > SMALL else super().suited(indices)

    def fingerprint(self, digest: Any, indices: Tensor, fit: ImageFit, targets: Targets) -> None:
        """Take in names, contents and targets of the files."""
        found = zip(indices.tolist(), self.encoded.usable(indices), targets.fingerprints(indices), strict=True)
        for index, facts, word in found:
            digest.update(f"{self.files.names[index]}|{facts.digest}|{word}\n".encode())
