"""Labels as tables and tars have them: numbers, or names."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from robust_tickets.data.names import PartName
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError

NUMBER = re.compile(r"-?[0-9]+")


def numbered(
    given: Mapping[PartName, Sequence[Any]], where: Callable[[PartName, int], str], names: Sequence[str] = ()
) -> tuple[dict[PartName, list[int]], tuple[str, ...]]:
    """Return the class numbers of each part, and the classes: those named, the names in use, or the numbers.

    Args:
        given: the labels of each part.
        where: tells where a label lies, for messages.
        names: the classes in the order of numbers, if the data name them.

    Raises:
        UserError: a label is neither a class number nor a name.
    """
    everything = [label for labels in given.values() for label in labels]
    called = any(isinstance(label, str) and NUMBER.fullmatch(label) is None for label in everything)
    # Names that come in no order get that of the alphabet, as folders do.
    known = tuple(names) or tuple(sorted({label for label in everything if isinstance(label, str)}))
    place: dict[str | int, int] = {name: number for number, name in enumerate(known)}
    number_of = place.get if called else class_number
    numbers: dict[PartName, list[int]] = {part: [] for part in given}
    for part, labels in given.items():
        for index, label in enumerate(labels):
            number = number_of(label) if isinstance(label, str | int) else None
            if number is None:
                right = f"one of the names {enumerated(known)}" if called else "a class number, 0 or more, or a name"
                raise UserError(f"{where(part, index)}: has the label {label!r}; give {right}")
            numbers[part].append(number)
    if called:
        return numbers, known
    count = 1 + max(number for labels in numbers.values() for number in labels)
    return numbers, tuple(names) if len(names) >= count else tuple(map(str, range(count)))


def class_number(label: str | int) -> int | None:
    """Return a class number, 0 or more, that may be written in digits; None of anything else."""
    if isinstance(label, bool):
        return None
    number = int(label)
    return number if number >= 0 else None
