"""From the parts a data set has to the three that honest work needs."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import torch

from robust_tickets.data.fractions import TEST_SEED, choose
from robust_tickets.data.part_names import PartName, part_of
from robust_tickets.data.parts import Divisible, Found
from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError

AnyPart = TypeVar("AnyPart", bound=Divisible)

ORDER: tuple[PartName, ...] = ("test", "validation", "train")
"""Which part is measured where nothing trains: the first that is there."""


def check_classes(found: Found, *, trains: bool = True) -> tuple[str, ...]:
    """Return what a reader has to know of the classes of the parts, one sentence each.

    Args:
        found: the parts there are.
        trains: whether training is to follow, so that it has to have every class.

    Raises:
        UserError: the data have one class, a part has classes that training lacks, labels begin at 1 or are far from
            numbers of classes, or the classes are called like parts.
    """
    if all(part_of(name) is not None for name in found.classes):
        raise UserError(
            f"{found.name}: its classes are called {enumerated(found.classes)}, as the parts of a data set are; give "
            "the folder in which these lie, or each of them as a part"
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
            f"{found.name}: the labels in training are {enumerated(sorted(trained))}, which would make "
            f"{len(found.classes)} classes; number them from 0 without gaps, or name them, the first for label 0"
        )
    if len(trained) == 1:
        raise UserError(f"{found.name}: has one class only ({found.classes[trained.pop()]}); at least two are needed")
    notes = [fewer(found.classes, trained, "training")] if len(trained) < len(found.classes) else []
    return (*notes, *(fewer(found.classes, labels, name) for name, labels in present.items() if labels < trained))


def fewer(classes: Sequence[str], present: set[int], part: str) -> str:
    """Return the sentence that a part has no images of some classes."""
    missing = [name for label, name in enumerate(classes) if label not in present]
    return f"the {part} part has images of {len(present)} of the {len(classes)} classes; none of {enumerated(missing)}"


def carve(
    found: Mapping[PartName, AnyPart], name: str, classes: Sequence[str], settings: DataSettings, seed: int
) -> tuple[dict[PartName, AnyPart], tuple[str, ...]]:
    """Return the three parts and how those came about that were not there.

    Args:
        found: the parts there are.
        name: what the data are called in messages.
        classes: what fractions are balanced over; none where images have no class.
        settings: the fractions.
        seed: of the run.
    """
    parts, notes = dict(found), []
    if len(parts) == 1 and "train" not in parts:
        (only, part) = parts.popitem()
        parts["train"] = part
        notes.append(f"only a {only} part was found; it is treated as an undivided set")
    if "train" not in parts:
        raise UserError(f"{name}: has {' and '.join(parts)} and no training part")
    if "test" not in parts and "validation" in parts:
        parts["test"] = parts.pop("validation")
        notes.append("the set's validation part serves as test")
    if "test" not in parts:
        kept, held = choose(parts["train"].labels, classes, hold_out=settings.test, seed=TEST_SEED, stream="test")
        parts["test"], parts["train"] = parts["train"].subset(held), parts["train"].subset(kept)
        whole = "each class" if classes else "its images"
        notes.append(f"test is a fixed {100 * settings.test:.3g} % of {whole}, the same for every seed")
    given = "validation" in parts
    kept, held = choose(
        parts["train"].labels,
        classes,
        fraction=settings.fraction,
        per_class=settings.per_class,
        hold_out=0.0 if given else settings.validation,
        seed=seed,
        stream="validation",
    )
    if not given:
        parts["validation"] = parts["train"].subset(held)
        share = f"validation is {100 * settings.validation:.3g} % of the training images used"
        notes.append(share if len(held) else f"no validation part: data.validation is {settings.validation:g}")
    parts["train"] = parts["train"].subset(kept)
    return parts, tuple(notes)


def undivided(found: Mapping[PartName, AnyPart]) -> tuple[dict[PartName, AnyPart], tuple[str, ...]]:
    """Return parts of which only test matters, because nothing trains, and what that is: carved is nothing.

    Args:
        found: the parts there are.
    """
    taken: PartName = next(part for part in ORDER if part in found)
    none = found[taken].subset(torch.zeros(0, dtype=torch.long))
    parts: dict[PartName, AnyPart] = {"train": none, "validation": none, "test": found[taken]}
    return parts, () if taken == "test" else (f"all images of the {taken} part are test images, since nothing trains",)
