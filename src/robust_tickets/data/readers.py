"""From a name or a path to the parts that lie there."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from robust_tickets.data.examples import Found
from robust_tickets.data.forms.array_files import IDX, NPZ
from robust_tickets.data.forms.built_in import read_digits, read_glyphs
from robust_tickets.data.forms.coco import COCO
from robust_tickets.data.forms.conll import CONLL
from robust_tickets.data.forms.folder import IMAGE_FOLDER
from robust_tickets.data.forms.form import Columns, DataForm, GivenPlace
from robust_tickets.data.forms.hugging_face import PARQUET, SAVED_TABLES, read_hub
from robust_tickets.data.forms.json_files import JSON_FILES
from robust_tickets.data.forms.json_lines import JSON_LINES
from robust_tickets.data.forms.label_folder import LABEL_FOLDER
from robust_tickets.data.forms.one_picture import ONE_PICTURE, read_photograph
from robust_tickets.data.forms.patterns import above, is_pattern
from robust_tickets.data.forms.plain_text import PLAIN_TEXT
from robust_tickets.data.forms.scenes import read_scenes
from robust_tickets.data.forms.separated import CSV, TSV
from robust_tickets.data.forms.tales import read_moods, read_tales, read_topics
from robust_tickets.data.forms.tar_shards import TARS
from robust_tickets.data.forms.torchvision_sets import read_torchvision, voc_place
from robust_tickets.data.forms.voc_boxes import VOC_BOXES
from robust_tickets.data.names import HUB, TORCHVISION, VOC, nothing_at
from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path, state

FORMS: tuple[DataForm, ...] = (
    *(NPZ, IDX, SAVED_TABLES, PARQUET, TARS),
    *(VOC_BOXES, COCO, LABEL_FOLDER),
    *(TSV, CSV, JSON_LINES, CONLL, JSON_FILES, PLAIN_TEXT),
    ONE_PICTURE,
    IMAGE_FOLDER,
)
"""What a path may mean: the first that says so is read. The last takes any folder."""

NAMED: dict[str, Callable[[DataSettings], Found]] = {
    "glyphs": lambda settings: read_glyphs(settings.glyphs),
    "digits": lambda settings: read_digits(),
    "china": lambda settings: read_photograph("china"),
    "flower": lambda settings: read_photograph("flower"),
    "glyph-scenes": lambda settings: read_scenes(settings.scenes),
    "tales": lambda settings: read_tales(settings.tales),
    "tale-topics": lambda settings: read_topics(settings.tales),
    "tale-moods": lambda settings: read_moods(settings.tales),
    TORCHVISION: lambda settings: read_torchvision(settings.name[len(TORCHVISION) :], given_path(str(settings.root))),
    HUB: lambda settings: read_hub(settings.name, columns_of(settings)),
}
"""What names mean that are not paths: whole names, and what names of several sets begin with."""


def columns_of(settings: DataSettings) -> Columns:
    """Return the columns that the settings name."""
    return Columns(settings.text, settings.label)


def read_path(path: Path, *, columns: Columns, trains: bool) -> Found:
    """Return the parts found at a path, or a pattern of files, of whichever form they are.

    Raises:
        UserError: there is nothing that can be read as images or texts, or it may mean two things.
    """
    if not path.exists() and not is_pattern(path):
        raise nothing_at(path)
    form = form_of(path)
    if useless := [setting for setting in columns.named if setting not in form.columns]:
        raise no_columns(path, useless[0])
    return form.read(GivenPlace(path, columns, trains))


def form_of(path: Path) -> DataForm:
    """Return the form of the data at a path.

    Raises:
        UserError: they are of none, or files of two kinds lie there.
    """
    of_files = [form for form in FORMS if form.ending and form.is_at(path)]
    of_files = [form for form in of_files if form.rank == of_files[0].rank]
    if len(of_files) > 1:
        raise UserError(
            f"{path}: contains {' and '.join(form.noun for form in of_files)}; keep files of one kind there"
        )
    for form in FORMS:
        if form.is_at(path):
            return form
    endings = [form.ending for form in FORMS if form.ending]
    raise UserError(
        f"{path}: {'is a file' if path.is_file() else 'matches files'}, but not {either(endings)}; give "
        f"{either([form.noun for form in FORMS])}"
    )


def no_columns(data: object, setting: str) -> UserError:
    """Return the complaint about `data.label` or `data.text` for data in which there is nothing to choose."""
    return UserError(f"{data}: has no columns for data.{setting} to choose from; leave it out")


def either(words: Sequence[str]) -> str:
    """Return `a, b or c`."""
    return f"{', '.join(words[:-1])} or {words[-1]}"


ASKED = {"name", "root", "glyphs", "scenes", "tales", "label", "text"}
"""The settings that decide what is read."""


def read(settings: DataSettings, *, trains: bool = True) -> Found:
    """Return the parts that the settings name; without `trains` there need be none to train on.

    They are read once, until files change: anyone who asks again shares them, and what is decoded of them.

    Raises:
        UserError: there is nothing of that name.
    """
    place = lies_at(settings)
    # Names may be paths from here.
    here, changes = str(Path.cwd()), "" if place is None else state(place)
    return read_once(settings.model_dump_json(include=ASKED), trains, here, changes)


def lies_at(settings: DataSettings) -> Path | None:
    """Return where the data lie; None of those that nobody changes."""
    if settings.name == f"{TORCHVISION}{VOC}":
        return voc_place(given_path(str(settings.root)))
    if named(settings.name) is not None:
        return None
    path = given_path(settings.name)
    return above(path) if is_pattern(path) else path


def named(name: str) -> Callable[[DataSettings], Found] | None:
    """Return what reads the data of a name that is not a path."""
    first, slash, _ = name.partition("/")
    return NAMED.get(first + slash)


@lru_cache(maxsize=4)
def read_once(asked: str, trains: bool, here: str, changes: str) -> Found:
    """Return what settings name, as JSON of those in `ASKED`; `here` and `changes` are what it depends on besides."""
    settings = DataSettings.model_validate_json(asked)
    if (reads := named(settings.name)) is not None:
        if (useless := columns_of(settings).named) and not settings.name.startswith(HUB):
            raise no_columns(settings.name, useless[0])
        return reads(settings)
    return read_path(given_path(settings.name), columns=columns_of(settings), trains=trains)
