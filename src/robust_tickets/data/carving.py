"""From the parts a data set has to the three that honest work needs."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from robust_tickets.data.fractions import TEST_SEED, choose
from robust_tickets.data.parts import Divisible, Found, PartName
from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.errors import UserError

AnyPart = TypeVar("AnyPart", bound=Divisible)


def check_classes(found: Found) -> None:
    """Refuse data of one class, or whose parts have classes that training lacks.

    Raises:
        UserError: one of these.
    """
    parts = dict(found.parts)
    first = parts.pop("train", None) or next(iter(parts.values()))
    trained = set(first.labels.tolist())
    if len(trained) == 1:
        raise UserError(f"{found.name}: has one class only ({found.classes[trained.pop()]}); at least two are needed")
    for name, part in parts.items():
        if strange := set(part.labels.tolist()) - trained:
            raise UserError(f"{found.name}: the {name} part has class {min(strange)}, which training lacks")


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
        notes.append(f"test is a fixed {settings.test:.0%} of {whole}, the same for every seed")
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
        notes.append(f"validation is {settings.validation:.0%} of the training images used")
    parts["train"] = parts["train"].subset(kept)
    return parts, tuple(notes)
