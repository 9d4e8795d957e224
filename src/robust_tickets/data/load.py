"""From any of the accepted forms of data to `DataSplits`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from robust_tickets.data import digits as digit_set
from robust_tickets.data import glyphs as glyph_set
from robust_tickets.data.arrays import ImageArrays
from robust_tickets.data.augmentation import Affine, Augmentation, RandomResizedCrop
from robust_tickets.data.decoding import common_geometry, decode
from robust_tickets.data.fit import Fit, Interpolation
from robust_tickets.data.folder import Listing, class_folders, list_folder
from robust_tickets.data.fractions import choose
from robust_tickets.data.npz import read_npz
from robust_tickets.data.parts import PART_NAMES, Found, PartName, Source, array_augmentation
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits, Part
from robust_tickets.data.user import UserImages
from robust_tickets.foundation.errors import UserError

TEST_SEED = 0
"""Test parts are carved alike whatever the run's seed, so that no run trains on another's test images."""


def read_digits() -> Found:
    """Return the handwritten digits, 60% for training and a fixed, stratified 40% as test."""
    arrays = digit_set.digits()
    train, test = choose(arrays.labels, digit_set.CLASSES, hold_out=0.4, seed=TEST_SEED, stream="test")
    parts: dict[PartName, Source] = {"train": arrays.subset(train), "test": arrays.subset(test)}
    return Found(parts, digit_set.CLASSES, "digits", Affine())


def read_glyphs(settings: glyph_set.GlyphSettings) -> Found:
    """Return the built-in letters."""
    parts: dict[PartName, Source] = {
        "train": glyph_set.glyphs(settings, "train"),
        "test": glyph_set.glyphs(settings, "test"),
    }
    return Found(parts, glyph_set.CLASSES, "glyphs", Affine())


def read_image_folder(root: Path) -> Found:
    """Return the images of a folder with one subfolder a class, in train/, val/ and test/ or not.

    Raises:
        UserError: parts differ in their classes, or train/ is missing.
    """
    folders = {folder.name: folder for folder in class_folders(root)}
    named = {
        PART_NAMES[name.lower()]: folder for name, folder in folders.items() if name.lower() in PART_NAMES
    }
    if not (
        named
        and (
            len(named) == len(folders)
            or {"train", "test"} <= named.keys()
            or {"train", "validation"} <= named.keys()
        )
    ):
        listing = list_folder(root)
        return Found({"train": listing}, listing.classes, root.name)
    if "train" not in named:
        raise UserError(
            f"{root}: has {', '.join(sorted(folders))} and no train/; add the training images as train/"
        )
    listings = {part: list_folder(folder) for part, folder in named.items()}
    train = listings["train"]
    for part, listing in listings.items():
        if listing.classes != train.classes:
            extra = sorted(set(listing.classes) - set(train.classes)) or ["none"]
            missing = sorted(set(train.classes) - set(listing.classes)) or ["none"]
            raise UserError(
                f"{named[part]}: its class folders are not those of {named['train'].name}/; missing: "
                f"{', '.join(missing)}; unknown: {', '.join(extra)}"
            )
    return Found(dict(listings), train.classes, root.name)


def read_path(path: Path) -> Found:
    """Return the parts found at a path.

    Raises:
        UserError: there is nothing that can be read as images with labels.
    """
    if path.is_file():
        if path.suffix == ".npz":
            return read_npz([path], path.stem)
        raise UserError(
            f"{path}: is a file but no .npz; give a folder with one subfolder a class, or an .npz file"
        )
    if not path.is_dir():
        raise UserError(
            f"{path}: no such folder or file; built in are glyphs and digits, and torchvision/NAME is understood"
        )
    if archives := sorted(path.glob("[!.]*.npz")):
        return read_npz(archives, path.name)
    return read_image_folder(path)


def suited_augmentation(found: Found, fit: Fit) -> Augmentation:
    """Return what training should do to the images where nobody said."""
    if found.augmentation is not None:
        return found.augmentation
    if isinstance(found.parts["train"], Listing) and max(fit.size) > 64:
        return RandomResizedCrop()
    return array_augmentation(fit.channels)


def load_data(
    data: Any,
    *,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    interpolation: Interpolation = "bilinear",
    crop_fraction: float = 1.0,
    seed: int = 0,
) -> DataSplits:
    """Return the three parts."""
    settings = data if isinstance(data, DataSettings) else DataSettings(name=str(data))
    if settings.name == "glyphs":
        found = read_glyphs(settings.glyphs)
    elif settings.name == "digits":
        found = read_digits()
    else:
        found = read_path(Path(settings.name).expanduser())
    size = (size, size) if isinstance(size, int) else size
    return split(
        found,
        settings,
        settings.size or size,
        settings.channels or channels,
        interpolation,
        crop_fraction,
        seed,
    )


def split(found, settings, size, channels, interpolation, crop_fraction, seed) -> DataSplits:
    parts, notes = dict(found.parts), list(found.notes)
    if "test" not in parts and "validation" in parts:
        parts["test"] = parts.pop("validation")
        notes.append(
            "there is no test part: the validation part serves as test, and validation is carved from train"
        )
    if "test" not in parts:
        kept, held = choose(
            parts["train"].labels, found.classes, hold_out=settings.test, seed=TEST_SEED, stream="test"
        )
        parts["test"], parts["train"] = parts["train"].subset(held), parts["train"].subset(kept)
        notes.append(f"test is a fixed {settings.test:.0%} of each class")
    hold_out = 0.0 if "validation" in parts else settings.validation
    kept, held = choose(
        parts["train"].labels,
        found.classes,
        fraction=settings.fraction,
        per_class=settings.per_class,
        hold_out=hold_out,
        seed=seed,
        stream="validation",
    )
    parts.setdefault("validation", parts["train"].subset(held))
    parts["train"] = parts["train"].subset(kept)
    listings = [part for part in parts.values() if isinstance(part, Listing)]
    skipped = ()
    if listings:
        size, channels = common_geometry(listings, size, channels)
    else:
        first = parts["train"]
        size, channels = size or first.size, channels or first.channels
    fit = Fit(size, channels, interpolation, crop_fraction)
    final = {}
    for name, part in parts.items():
        if isinstance(part, Listing):
            final[name], left = decode(part, fit, settings.on_unreadable)
            skipped += left
        else:
            final[name] = part.fitted(size, channels, interpolation)
    return DataSplits(
        final["train"],
        final["validation"],
        final["test"],
        found.classes,
        channels,
        size,
        found.name,
        settings.augmentation or suited_augmentation(found, fit),
        skipped,
        tuple(notes),
    )
