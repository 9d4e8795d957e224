"""What an attribute of an operation may be: its type, its length and its range."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

LARGEST_WINDOW = 1024
"""Most that a side of a kernel, a stride, a padding or a dilation may be, in pixels."""
LARGEST_LENGTH = 2**24
"""Most that a side of a value may be: channels, features, rows or columns."""
LARGEST_FLOAT = 3.4028234663852886e38
"""Of float32."""


@dataclass(frozen=True)
class Attribute:
    """One attribute: what is accepted, and how to say so."""

    accepts: Callable[[Any], bool]
    expected: str
    """Completes "should be ..."."""
    required: bool = True

    def optional(self) -> "Attribute":
        """Return the same attribute, which a node may leave out."""
        return Attribute(self.accepts, self.expected, required=False)


def is_integer(value: object, least: int, most: int) -> bool:
    """Return whether a value is an int (a bool is not) in [least, most]."""
    return type(value) is int and least <= value <= most


def is_integers(value: object, counts: Sequence[int], least: int, most: int) -> bool:
    """Return whether a value is a list of this many ints, each in [least, most]."""
    return (
        isinstance(value, list | tuple) and len(value) in counts and all(is_integer(one, least, most) for one in value)
    )


def is_number(value: object, least: float, most: float) -> bool:
    """Return whether a value is an int or float (a bool or NaN is not) in [least, most]."""
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def integer(least: int, most: int) -> Attribute:
    """One whole number in [least, most]."""
    return Attribute(lambda value: is_integer(value, least, most), f"an integer in [{least}, {most}]")


def integers(counts: Sequence[int], least: int, most: int) -> Attribute:
    """A list of whole numbers in [least, most], as many as one of `counts`."""
    many = " or ".join(str(count) for count in counts)
    return Attribute(
        lambda value: is_integers(value, counts, least, most), f"a list of {many} integers in [{least}, {most}]"
    )


def number(least: float = -LARGEST_FLOAT, most: float = LARGEST_FLOAT) -> Attribute:
    """One finite number in [least, most], which fits float32."""
    return Attribute(lambda value: is_number(value, least, most), f"a finite number in [{least:g}, {most:g}]")


def boolean() -> Attribute:
    """True or false, and not 1 or 0."""
    return Attribute(lambda value: type(value) is bool, "true or false")


def choice(*names: str) -> Attribute:
    """One of some words."""
    return Attribute(lambda value: isinstance(value, str) and value in names, f"one of {', '.join(names)}")
