"""Data and head as a network needs them, and settings with keyword changes: what every verb begins with."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from robust_tickets.data import DataSettings, DataSplits, load_data
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings, parse
from robust_tickets.models.classifier import Classifier
from robust_tickets.models.preprocessing import Preprocessing
from robust_tickets.models.sources import Source

Data = Any
"""A name, a path, `DataSettings`, `DataSplits`, a torch `Dataset` or `DataLoader`, or a dict of such parts."""

Kind = TypeVar("Kind", bound=Settings)


def target_data(data: Data, source: Source, seed: int) -> DataSplits:
    """Load data at the size, interpolation and channel count of a source's preprocessing.

    Raises:
        UserError: the data cannot be read, or have another channel count than the network.
    """
    preprocessing = source.classifier.preprocessing
    if isinstance(data, str | Path):
        data = DataSettings(name=str(data))
    if isinstance(data, DataSettings):
        splits = _remembered(data.model_dump_json(), preprocessing.model_dump_json(), seed)
    else:
        splits = _load(data, preprocessing, seed)
    splits.require_channels(preprocessing.channels, source.identity.name)
    return splits


def _load(data: Data, preprocessing: Preprocessing, seed: int) -> DataSplits:
    return load_data(
        data,
        size=preprocessing.size,
        interpolation=preprocessing.interpolation,
        crop_fraction=preprocessing.crop_fraction,
        seed=seed,
    )


@lru_cache(maxsize=8)
def _remembered(data: str, preprocessing: str, seed: int) -> DataSplits:
    """Keep the last few, since every ticket of a grid meets the same data under the same seeds."""
    return _load(DataSettings.model_validate_json(data), Preprocessing.model_validate_json(preprocessing), seed)


def fit_head(
    classifier: Classifier, splits: DataSplits, head: Literal["fresh", "keep"], seed: int, where: str = "head"
) -> None:
    """Give the network the head that it is trained with; `where` names the setting in a complaint.

    Raises:
        UserError: the head is to be kept and tells another number of classes apart.
    """
    if head == "fresh":
        classifier.reset_head(len(splits.classes), seed)
    elif classifier.num_classes != len(splits.classes):
        raise UserError(
            f"{where}: keep: the network tells {classifier.num_classes} classes apart, {splits.name} has "
            f"{len(splits.classes)}; use {where}: fresh"
        )


def changed(settings: Kind, changes: dict[str, Any], where: str = "") -> Kind:
    """Return validated settings with `changes` merged into them; nested changes are dictionaries.

    `where` names the place of the changes in a complaint.

    Raises:
        UserError: an unknown key or a value out of range.
    """
    return parse(type(settings), merged(settings.model_dump(), changes), where) if changes else settings


def merged(base: Any, changes: Any) -> Any:
    """Return `base` with `changes` over it; a dictionary that names another `kind` replaces the old one."""
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return changes.model_dump() if isinstance(changes, Settings) else changes
    if "kind" in changes and changes["kind"] != base.get("kind"):
        return changes
    return {**base, **{key: merged(base.get(key), value) for key, value in changes.items()}}
