"""From any of the accepted forms of data to `DataSplits`."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from robust_tickets.data.augmentation import AUGMENTATIONS, NoAugmentation
from robust_tickets.data.carving import carve, undivided
from robust_tickets.data.examples import Examples, Found, Listing
from robust_tickets.data.fitting import Interpolation, Wanted
from robust_tickets.data.forms.user_sets import read_user_sets
from robust_tickets.data.inputs import Fault
from robust_tickets.data.names import PartName
from robust_tickets.data.readers import read
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.latent_noise import LatentNoise
from robust_tickets.tokens.format import TokenFormat

MEMORY_LIMIT = 2**30
"""Bytes up to which a part is kept decoded."""

DECODED_AHEAD = 50_000
"""Images up to which a set is decoded before training, where it is kept: a matter of seconds."""

UserSet = Dataset[Any] | DataLoader[Any] | list[Any]
DataLike = DataSettings | str | Path | DataSplits | UserSet | tuple[UserSet, ...] | Mapping[str, UserSet]
"""Everything that `load_data` understands."""


def load_data(
    data: DataLike,
    *,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    interpolation: Interpolation = "bilinear",
    crop_fraction: float = 1.0,
    tokens: TokenFormat | None = None,
    latent: LatentNoise | None = None,
    seed: int = 0,
    trains: bool = True,
) -> DataSplits:
    """Return honest train, validation and test parts: of images in [0, 1], or of texts.

    Validation is carved from the training data: seeded, class-balanced, out of the fraction that is used.
    If a set comes as train and val only, its val serves *as test*, and validation is carved from train. If a set
    has neither, a fixed test part is carved out, the same for every seed. Test data are otherwise
    untouched. For one seed, smaller fractions are contained in larger ones. Rules for a single kind of target
    are in its own file.

    Args:
        data: settings; a name or path alone; a map-style torch data set of (image, label) or (text, label), a loader
            of one, or a list of such pairs; a tuple (train, test) or (train, validation, test), or a mapping of part
            names to such. Images are PIL, uint8, or floats in [0, 1]; a user's own transforms are kept, collation is
            not. A text is a string, two strings, or a mapping of columns as in files.
            `DataSplits` are returned as they are.
        size: height and width given to the network, usually the source's; the settings' own size wins.
            None: as the images are.
        channels: convert to grey (1) or RGB (3), counted in the notes; the settings' own wins. None: as the images are,
            RGB if only some are grey.
        interpolation: the filter used for resizing.
        crop_fraction: part of a resized photograph's side that the centre crop keeps, in (0, 1].
        tokens: how a network takes texts, which data of texts need: `source.network.interface.format`.
        latent: the noise of a generator, which a single picture needs: `source.network.interface.noise`.
        seed: decides which examples make the fraction and the validation part.
        trains: whether a training follows. Otherwise all is test that can be: the test part, or else validation, or
            else the undivided set; no image is carved out of it, and it may have classes that train/ lacks.

    Raises:
        UserError: the data are missing, unreadable, unlabelled, or of several sizes while none is asked for.
    """
    if isinstance(data, DataSplits):
        return data
    if isinstance(data, str | Path):
        data = DataSettings(name=str(data))
    if isinstance(size, int):
        size = (size, size)
    asked = Wanted(
        # What was read from a file may be a list.
        size=None if size is None else (size[0], size[1]),
        channels=channels,
        interpolation=interpolation,
        crop_fraction=crop_fraction,
        tokens=tokens,
        latent=latent,
        seed=seed,
        trains=trains,
        memory_limit=MEMORY_LIMIT,
    )
    if isinstance(data, DataSettings):
        return remembered(read(data, trains=trains), data.model_dump_json(), asked)
    found = read_user_sets(data)
    return divided(found, DataSettings(name=found.name), asked)


@lru_cache(maxsize=8)
def remembered(found: Found, settings: str, asked: Wanted) -> DataSplits:
    """Return `divided`, from settings as JSON: every ticket of a grid meets the same data under the same seeds."""
    return divided(found, DataSettings.model_validate_json(settings), asked)


def divided(found: Found, settings: DataSettings, asked: Wanted) -> DataSplits:
    """Return the parts that were found as train, validation and test; see `load_data`.

    What was found may be divided by many seeds: these choose indices, and share what is decoded.
    """
    kind = found.kind
    if (complaint := kind.complaint(settings, found.inputs.noun)) is not None:
        raise UserError(f"{found.name}: {complaint}")
    if settings.restoration is not None and not kind.is_restored:
        raise UserError(f"{found.name}: data.restoration is for a single picture; leave it out, or give an image file")
    require_movable(found, settings)
    skipped: tuple[Fault, ...] = ()
    if settings.on_unreadable == "skip":
        found, skipped = readable(found)
    found = kind.arranged(found, settings, asked)
    inputs = found.inputs
    checked = kind.checked(found, trains=asked.trains)
    if asked.trains:
        names = kind.balanced_over(found.classes)
        parts, carved = carve(found.parts, found.name, names, kind.divided(settings), asked.seed)
    else:
        parts, carved = undivided(found.parts)
    fit = inputs.fitting(parts, kind, settings, asked, found.name)
    chosen = list(parts.values())
    for name, part in parts.items():
        parts[name] = kind.presented(part, fit, settings)
    for name in ("validation", "test"):
        parts[name] = by_length(parts[name], fit)
    prepared: dict[PartName, Examples] = {
        name: Examples(part, fit, part.room(fit) <= asked.memory_limit) for name, part in parts.items()
    }
    ahead = sum(map(len, parts.values())) <= DECODED_AHEAD
    for part in prepared.values():
        part.prepare(ahead)
    classes, final = kind.understood(found, settings, prepared)
    return DataSplits(
        train=final["train"],
        validation=final["validation"],
        test=final["test"],
        classes=classes,
        fit=fit,
        name=found.name,
        augmentation=settings.augmentation or kind.suited(found, parts["train"]) if asked.trains else NoAugmentation(),
        workers=settings.workers,
        skipped=skipped,
        notes=(
            *found.notes,
            *checked,
            *carved,
            *kind.remarks(classes, final),
            *inputs.remarks(chosen, fit),
        ),
    )


def require_movable(found: Found, settings: DataSettings) -> None:
    """Refuse an augmentation that moves images but cannot move what is asked for with them; texts are refused later.

    Raises:
        UserError: says which would do.
    """
    augmentation = settings.augmentation
    if "pixel-inputs" in found.inputs.lacks or augmentation is None:
        return
    if not augmentation.needs <= found.kind.provides:
        usable = [kind for kind, needs in AUGMENTATIONS.items() if needs <= found.kind.provides]
        raise UserError(
            f"{found.name}: augmentation {augmentation.kind} moves images but not their {found.kind.noun}; use "
            f"{', '.join(usable[:-1])} or {usable[-1]}"
        )


def readable(found: Found) -> tuple[Found, tuple[Fault, ...]]:
    """Return the same parts without examples that cannot be read, and the files at fault.

    Raises:
        UserError: too little of a part is left.
    """
    parts: dict[PartName, Listing] = {}
    skipped: tuple[Fault, ...] = ()
    for name, part in found.parts.items():
        faults = part.faults()
        parts[name] = part.subset(torch.tensor([fault is None for fault in faults]).nonzero().flatten())
        found.kind.require_left(found, name, parts[name])
        skipped += tuple(fault for fault in faults if fault is not None)
    return replace(found, parts=parts), skipped


def by_length(part: Listing, fit: Any) -> Listing:
    """Return the examples of a part that is only measured, those of padded batches by length: little is padded then."""
    lengths = part.inputs.lengths(part.indices, fit)
    return part if lengths is None else part.subset(lengths.argsort(stable=True))
