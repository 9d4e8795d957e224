"""Class numbers: every image has one label."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor

from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.images.fit import ImageFit
from robust_tickets.data.names import PartName, part_of
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.targets.of_whole import OfWhole
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError


class ClassNumbers(OfWhole):
    """One class number per image, 0 or more.

    Args:
        numbers: int64 `(N,)`.
    """

    kind: ClassVar[str] = "class"
    words: ClassVar[str] = "labels whole {inputs}"
    noun: ClassVar[str] = "classes"

    def __init__(self, numbers: Tensor) -> None:
        self.numbers = numbers

    @property
    def balance(self) -> Tensor:
        """The class numbers."""
        return self.numbers

    def single(self, index: int, fit: ImageFit, keep: bool) -> int:
        """Return the class number of an image."""
        return int(self.numbers[index])

    def fitted(self, indices: Tensor, fit: ImageFit, keep: bool) -> Tensor:
        """Return class numbers, int64 `(n,)`."""
        return self.numbers[indices]

    def fingerprints(self, indices: Tensor) -> list[str]:
        """Return the class numbers."""
        return [str(number) for number in self.numbers[indices].tolist()]

    def content(self, indices: Tensor) -> bytes:
        """Return the bytes of the class numbers."""
        return self.numbers[indices].numpy().tobytes()

    @classmethod
    def complaint(cls, settings: DataSettings, inputs: str) -> str | None:
        """Return what is wrong with `ignore`, which is for label images."""
        return (
            f"{cls.said_of(inputs)}; `ignore` is for values of label images; leave it out" if settings.ignore else None
        )

    @classmethod
    def require_left(cls, found: Found, part: PartName, left: Listing) -> None:
        """Refuse a part in which nothing of some class can be read.

        Raises:
            UserError: names the first such class.
        """
        if lost := set(found.parts[part].labels.tolist()) - set(left.labels.tolist()):
            noun, name = found.inputs.noun, found.classes[min(lost)]
            raise UserError(f"{found.name}: none of the {noun} of class {name!r} can be read")

    @classmethod
    def checked(cls, found: Found, *, trains: bool) -> tuple[str, ...]:
        """Return which classes are missing where; see `notes_on_classes`."""
        return notes_on_classes(found, trains=trains)

    @classmethod
    def balanced_over(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        """Return the classes."""
        return classes


def notes_on_classes(found: Found, *, trains: bool = True) -> tuple[str, ...]:
    """Return notes on the classes of the parts, one sentence each.

    Args:
        found: the parts there are.
        trains: whether training follows, so that it must have every class.

    Raises:
        UserError: the data have one class, a part has classes that training lacks, labels begin at 1 or are far from
            numbers of classes, or the classes are named like parts.
    """
    if all(part_of(name) is not None for name in found.classes):
        raise UserError(
            f"{found.name}: its classes are called {enumerated(found.classes)}, like the parts of a data "
            "set; give the folder that contains these, or each of them as a part"
        )
    if not trains:
        return ()
    present = {name: set(part.labels.tolist()) for name, part in found.parts.items()}
    trained = present.pop("train", None) or present.pop(next(iter(present)))
    for name, labels in present.items():
        if strange := sorted(labels - trained):
            names = enumerated([found.classes[label] for label in strange])
            raise UserError(f"{found.name}: the {name} part has classes that training lacks: {names}")
    unnamed = found.classes == tuple(map(str, range(len(found.classes))))
    if unnamed and (0 not in trained or 2 * len(trained) < len(found.classes)):
        raise UserError(
            f"{found.name}: the training labels are {enumerated(sorted(trained))}, which would make "
            f"{len(found.classes)} classes; number them from 0 without gaps, or name them, starting with label 0"
        )
    if len(trained) == 1:
        raise UserError(f"{found.name}: has only one class ({found.classes[trained.pop()]}); at least two are needed")
    noun = found.inputs.noun
    notes = [fewer(found.classes, trained, "training", noun)] if len(trained) < len(found.classes) else []
    return (*notes, *(fewer(found.classes, labels, name, noun) for name, labels in present.items() if labels < trained))


def fewer(classes: Sequence[str], present: set[int], part: str, noun: str) -> str:
    """Return the sentence that a part has no inputs, called `noun`, of some classes."""
    missing = [name for label, name in enumerate(classes) if label not in present]
    return (
        f"the {part} part has {noun} of {len(present)} of the {len(classes)} classes, and none of {enumerated(missing)}"
    )
