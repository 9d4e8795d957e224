"""From images with label images to `DataSplits`: semantic segmentation."""

from collections.abc import Mapping
from dataclasses import replace

import torch

from robust_tickets.data.augmentation import NoAugmentation
from robust_tickets.data.carving import carve, undivided
from robust_tickets.data.colours import converted
from robust_tickets.data.file_facts import image_facts, label_facts, usable
from robust_tickets.data.fit import Interpolation
from robust_tickets.data.folder import Skipped
from robust_tickets.data.geometry import geometry
from robust_tickets.data.label_values import LabelValues, named_values, values_present
from robust_tickets.data.part_names import PartName
from robust_tickets.data.parts import PixelsFound
from robust_tickets.data.pixel_images import PixelFit, PixelImages, decode_pairs
from robust_tickets.data.pixel_listing import PixelListing
from robust_tickets.data.scale_crop import ScaleCrop
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError


def pixel_splits(
    found: PixelsFound,
    settings: DataSettings,
    channels: int | None,
    interpolation: Interpolation,
    seed: int,
    *,
    trains: bool = True,
) -> DataSplits:
    """Return honest train, validation and test parts of images whose every pixel has a label.

    The classes are those that the set names; where it names none, the values in the label images of its training
    part. The value 255 and those of `ignore` count for nothing. Images are given out at the settings' `size`, or
    at the one they share: a network that labels pixels takes any size, so its source's is no guide.

    Args:
        found: parts of `PixelListing`.
        settings: fractions, size, values to ignore and the rest.
        channels: convert to grey (1) or RGB (3); the settings' own wins. None: as the images are.
        interpolation: the filter used for resizing images.
        seed: decides which images make the fraction and the validation part.
        trains: whether a training follows; see `load_data`.

    Raises:
        UserError: files are unreadable, differ in size while none is asked for, or do not belong together; a label
            value means nothing; or an option is for images with one label.
    """
    if settings.per_class is not None:
        raise UserError(f"{found.name}: its images have no class of their own to count per_class; use fraction")
    augmentation = settings.augmentation or ScaleCrop()
    if not isinstance(augmentation, NoAugmentation | ScaleCrop):
        raise UserError(
            f"{found.name}: augmentation {augmentation.kind} moves images and not their label images; use scale-crop "
            "or none"
        )
    skipped: Skipped = ()
    if settings.on_unreadable == "skip":
        found, skipped = readable_pairs(found)
    values = meaning(found, settings)
    classes = (
        tuple(found.classes[value] for value in values.classes) if found.classes else tuple(map(str, values.classes))
    )
    parts, notes = carve(found.parts, found.name, (), settings, seed) if trains else undivided(found.parts)
    size, used_channels = geometry(list(parts.values()), settings.size, settings.channels or channels)
    fit = PixelFit(size, used_channels, interpolation)
    final: dict[PartName, PixelImages] = {name: decode_pairs(part, values, fit) for name, part in parts.items()}
    return DataSplits(
        train=final["train"],
        validation=final["validation"],
        test=final["test"],
        classes=classes,
        channels=used_channels,
        size=size,
        name=found.name,
        augmentation=augmentation,
        workers=settings.workers,
        skipped=skipped,
        notes=(*notes, *remarks(found, values, final), *converted(final.values(), used_channels)),
    )


def meaning(found: PixelsFound, settings: DataSettings) -> LabelValues:
    """Return what label values mean, by the names of the classes or by what the training part holds."""
    if found.classes:
        return named_values(found.classes, settings.ignore)
    train = found.parts.get("train") or next(iter(found.parts.values()))
    facts = usable(label_facts(train.root, train.label_files))
    return values_present((one.values for one in facts), settings.ignore, train.root)


def remarks(found: PixelsFound, values: LabelValues, final: Mapping[PartName, PixelImages]) -> tuple[str, ...]:
    """Return what a reader has to know about labels and sizes, one sentence each."""
    train, test = final["train"], final["test"]
    said = [] if found.classes else ["classes are the label values of the training part"]
    present = {value for _, label in train.facts for value in label.values}
    if absent := [found.classes[value] for value in values.classes if found.classes and value not in present]:
        said.append(f"no training image has a pixel of {enumerated(absent)}")
    if values.ignore:
        said.append(f"the label values {', '.join(map(str, values.ignore))} count for nothing, like 255")
    if any((image.height, image.width) != test.fit.size for image, _ in test.facts):
        said.append(f"images are scaled to fit into {test.fit.size[0]} x {test.fit.size[1]} pixels; the rest is void")
    return tuple(said)


def readable_pairs(found: PixelsFound) -> tuple[PixelsFound, Skipped]:
    """Return the same parts without pairs of which a file cannot be read, and those files."""
    kept: dict[PartName, PixelListing] = {}
    skipped: Skipped = ()
    for name, part in found.parts.items():
        good = []
        sides = (image_facts(part.root, part.files), label_facts(part.root, part.label_files))
        for index, pair in enumerate(zip(*sides, strict=True)):
            places = (part.path(index), part.label_path(index))
            faults = [(str(p), str(one)) for p, one in zip(places, pair, strict=True) if isinstance(one, UserError)]
            skipped += tuple(faults[:1])
            good += [] if faults else [index]
        kept[name] = part.subset(torch.tensor(good, dtype=torch.long))
        if not good:
            raise UserError(f"{part.root}: none of its images can be read with their label images")
    return replace(found, parts=kept), skipped
