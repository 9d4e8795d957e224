"""Label images: every pixel of an image has its own label."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from robust_tickets.data.augmentation import Augmenting, ScaleCrop
from robust_tickets.data.examples import Examples, Found, Listing
from robust_tickets.data.images.encoded import Codec, Encoded, Files, Kept
from robust_tickets.data.images.fit import ImageFit, Interpolation, Letterbox
from robust_tickets.data.images.image_files import glance
from robust_tickets.data.images.images import images_of
from robust_tickets.data.inputs import Fault, Inputs
from robust_tickets.data.names import PartName
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.targets.label_values import (
    IGNORED,
    VOID,
    LabelValues,
    decoded_label,
    named_values,
    require_numbers,
    values_present,
)
from robust_tickets.data.targets.targets import Parts, Targets, zeros
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError

EVALUATED_AT_ONCE = 2**20
"""Pixels in a batch of evaluation: the logits of all of them are in memory at once."""


class LabelFacts(NamedTuple):
    """One label image.

    Attributes:
        digest: hexadecimal SHA-256 of the file's bytes.
        height: pixels.
        width: pixels.
        values: those that some pixel has, ascending; None if the header alone was read.
    """

    digest: str
    height: int
    width: int
    values: tuple[int, ...] | None

    @property
    def decoded(self) -> bool:
        """Whether all of it was decoded."""
        return self.values is not None


class LabelCodec(Codec[Tensor, LabelFacts]):
    """Label images: 8-bit grey or palette."""

    memory: ClassVar[str] = "label images"

    def decode(self, content: bytes, where: str) -> Tensor:
        """Return the values, uint8 `(H, W)`."""
        return decoded_label(content, where)

    def described(self, digest: str, content: Tensor) -> LabelFacts:
        """Return the facts of a decoded label image."""
        present = torch.bincount(content.flatten().long(), minlength=256).nonzero().flatten()
        return LabelFacts(digest, content.shape[0], content.shape[1], tuple(present.tolist()))

    def glanced(self, digest: str, content: bytes, where: str) -> LabelFacts:
        """Return the facts that the header tells."""
        seen = glance(content, where)
        require_numbers(seen.mode, where)
        return LabelFacts(digest, seen.height, seen.width, None)

    def restored(self, values: Sequence[Any]) -> LabelFacts:
        """Return the facts that were remembered."""
        digest, height, width, present = values
        return LabelFacts(digest, height, width, None if present is None else tuple(present))


class LabelImages(Targets):
    """A class number for every pixel of an image.

    Args:
        encoded: the label image of each image.
        values: what their values mean; None before `understood`.
    """

    kind: ClassVar[str] = "pixels"
    words: ClassVar[str] = "labels pixels"
    noun: ClassVar[str] = "label images"
    provides: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, encoded: Encoded[Tensor, LabelFacts], values: LabelValues | None = None) -> None:
        self.encoded = encoded
        self._values = values

    @classmethod
    def of(cls, files: Files) -> "LabelImages":
        """Return targets whose values nobody has given a meaning yet."""
        return cls(Encoded(files, LabelCodec()))

    @property
    def values(self) -> LabelValues:
        """What the values of the label images mean."""
        assert self._values is not None, "understood() says what they mean"
        return self._values

    @property
    def balance(self) -> Tensor:
        """Zeros: a scene has no class."""
        return zeros(len(self.encoded.files))

    def single(self, index: int, fit: ImageFit, keep: bool) -> Tensor:
        """Return class numbers, int64 `(H, W)`; -100 where they count for nothing."""
        return self.fitted(torch.tensor([index]), fit, keep)[0]

    def collated(self, targets: Sequence[Any]) -> Tensor:
        """Return class numbers, int64 `(n, H, W)`."""
        return torch.stack(list(targets))

    def fitted(self, indices: Tensor, fit: ImageFit, keep: bool) -> Tensor:
        """Return class numbers, int64 `(n, H, W)`; -100 where they count for nothing and beside the image.

        Raises:
            UserError: a label image is unreadable, or has a value that means nothing.
        """
        if keep:
            found = self.kept(fit).rows(indices)
        else:
            found = torch.stack([placed(self.encoded.decode(index), fit) for index in indices.tolist()])
        numbers = self.values.table[found.long()]
        for number in (numbers == -1).flatten(1).any(1).nonzero().flatten().tolist():
            self.require_meaning(int(indices[number]))
        return numbers

    def kept(self, fit: ImageFit) -> Kept[Tensor]:
        """Return the place in memory for label images at one geometry."""
        return self.encoded.kept(fit, fit.size, lambda label: placed(label, fit))

    def require_meaning(self, index: int) -> None:
        """Refuse a label image with a value that means nothing.

        Raises:
            UserError: says where the first is.
        """
        self.values.require(self.encoded.decode(index), self.encoded.files.where(index))

    def require_meanings(self, indices: Tensor) -> None:
        """Refuse values that mean nothing, as far as they are known.

        Raises:
            UserError: says where the first is.
        """
        meaningful = {value for value in range(256) if self.values.table[value] != -1}
        for index, facts in zip(indices.tolist(), self.encoded.usable(indices), strict=True):
            if facts.values is not None and not meaningful.issuperset(facts.values):
                self.require_meaning(index)

    def moved(self, targets: Any, augmentation: Augmenting, draws: Tensor, size: tuple[int, int]) -> Any:
        """Return class numbers moved as their images were, sampled at the nearest pixel; -100 beyond the border."""
        if (matrices := augmentation.matrices(draws)) is None:
            return targets
        grid = F.affine_grid(matrices, [len(draws), 1, *size], align_corners=False)
        # Beyond the border the sampler gives 0, which is why classes are counted from 1 here.
        numbers = torch.where(targets == IGNORED, 0, targets + 1).float()[:, None]
        moved = F.grid_sample(numbers, grid, mode="nearest", align_corners=False)[:, 0].long() - 1
        return torch.where(moved < 0, IGNORED, moved)

    def fingerprints(self, indices: Tensor) -> list[str]:
        """Return names and contents of the label images."""
        names = self.encoded.files.names
        found = zip(indices.tolist(), self.encoded.usable(indices), strict=True)
        return [f"{names[index]}|{facts.digest}" for index, facts in found]

    def meaning(self) -> str:
        """Return which values are classes and which are ignored."""
        return f"{self.values.classes}{self.values.ignore}"

    def bytes_each(self, fit: ImageFit) -> int:
        """Return a byte a pixel."""
        return fit.size[0] * fit.size[1]

    def evaluated_at_once(self, fit: ImageFit) -> int:
        """Return how many images have `EVALUATED_AT_ONCE` pixels."""
        return max(1, EVALUATED_AT_ONCE // (fit.size[0] * fit.size[1]))

    def faults(self, indices: Tensor, inputs: Inputs) -> list[Fault | None]:
        """Return what is wrong with label images that cannot be decoded."""
        where = self.encoded.files.where
        with self.encoded.remembering():
            found = zip(indices.tolist(), self.encoded.facts(indices, decoded=True), strict=True)
        return [(where(index), str(one)) if isinstance(one, UserError) else None for index, one in found]

    def prepare(self, part: Examples, ahead: bool) -> None:
        """Read every file's bytes and header; where `ahead`, decode those that are kept.

        Raises:
            UserError: a file is unreadable, or has not the size of its image.
        """
        with self.encoded.remembering():
            if ahead and part.keep:
                self.encoded.fill(self.kept(part.fit), part.indices)
            facts = self.encoded.usable(part.indices)
        sizes = images_of(part.inputs).geometries(part.indices)
        for index, label, (_, (size, _)) in zip(part.indices.tolist(), facts, sizes, strict=True):
            if (label.height, label.width) != size:
                raise UserError(
                    f"{self.encoded.files.where(index)}: is {label.width} x {label.height} pixels, but its "
                    f"image is {size[1]} x {size[0]}; they must have the same size"
                )

    @classmethod
    def complaint(cls, settings: DataSettings, inputs: str) -> str | None:
        """Return what is wrong with `per_class`: a scene has no class."""
        whole = settings.per_class is None
        return None if whole else "its images have no class that per_class could count; use fraction"

    @classmethod
    def understood(cls, found: Found, settings: DataSettings, parts: Parts) -> tuple[tuple[str, ...], Parts]:
        """Return what values and classes mean: by the names that the set has, or by what its training part holds.

        Raises:
            UserError: there are fewer than two classes, or a label image has a value that means nothing.
        """
        if found.classes:
            values = named_values(found.classes, settings.ignore)
            classes = tuple(found.classes[value] for value in values.classes)
        else:
            train = found.parts.get("train") or next(iter(found.parts.values()))
            encoded = cls.among(train).encoded
            with encoded.remembering():
                present = [one.values or () for one in encoded.usable(train.indices, decoded=True)]
            values = values_present(present, settings.ignore, str(encoded.files.root))
            classes = tuple(map(str, values.classes))
        meant: dict[PartName, Examples] = {}
        for name, part in parts.items():
            targets = cls(cls.among(part.listing).encoded, values)
            targets.require_meanings(part.indices)
            meant[name] = Examples(replace(part.listing, targets=targets), part.fit, part.keep)
        return classes, meant

    @classmethod
    def among(cls, listing: Listing) -> "LabelImages":
        """Return the targets of a set whose targets are such."""
        assert isinstance(listing.targets, cls)
        return listing.targets

    @classmethod
    def fit(cls, size: tuple[int, int], channels: int, interpolation: Interpolation, crop_fraction: float) -> Letterbox:
        """Return what keeps all of an image: a network that labels pixels takes any size."""
        return Letterbox(size, channels, interpolation)

    @classmethod
    def suited(cls, found: Found, train: Listing) -> Augmenting:
        """Return the usual choice for scenes."""
        return ScaleCrop()

    @classmethod
    def remarks(cls, classes: tuple[str, ...], parts: Parts) -> tuple[str, ...]:
        """Return what a reader has to know about labels and sizes, one sentence each."""
        train, test = parts["train"], parts["test"]
        targets = cls.among(train.listing)
        values = targets.values
        said = [] if values.named else ["classes are the label values of the training part"]
        held = [facts.values for facts in targets.encoded.usable(train.indices)]
        if values.named and None not in held:
            present = {value for one in held for value in one or ()}
            names = zip(values.classes, classes, strict=True)
            if absent := [name for value, name in names if value not in present]:
                said.append(f"no training image has a pixel of {enumerated(absent)}")
        if values.ignore:
            said.append(f"the label values {', '.join(map(str, values.ignore))} are not counted, like 255")
        size = test.fit.size
        if any(own != size for _, (own, _) in images_of(test.inputs).geometries(test.indices)):
            said.append(f"images are scaled to fit into {size[0]} x {size[1]} pixels; the rest is void")
        return tuple(said)


def placed(label: Tensor, fit: ImageFit) -> Tensor:
    """Return label values, uint8 `(H, W)`, scaled as their image is; what they do not fill is void (255)."""
    if tuple(label.shape) == fit.size:
        return label
    return torch.from_numpy(np.array(fit.placed(Image.fromarray(label.numpy()), Image.Resampling.NEAREST, VOID)))
