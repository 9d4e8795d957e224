"""Forms of data on disk: each recognises its own data, and reads them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from robust_tickets.data.examples import Found
from robust_tickets.data.forms.patterns import above, is_pattern


@dataclass(frozen=True)
class GivenPlace:
    """Where data are, and what is asked of them.

    Attributes:
        path: a file, a folder, or a pattern of files.
        label: the column or key that holds labels, if the data have one; None: the one with a usual name.
        trains: whether a training follows; otherwise there need be no training part.
    """

    path: Path
    label: str | None = None
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
        has_columns: whether there is a choice of what the labels are: `data.label`.
    """

    noun: str
    is_at: Callable[[Path], bool]
    read: Callable[[GivenPlace], Found]
    ending: str = ""
    has_columns: bool = False
