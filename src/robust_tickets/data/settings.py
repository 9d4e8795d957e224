"""What the user says about the data."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from robust_tickets.data.augmentation import Augmentation
from robust_tickets.data.restoration import Restoration
from robust_tickets.foundation.settings import Ratio, Settings, later_field


def _pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int) else value


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Size = Annotated[
    tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]],
    BeforeValidator(_pair, json_schema_input_type=int | tuple[int, int]),
]
"""Height and width in pixels; one number means a square."""


ColumnNames = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    Field(min_length=1, max_length=2),
    BeforeValidator(_several, json_schema_input_type=str | tuple[str, ...]),
]
"""The name of one column, or of two."""


class GlyphSettings(Settings):
    """How many of the built-in letters, how large, and how much they vary."""

    count: int = Field(
        default=8000, ge=52, description="Number of training letters; a quarter as many again form the test part."
    )
    size: int = Field(default=16, ge=8, le=256, description="Height and width, pixels.")
    seed: int = Field(default=0, ge=0, description="Seed of the letters; another seed gives other letters.")
    strength: float = Field(
        default=1.0,
        ge=0,
        le=2,
        description="Strength of the deformation; 1: 15 degrees, shear 0.2, scale and shift 15%.",
    )
    noise: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Largest uniform noise in either direction, as a fraction of full contrast.",
    )


class SceneSettings(Settings):
    """How many of the built-in scenes, how large, and with how many objects."""

    count: int = Field(default=1200, ge=8, description="Training scenes; the test part has a quarter as many.")
    size: int = Field(default=64, ge=32, le=512, description="Height and width, pixels.")
    objects: int = Field(default=4, ge=1, le=16, description="Most objects in one scene; 1 to 16.")
    seed: int = Field(default=0, ge=0, description="Seed of the scenes; another seed gives other scenes.")


class TaleSettings(Settings):
    """How many of the built-in texts."""

    count: int = Field(default=4000, ge=24, description="Training texts; the test part has a quarter as many.")
    seed: int = Field(default=0, ge=0, description="Seed of the texts; another seed gives other texts.")


class DataSettings(Settings):
    """Which data, how much of them, and as what size and channels. A bare string is the name alone."""

    bare: ClassVar[str | None] = "name"

    name: str = Field(
        min_length=1,
        description="`glyphs`, `digits`, `glyph-scenes`, `tales`, `tale-topics`, `tale-moods`, "
        "`china` and `flower` (single photographs), "
        "`torchvision/CIFAR10` and the like, or a path: a folder of "
        "classes (subfolders, in train/, val/ and test/ or not), of images alone (no labels), of images/ and labels/ "
        "(in such parts or not), boxes "
        "in COCO's or Pascal VOC's layout, npz or idx files, WebDataset tars; texts in .tsv, .csv, .jsonl or .txt "
        "files; with robust-tickets[datasets] also parquet files, a folder of `save_to_disk`, and `hf/OWNER/NAME` of "
        "the Hub; for generators a single image file.",
    )
    label: str | None = later_field(
        None,
        min_length=1,
        description="Column of a table, or key of a tar's .json, that contains the labels; default: the one called "
        "label.",
    )
    text: ColumnNames | None = later_field(
        None,
        description="Column of a table that contains the texts, or the two columns of pairs; default: those with usual "
        "names, such as sentence or premise and hypothesis.",
    )
    stride: int = later_field(
        128,
        ge=0,
        description="Tokens that neighbouring windows share, where a context is longer than the network reads; at most "
        "half of what a window has of it.",
    )
    root: Path = Field(default=Path("data"), description="Where torchvision's data sets are, or are downloaded to.")
    size: Size | None = Field(
        default=None,
        description="Height and width given to the network, pixels; default: the source's preprocessing.",
    )
    channels: Literal[1, 3] | None = Field(
        default=None, description="Convert to grey (1) or RGB (3); default: as the data are."
    )
    fraction: Ratio = Field(
        default=1.0, gt=0, le=1, description="Class-balanced fraction of the training data to use, in (0, 1]."
    )
    per_class: int | None = Field(default=None, ge=1, description="Training examples per class, instead of a fraction.")
    validation: Ratio = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="Fraction of the used training data that is carved out as validation, in [0, 1).",
    )
    seed: int | None = later_field(
        None,
        description="Which seed chooses the fraction and the validation part; absent: each run's own. Where a ticket "
        "is drawn on the data that it is transferred to, one for all keeps what the draw has seen out of validation.",
    )
    test: Ratio = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="Fraction of the data carved out as test if the set has no test part, in (0, 1).",
    )
    ignore: tuple[Annotated[int, Field(ge=0, le=255)], ...] = Field(
        default=(), description="Values of label images that are not counted, besides 255; each in 0..255."
    )
    glyphs: GlyphSettings = Field(default=GlyphSettings(), description="Options of the built-in letters.")
    scenes: SceneSettings = later_field(SceneSettings(), description="Options of the built-in scenes.")
    tales: TaleSettings = later_field(TaleSettings(), description="Options of the built-in texts.")
    restoration: Restoration | None = later_field(
        None, description="Of a single picture, what is done to it, or was; absent: it is degraded already, by noise."
    )
    augmentation: Augmentation | None = Field(
        default=None, description="How training changes images; default: what suits the data set."
    )
    on_unreadable: Literal["refuse", "skip"] = Field(
        default="refuse",
        description="Refuse a folder with an unreadable image, or leave the image out and count it.",
    )
    workers: int = Field(default=0, ge=0, description="Processes that load and decode; 0: only the main one.")

    @model_validator(mode="after")
    def _one_amount(self) -> "DataSettings":
        if self.per_class is not None and self.fraction != 1.0:
            raise ValueError("fraction and per_class exclude each other; give one")
        return self
