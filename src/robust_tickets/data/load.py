"""From any of the accepted forms of data to `DataSplits`."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader, Dataset

from robust_tickets.data.arrays import ImageArrays
from robust_tickets.data.augmentation import Augmentation, FlipCrop, NoAugmentation, RandomResizedCrop
from robust_tickets.data.carving import carve, check_classes, undivided
from robust_tickets.data.colours import converted, image_channels
from robust_tickets.data.fit import Fit, Interpolation
from robust_tickets.data.folder import FolderImages, Skipped, decode, without_unreadable
from robust_tickets.data.geometry import geometry
from robust_tickets.data.listing import Listing
from robust_tickets.data.part_names import PartName
from robust_tickets.data.parts import Found, PixelsFound
from robust_tickets.data.pixels import pixel_splits
from robust_tickets.data.readers import read
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.data.user import UserImages
from robust_tickets.data.user_sets import read_user_sets
from robust_tickets.foundation.errors import UserError

SMALL = 64
"""Files up to this side are cropped and flipped in training; larger ones are photographs."""

UserSet = Dataset[Any] | DataLoader[Any]
DataLike = DataSettings | str | Path | DataSplits | UserSet | tuple[UserSet, ...] | Mapping[str, UserSet]
"""Everything that `load_data` understands."""


def load_data(
    data: DataLike,
    *,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    interpolation: Interpolation = "bilinear",
    crop_fraction: float = 1.0,
    seed: int = 0,
    trains: bool = True,
) -> DataSplits:
    """Return honest train, validation and test parts of images in [0, 1].

    Validation is carved from the training data: seeded, class-balanced, out of the fraction that is used.
    A set that comes as train and val only has its val *as test*, and validation is carved from train. A set
    without either has a fixed test part carved out, the same for every seed. Test data are otherwise
    untouched. For one seed, smaller fractions lie inside larger ones. Images with a label image each are
    described in `pixels.py`.

    Args:
        data: settings; a name or path alone; a map-style torch data set of (image, label), or a loader of
            one; a tuple (train, test) or (train, validation, test), or a mapping of part names to such.
            Images are PIL, uint8, or floats in [0, 1]; a user's own transforms are kept, collation is not.
            `DataSplits` are returned as they are.
        size: height and width given to the network, usually the source's; the settings' own size wins.
            None: as the images are.
        channels: convert to grey (1) or RGB (3), counted in the notes; the settings' own wins. None: as the images are,
            RGB where only some are grey.
        interpolation: the filter used for resizing.
        crop_fraction: part of a resized photograph's side that the centre crop keeps, in (0, 1].
        seed: decides which images make the fraction and the validation part.
        trains: whether a training follows. Otherwise all is test that can be: the test part, or else validation, or
            else the undivided set; no image is carved out of it, and it may have classes that train/ lacks.

    Raises:
        UserError: the data are missing, unreadable, unlabelled, or of several sizes while none is asked for.
    """
    if isinstance(data, DataSplits):
        return data
    if isinstance(data, str | Path):
        data = DataSettings(name=str(data))
    if isinstance(data, DataSettings):
        settings, found = data, read(data, trains=trains)
    else:
        found = read_user_sets(data)
        settings = DataSettings(name=found.name)
    if isinstance(found, PixelsFound):
        return pixel_splits(found, settings, channels, interpolation, seed, trains=trains)
    if settings.ignore:
        raise UserError(f"{found.name}: labels whole images; `ignore` is for values of label images, leave it out")
    skipped: Skipped = ()
    if settings.on_unreadable == "skip":
        found, skipped = readable(found)
    remarks = check_classes(found, trains=trains)
    if trains:
        parts, carved = carve(found.parts, found.name, found.classes, settings, seed)
    else:
        parts, carved = undivided(found.parts)
    wanted_size = settings.size or ((size, size) if isinstance(size, int) else size)
    used_size, used_channels = geometry(list(parts.values()), wanted_size, settings.channels or channels)
    fit = Fit(used_size, used_channels, interpolation, crop_fraction)
    final: dict[PartName, ImageArrays | FolderImages | UserImages] = {
        name: decode(part, fit) if isinstance(part, Listing) else part.refitted(fit) for name, part in parts.items()
    }
    # Arrays and a user's items show what they were only before they are fitted, files also afterwards.
    before = {name: final[name] if isinstance(part, Listing) else part for name, part in parts.items()}
    return DataSplits(
        train=final["train"],
        validation=final["validation"],
        test=final["test"],
        classes=found.classes,
        channels=used_channels,
        size=used_size,
        name=found.name,
        augmentation=settings.augmentation or found.augmentation or suited(before["train"])
        if trains
        else NoAugmentation(),
        workers=settings.workers,
        skipped=skipped,
        notes=(*found.notes, *remarks, *carved, *converted(before.values(), used_channels)),
    )


def readable(found: Found) -> tuple[Found, Skipped]:
    """Return the same parts without files that cannot be read, and those files."""
    parts, skipped = dict(found.parts), ()
    for name, part in found.parts.items():
        if isinstance(part, Listing):
            parts[name], left_out = without_unreadable(part)
            skipped += left_out
    return replace(found, parts=parts), skipped


def suited(train: ImageArrays | FolderImages | UserImages) -> Augmentation:
    """Return what training should do to the images where nobody said: a user's data set has its own."""
    if isinstance(train, UserImages):
        return NoAugmentation()
    if isinstance(train, FolderImages) and max(train.original(0).size) > SMALL:
        return RandomResizedCrop()
    # Grey images are mostly digits and letters, which must not be mirrored.
    return FlipCrop(flip=3 in image_channels(train))
