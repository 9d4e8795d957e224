"""Forms of data on disk: each recognises its own data, and reads them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from robust_tickets.data.examples import Found
from robust_tickets.data.forms.patterns import above, is_pattern


@dataclass(frozen=True)
class Columns:
    """The columns of a table, or keys of a file, that the user named; None: those with usual names.

    Attributes:
        text: `data.text`: the column of texts, or the two of pairs.
        label: `data.label`.
    """

    text: tuple[str, ...] | None = None
    label: str | None = None

    @property
    def named(self) -> list[str]:
        """The settings that name any."""
        return [name for name, value in (("text", self.text), ("label", self.label)) if value is not None]


@dataclass(frozen=True)
class GivenPlace:
    """Where data are, and what is asked of them.

    Attributes:
        path: a file, a folder, or a pattern of files.
        columns: which columns or keys were named.
        trains: whether a training follows; otherwise there need be no training part.
    """

    path: Path
    columns: Columns = Columns()
    trains: bool = True

    @property
    def name(self) -> str:
        """What the data are called in reports."""
        return self.path.stem if self.path.is_file() else self.root.resolve().name

    @property
    def root(self) -> Path:
        """The folder below which all the files lie."""
        if is_pattern(self.path):
            return above(self.path)
        return self.path if self.path.is_dir() else self.path.parent


@dataclass(frozen=True)
class DataForm:
    """One form of data.

    Attributes:
        noun: what they are called, as in "give parquet files".
        is_at: whether the data at a path are of this form; no image is opened for that.
        read: returns the parts found at a place of this form.
        ending: of the files, where these alone may be given; else empty.
        columns: the settings that choose columns in them: `label`, `text`.
        rank: files of a form of lower rank come first; those of higher rank beside them are somebody's notes.
    """

    noun: str
    is_at: Callable[[Path], bool]
    read: Callable[[GivenPlace], Found]
    ending: str = ""
    columns: frozenset[str] = frozenset()
    rank: int = 0
