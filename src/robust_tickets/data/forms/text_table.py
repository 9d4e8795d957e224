"""A table with columns of texts, of one part of a data set, wherever it lies."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError


@final
class Absent:
    """What stands where a row lacks a value that others have."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()

NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
"""A number as tables write it."""


@dataclass(frozen=True)
class TextTable:
    """The rows of one part.

    Attributes:
        columns: values by the name of their column.
        where: tells where a row lies, for messages.
        count: number of rows.
        classes: names of classes that a column declares, in the order of labels.
    """

    columns: Mapping[str, Sequence[Any]]
    where: Callable[[int], str]
    count: int
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def has(self, names: Iterable[str]) -> bool:
        """Return whether there are columns of all these names."""
        return all(name in self.columns for name in names)

    def values(self, name: str) -> list[Any]:
        """Return what a column holds.

        Raises:
            UserError: a row lacks it.
        """
        found = list(self.columns[name])
        for index, value in enumerate(found):
            if value is ABSENT:
                raise UserError(f"{self.where(index)}: has no {name!r}, which other rows have")
        return found

    def texts(self, name: str) -> list[str]:
        """Return the texts in a column; one that is missing (null) is empty.

        Raises:
            UserError: it holds something else.
        """
        found = ["" if value is None else value for value in self.values(name)]
        for index, value in enumerate(found):
            if not isinstance(value, str):
                raise UserError(
                    f"{self.where(index)}: {name!r} is {value!r}, not a text; name the text column with data.text"
                )
        if found and all(NUMBER.fullmatch(text) for text in found):
            raise UserError(
                f"{self.where(0)}: {name!r} holds numbers in every row, not texts; name the text column with data.text"
            )
        return found

    def require(self, names: Iterable[str], setting: str) -> None:
        """Refuse names that no column has; `setting` is where they were given.

        Raises:
            UserError: says which columns there are.
        """
        if missing := [name for name in names if name not in self.columns]:
            file = self.where(0).partition(",")[0]
            raise UserError(
                f"{file}: has no column {missing[0]!r} ({setting}); its columns are {enumerated(list(self.columns))}"
            )
