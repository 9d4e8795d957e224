"""Hugging Face's `datasets`: by their name on the Hub, from a folder of `save_to_disk`, from parquet files."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.forms.form import Columns, DataForm, GivenPlace
from robust_tickets.data.forms.labels import numbered
from robust_tickets.data.forms.shards import shards_at, spoken_parts
from robust_tickets.data.forms.text_readings import read_text_tables
from robust_tickets.data.forms.text_table import TextTable
from robust_tickets.data.forms.user_texts import names_of
from robust_tickets.data.images.encoded import Files
from robust_tickets.data.images.image_files import read_file
from robust_tickets.data.images.stored_images import StoredImages
from robust_tickets.data.names import HUB, PartName, part_keys, require_datasets
from robust_tickets.data.targets.class_numbers import ClassNumbers
from robust_tickets.data.targets.label_images import LabelImages
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.file_memory import Stamp, stamp

IMAGE_COLUMNS = ("image", "img", "picture", "pixel_values")
LABEL_COLUMNS = ("label", "labels", "fine_label", "target", "annotation", "mask")
BINARY = ("binary", "large_binary")
TEXT = ("string", "large_string")
COLUMNS = frozenset({"label", "text"})
SAVED = ("dataset_dict.json", "state.json")
"""What `save_to_disk` leaves in its folder, of several splits and of one."""
UNLABELLED = -1
"""What data sets on the Hub have as the labels of a test part that keeps them to itself."""


class TableFiles(Files):
    """Encoded images in a column of a table.

    Args:
        table: the rows.
        column: holds bytes, or paths of files.
        part: which part of a set they are.
        name: what messages call the table.
    """

    def __init__(self, table: Any, column: str, part: PartName, name: str) -> None:
        from datasets import Image

        self.table = table.select_columns([column]).cast_column(column, Image(decode=False))
        self.column, self.name = column, name
        stored = sorted(entry["filename"] for entry in table.cache_files)
        self.root = Path(stored[0]).parent if stored else Path(name)
        # Not by the name of a folder or file: the same tables are the same data wherever they lie, saved or as parquet.
        self.names = [f"{part}/{column}/{index}" for index in range(len(table))]
        self._stamp = common_stamp(stored)

    def where(self, index: int) -> str:
        """Return the row."""
        return f"{self.name}, row {index}, {self.column}"

    def content(self, index: int) -> bytes:
        """Return the bytes of an image.

        Raises:
            UserError: there are none, or the file that is named in their place cannot be read.
        """
        held = self.table[index][self.column]
        if held is None or (held["bytes"] is None and held["path"] is None):
            raise UserError(f"{self.where(index)}: is empty; remove the row")
        return held["bytes"] if held["bytes"] is not None else read_file(held["path"])

    def stamp(self, index: int) -> Stamp | None:
        """Return the stamp of all files of the table; None if it lies in memory."""
        return self._stamp


def common_stamp(paths: Sequence[str]) -> Stamp | None:
    """Return what changes with any of some files; None without files."""
    if not paths:
        return None
    sizes, changes, places = zip(*map(stamp, paths), strict=True)
    return sum(sizes), max(changes), sum(places)


def is_saved(path: Path) -> bool:
    """Return whether `save_to_disk` wrote a folder."""
    return any((path / name).is_file() for name in SAVED)


def parquet_files(path: Path) -> list[Path]:
    """Return the parquet files that a path means: in a folder they may lie in data/, as on the Hub."""
    return shards_at(path, ".parquet", ("data",))


def read_saved(place: GivenPlace) -> Found:
    """Return the splits that `save_to_disk` wrote into a folder.

    Raises:
        UserError: they are damaged, or neither images with labels nor texts.
    """
    library = required(str(place.path))
    try:
        with quietly(library, local=True):
            held = library.load_from_disk(str(place.path))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{place.path}: cannot be read as a data set saved to disk ({told(error)}); save it again"
        ) from error
    return read_tables(held, place.name, place.columns)


def read_parquet(place: GivenPlace) -> Found:
    """Return the tables of parquet files, whose names or folders say which part they are.

    Raises:
        UserError: they are damaged, or neither images with labels nor texts.
    """
    files, listed = parquet_files(place.path), dict[str, list[str]]()
    library = required(str(place.path))
    for part, file in zip(spoken_parts(files, place.root), files, strict=True):
        listed.setdefault(part, []).append(str(file))
    try:
        with quietly(library, local=True):
            # `load_dataset` would tell the library's makers over the network that a parquet file was read.
            held = library.DatasetDict.from_parquet(listed)
    except (OSError, ValueError, library.exceptions.DatasetsError) as error:
        raise UserError(f"{place.path}: cannot be read as parquet ({told(error)}); write it again") from error
    return read_tables(held, place.name, place.columns)


def read_hub(name: str, columns: Columns) -> Found:
    """Return the splits of `hf/OWNER/NAME`, or `hf/OWNER/NAME:CONFIGURATION`, downloaded where they are not there.

    Raises:
        UserError: there is no such set, it cannot be fetched, or it holds neither images with labels nor texts.
    """
    library = required(name)
    place, _, configuration = name.removeprefix(HUB).partition(":")
    if Path(place).exists():
        raise UserError(
            f"{name}: {place} is also a folder here, which the library takes first; give that, or run elsewhere"
        )
    try:
        with quietly(library, local=False):
            held = library.load_dataset(place, configuration or None)
    except (OSError, ValueError, RuntimeError, library.exceptions.DatasetsError) as error:
        raise UserError(
            f"{name}: cannot be downloaded from the Hub ({told(error)}); check the name and the connection, or give a "
            "folder of `save_to_disk`"
        ) from error
    return read_tables(held, name, columns)


def told(error: Exception) -> str:
    """Return the first line of what an error says, or of what it came from."""
    said = str(error.__cause__ or error).strip()
    return said.splitlines()[0] if said else type(error).__name__


def required(name: str) -> ModuleType:
    """Return the library.

    Raises:
        UserError: it is not installed.
    """
    require_datasets(name)
    import datasets

    return datasets


@contextmanager
def quietly(library: ModuleType, *, local: bool) -> Iterator[None]:
    """Let the library say nothing of its own; only downloads show their progress, on a terminal."""
    talkers = [logging.getLogger(name) for name in ("datasets", "huggingface_hub")]
    levels, bars = [talker.level for talker in talkers], not library.are_progress_bars_disabled()
    for talker in talkers:
        talker.setLevel(logging.CRITICAL)
    if local or not sys.stderr.isatty():
        library.disable_progress_bars()
    try:
        yield
    finally:
        for talker, level in zip(talkers, levels, strict=True):
            talker.setLevel(level)
        if bars:
            library.enable_progress_bars()


def read_tables(held: Any, name: str, columns: Columns) -> Found:
    """Return the parts among splits by name, or the one there is: of images, or else of texts.

    Args:
        held: a `Dataset`, or a mapping of such.
        name: what the data are called in reports.
        columns: those that were named.

    Raises:
        UserError: no split is a part, or the columns are neither images with labels nor texts.
    """
    splits: dict[str, Any] = dict(held) if isinstance(held, Mapping) else {"train": held}
    keys = part_keys(splits, name)
    if not keys and len(splits) == 1:
        keys["train"] = next(iter(splits))
    if not keys:
        raise UserError(f"{name}: has the splits {enumerated(list(splits))}, none of which is named like a part")
    left_out = [key for key in splits if key not in keys.values()]
    notes = [f"{enumerated(left_out)} next to the parts: left out"] if left_out else []
    tables: dict[PartName, Any] = {part: splits[key] for part, key in keys.items() if len(splits[key])}
    if not tables:
        raise UserError(f"{name}: contains no rows")
    first, where = next(iter(tables.values())), {part: f"{name}, {keys[part]}" for part in tables}
    if not image_columns(first.features) and holds_texts(first.features):
        texts: dict[PartName, TextTable] = {part: text_table(table, where[part]) for part, table in tables.items()}
        found = read_text_tables(texts, columns, name, name)
        return replace(found, notes=(*notes, *found.notes))
    image, target = image_column(first.features, name), label_column(first.features, name, columns.label)
    if columns.text is not None:
        raise UserError(f"{name}: the column {image} contains images, so data.text has no meaning; leave it out")
    if image == target:
        raise UserError(f"{name}: the column {image} contains the images; name the label column with data.label")
    pictures = {part: StoredImages(TableFiles(table, image, part, where[part])) for part, table in tables.items()}
    if is_image(first.features[target]):
        scenes: dict[PartName, Listing] = {
            part: Listing.whole(pictures[part], LabelImages.of(TableFiles(table, target, part, where[part])))
            for part, table in tables.items()
        }
        return Found(scenes, (), name, notes=tuple(notes))
    given: dict[PartName, list[Any]] = {part: column(table, target) for part, table in tables.items()}
    for part, labels in list(given.items()):
        if all(label == UNLABELLED for label in labels):
            given.pop(part)
            notes.append(f"the {part} part has no labels ({UNLABELLED}): left out")
    if not given:
        raise UserError(f"{name}: {target} is {UNLABELLED} in every row, which means no label")
    numbers, classes = numbered(
        given, lambda part, index: f"{where[part]}, row {index}", names_of(first.features[target])
    )
    parts: dict[PartName, Listing] = {
        part: Listing.whole(pictures[part], ClassNumbers(torch.tensor(numbers[part]))) for part in given
    }
    return Found(parts, classes, name, notes=tuple(notes))


def column(table: Any, name: str) -> list[Any]:
    """Return the values of one column."""
    return table.select_columns([name])[:][name]


def is_image(feature: Any) -> bool:
    """Return whether a column holds images: declared so, or as bytes and path."""
    from datasets import Image

    return isinstance(feature, Image) or (isinstance(feature, Mapping) and "bytes" in feature)


def image_columns(features: Mapping[str, Any]) -> list[str]:
    """Return the columns that hold images."""
    found = [key for key in IMAGE_COLUMNS if key in features] or [key for key in features if is_image(features[key])]
    return [key for key in found if is_image(features[key]) or getattr(features[key], "dtype", None) in BINARY]


def image_column(features: Mapping[str, Any], name: str) -> str:
    """Return the column of images.

    Raises:
        UserError: there is none.
    """
    usable = image_columns(features)
    if not usable:
        raise UserError(f"{name}: has the columns {enumerated(list(features))}, none of which contains images or texts")
    return usable[0]


def holds_texts(features: Mapping[str, Any]) -> bool:
    """Return whether a column holds texts, or lists of words."""
    return any(getattr(getattr(one, "feature", one), "dtype", None) in TEXT for one in features.values())


class LazyColumns(Mapping[str, Sequence[Any]]):
    """The columns of a table by name, each read when it is asked for."""

    def __init__(self, table: Any) -> None:
        self.table = table

    def __getitem__(self, name: str) -> list[Any]:
        return column(self.table, name)

    def __contains__(self, name: object) -> bool:
        return name in self.table.features

    def __iter__(self) -> Iterator[str]:
        return iter(self.table.features)

    def __len__(self) -> int:
        return len(self.table.features)


def text_table(table: Any, where: str) -> TextTable:
    """Return a table of the library as every other form has them; `where` is what messages call it."""
    classes = {key: names for key, feature in table.features.items() if (names := names_of(feature))}
    return TextTable(LazyColumns(table), lambda index: f"{where}, row {index}", len(table), classes)


def label_column(features: Mapping[str, Any], name: str, label: str | None) -> str:
    """Return the column of labels: the one asked for, or the one with a usual name.

    Raises:
        UserError: there is none.
    """
    if label is not None and label not in features:
        raise UserError(f"{name}: has no column {label!r} (data.label); its columns are {enumerated(list(features))}")
    found = [label] if label is not None else [key for key in LABEL_COLUMNS if key in features]
    if not found:
        raise UserError(f"{name}: has the columns {enumerated(list(features))}; name the label column with data.label")
    return found[0]


SAVED_TABLES = DataForm("a folder of `save_to_disk`", is_saved, read_saved, columns=COLUMNS)
PARQUET = DataForm(
    "parquet files", lambda path: bool(parquet_files(path)), read_parquet, ending=".parquet", columns=COLUMNS
)
