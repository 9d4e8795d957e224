"""Boxes: an image has any number of objects, each with a box around it and a class."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from robust_tickets.data.augmentation import Augmenting, ScaleCropColour
from robust_tickets.data.examples import Examples, Found, Listing
from robust_tickets.data.images.fit import ImageFit, Interpolation, Letterbox
from robust_tickets.data.images.images import Images, images_of
from robust_tickets.data.inputs import Fault, Inputs
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.targets.targets import Parts, Targets, zeros
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError

EVALUATED_AT_ONCE = 2**20
"""Pixels in a batch of evaluation: a detector's pyramid of all of them is in memory at once."""

HUGE = 2**31
"""Pixels: no image has so many along a side."""

ROUNDING = 1.0
"""Pixels by which a box may stick out of its image, since tools round in different ways; it is cut there."""

SEEN = 0.2
"""A box of which augmentation leaves less than this share of its area in the image is left out."""

USUAL_SCALE = (0.75, 1.5)
"""Multiples of the image's size in training, where nobody says: more would leave few objects whole."""

REMEDY = "correct it, or set on_unreadable: skip to leave such images out"


class Boxes(Targets):
    """The objects of each image.

    Args:
        boxes: float32 `(M, 4)`, of all images in order: left, top, right, bottom in pixels of the image as it is.
        labels: int64 `(M,)`, class numbers.
        starts: int64 `(N + 1,)`, where the boxes of each image begin.
        names: what messages call the annotation of each image.
        sizes: int64 `(N, 2)`, height and width that the annotation states; 0 where it does not.
        faults: by the index of an image, what is wrong with its annotation.
    """

    kind: ClassVar[str] = "boxes"
    words: ClassVar[str] = "has boxes around objects"
    noun: ClassVar[str] = "boxes"
    provides: ClassVar[frozenset[str]] = frozenset()

    def __init__(
        self,
        boxes: Tensor,
        labels: Tensor,
        starts: Tensor,
        names: Sequence[str],
        sizes: Tensor,
        faults: Mapping[int, str] | None = None,
    ) -> None:
        self.boxes, self.labels, self.starts = boxes, labels, starts
        self.names, self.sizes, self.wrong = names, sizes, dict(faults or {})

    @classmethod
    def of(
        cls,
        objects: Sequence[Sequence[tuple[Sequence[float], int]]],
        names: Sequence[str],
        sizes: Sequence[tuple[int, int]],
        faults: Mapping[int, str] | None = None,
    ) -> "Boxes":
        """Return the boxes and class numbers of each image, as they were read."""
        everything = [one for image in objects for one in image]
        starts = torch.tensor([0, *(len(image) for image in objects)]).cumsum(0)
        boxes = torch.tensor([box for box, _ in everything], dtype=torch.float32).reshape(-1, 4)
        labels = torch.tensor([label for _, label in everything], dtype=torch.long)
        made = cls(boxes, labels, starts, names, torch.tensor(sizes, dtype=torch.long).reshape(-1, 2), faults)
        for index in range(len(objects)):
            if index not in made.wrong and (fault := made.fault(index, made.sizes[index].tolist())) is not None:
                made.wrong[index] = fault
        return made

    @property
    def balance(self) -> Tensor:
        """Zeros: an image has no class of its own."""
        return zeros(len(self.names))

    def within(self, index: int) -> slice:
        """Return where the boxes of an image are."""
        return slice(int(self.starts[index]), int(self.starts[index + 1]))

    def fault(self, index: int, size: Sequence[int]) -> str | None:
        """Return what is wrong with the boxes of an image of this height and width (0: not known); None: nothing."""
        boxes = self.boxes[self.within(index)]
        for number, (left, top, right, bottom) in enumerate(boxes.tolist()):
            told = f"box {number + 1} is {left:g} {top:g} {right:g} {bottom:g} (left, top, right, bottom)"
            if not (right > left and bottom > top):
                return f"{told}: it has no area"
            height, width = size
            beyond = min(left, top) < -ROUNDING or right > width + ROUNDING or bottom > height + ROUNDING
            if height and (beyond or min(right, width) <= max(left, 0) or min(bottom, height) <= max(top, 0)):
                return f"{told}: it lies outside its image of {width} x {height} pixels"
        return None

    def single(self, index: int, fit: ImageFit, keep: bool) -> dict[str, Tensor]:
        """Return `boxes`, float32 `(n, 4)` in pixels of the network's input, and `labels`, int64 `(n,)`."""
        place, (height, width) = self.within(index), self.sizes[index].tolist()
        assert isinstance(fit, Letterbox), "boxes have places, and images are placed as `fit` below says"
        left, top, inner_height, inner_width = fit.placement((height, width))
        scale = torch.tensor([inner_width / width, inner_height / height]).repeat(2)
        shift = torch.tensor([left, top], dtype=torch.float32).repeat(2)
        limit = torch.tensor([width, height], dtype=torch.float32).repeat(2)
        boxes = self.boxes[place].clamp(min=0).minimum(limit) * scale + shift
        return {"boxes": boxes, "labels": self.labels[place]}

    def collated(self, targets: Sequence[Any]) -> list[dict[str, Tensor]]:
        """Return a list with an entry for each image."""
        return list(targets)

    def moved(self, targets: Any, augmentation: Augmenting, draws: Tensor, size: tuple[int, int]) -> Any:
        """Return the boxes where their images were moved to, cut at the border; those hardly seen are left out."""
        if (matrices := augmentation.matrices(draws)) is None:
            return targets
        height, width = size
        unit = torch.tensor([width, height], dtype=torch.float32) / 2
        found = []
        for one, matrix in zip(targets, matrices, strict=True):
            corners = one["boxes"][:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2) / unit - 1
            # A matrix says for every place in the output where in the input it is.
            corners = torch.linalg.solve(matrix[:, :2], (corners - matrix[:, 2]).reshape(-1, 2).T).T.reshape(-1, 4, 2)
            corners = (corners + 1) * unit
            whole = torch.cat([corners.amin(1), corners.amax(1)], 1)
            seen = whole.clamp(min=0).minimum(unit.repeat(2) * 2)
            kept = area(seen) > SEEN * area(whole)
            found.append({"boxes": seen[kept], "labels": one["labels"][kept]})
        return found

    def fingerprints(self, indices: Tensor) -> list[str]:
        """Return a digest of the boxes and class numbers of each image."""
        words = []
        for index in indices.tolist():
            place = self.within(index)
            digest = hashlib.sha256(self.boxes[place].numpy().tobytes() + self.labels[place].numpy().tobytes())
            words.append(digest.hexdigest())
        return words

    def evaluated_at_once(self, fit: ImageFit) -> int:
        """Return how many images have `EVALUATED_AT_ONCE` pixels."""
        return max(1, EVALUATED_AT_ONCE // (fit.size[0] * fit.size[1]))

    def faults(self, indices: Tensor, inputs: Inputs) -> list[Fault | None]:
        """Return what is wrong with each annotation, by itself or held against its image."""
        faults: list[Fault | None] = []
        chosen: list[int] = indices.tolist()
        for index, (where, size) in zip(chosen, sizes_of(images_of(inputs), indices), strict=True):
            fault = self.wrong.get(index) or self.fault_in(index, where, size)
            faults.append((self.names[index], fault) if fault is not None else None)
        return faults

    def fault_in(self, index: int, where: str, size: tuple[int, int]) -> str | None:
        """Return what is wrong with the boxes of an image of this height and width that lies at `where`."""
        stated = tuple(self.sizes[index].tolist())
        if 0 not in stated and stated != size:
            return f"gives the size {stated[1]} x {stated[0]}, but {where} has {size[1]} x {size[0]} pixels"
        return self.fault(index, size)

    def prepare(self, part: Examples, ahead: bool) -> None:
        """Compare boxes with the images that they are in, and remember the sizes of these.

        Raises:
            UserError: an annotation gives another size than its image's, or a box is not in its image.
        """
        chosen, images = part.indices, images_of(part.inputs)
        for index, (where, size) in zip(chosen.tolist(), sizes_of(images, chosen), strict=True):
            if (fault := self.fault_in(index, where, size)) is not None:
                raise UserError(f"{self.names[index]}: {fault}; {REMEDY}")
            self.sizes[index] = torch.tensor(size)

    @classmethod
    def complaint(cls, settings: DataSettings, inputs: str) -> str | None:
        """Return what is wrong with `per_class` and `ignore`, which are for other targets."""
        if settings.per_class is not None:
            return "its images have no class of their own to count per_class; use fraction"
        return f"{cls.words}; `ignore` is for values of label images, leave it out" if settings.ignore else None

    @classmethod
    def checked(cls, found: Found, *, trains: bool) -> tuple[str, ...]:
        """Refuse parts that are no data set: of training it is asked to have every class that other parts have.

        Raises:
            UserError: a part has objects of classes that training lacks, or there are none at all.
        """
        for part in found.parts.values():
            targets = boxes_of(part)
            for index in part.indices.tolist():
                if index in targets.wrong:
                    raise UserError(f"{targets.names[index]}: {targets.wrong[index]}; {REMEDY}")
        present = {name: classes_in(part) for name, part in found.parts.items()}
        if not any(present.values()):
            raise UserError(f"{found.name}: no image has a box, so there is nothing to learn")
        if empty := [name for name, labels in present.items() if not labels]:
            raise UserError(f"{found.name}: no image of the {empty[0]} part has a box; annotate some, or remove it")
        if trains and "train" in present:
            for name, labels in present.items():
                if strange := sorted(labels - present["train"]):
                    names = enumerated([found.classes[label] for label in strange])
                    raise UserError(f"{found.name}: the {name} part has boxes of classes that training lacks: {names}")
        return ()

    @classmethod
    def fit(cls, size: tuple[int, int], channels: int, interpolation: Interpolation, crop_fraction: float) -> Letterbox:
        """Return what keeps all of an image: no object is cut off."""
        return Letterbox(size, channels, interpolation)

    @classmethod
    def wanted_size(cls, settings: DataSettings, size: tuple[int, int] | None) -> tuple[int, int] | None:
        """Return the settings' size, or else the one that the images share: a classifier's is small for scenes."""
        return settings.size

    @classmethod
    def suited(cls, found: Found, train: Listing) -> Augmenting:
        """Return what suits the set, or else the usual choice for photographs."""
        return found.augmentation or ScaleCropColour(scale=USUAL_SCALE)

    @classmethod
    def remarks(cls, classes: tuple[str, ...], parts: Parts) -> tuple[str, ...]:
        """Return what a reader has to know about boxes and sizes, one sentence each."""
        said = []
        for name, part in parts.items():
            counts = box_counts(part.listing)
            if len(counts):
                empty = int((counts == 0).sum())
                without = f" ({empty:,} without)" if empty else ""
                said.append(f"{name}: {int(counts.sum()):,} boxes in {len(counts):,} images{without}")
        trained = classes_in(parts["train"].listing)
        if len(parts["train"]) and (absent := [one for n, one in enumerate(classes) if n not in trained]):
            said.append(f"no training image has a box of {enumerated(absent)}")
        test, size = parts["test"], parts["test"].fit.size
        if any(own != size for _, (own, _) in images_of(test.inputs).geometries(test.indices)):
            said.append(f"images are scaled to fit into {size[0]} x {size[1]} pixels; the rest is black")
        return tuple(said)


def sizes_of(images: Images, indices: Tensor) -> list[tuple[str, tuple[int, int]]]:
    """Return where each of some images lies, and its height and width."""
    found = [(where, size) for where, (size, _) in images.geometries(indices)]
    # Arrays answer once for all.
    return found * len(indices) if len(found) == 1 else found


def area(boxes: Tensor) -> Tensor:
    """Return the area of boxes `(n, 4)`, `(n,)`."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def boxes_of(part: Listing) -> "Boxes":
    """Return the boxes behind a part."""
    assert isinstance(part.targets, Boxes)
    return part.targets


def box_counts(part: Listing) -> Tensor:
    """Return how many boxes each image has, int64 `(N,)`."""
    return boxes_of(part).starts.diff()[part.indices]


def classes_in(part: Listing) -> set[int]:
    """Return the classes of which a part has boxes."""
    targets = boxes_of(part)
    places = [targets.labels[targets.within(index)] for index in part.indices.tolist()]
    return set(torch.cat(places).unique().tolist()) if places else set()
