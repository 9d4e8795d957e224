"""From images with label images to `DataSplits`: semantic segmentation."""

from dataclasses import replace

import torch

from robust_tickets.data.augmentation import NoAugmentation
from robust_tickets.data.carving import carve
from robust_tickets.data.fit import Interpolation
from robust_tickets.data.folder import Skipped
from robust_tickets.data.geometry import geometry
from robust_tickets.data.image_files import in_threads, open_image
from robust_tickets.data.label_values import LabelValues, named_values, read_label, values_present
from robust_tickets.data.parts import PartName, PixelsFound
from robust_tickets.data.pixel_images import PixelFit, PixelImages, decode_pairs
from robust_tickets.data.pixel_listing import PixelListing
from robust_tickets.data.scale_crop import ScaleCrop
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError


def pixel_splits(
    found: PixelsFound, settings: DataSettings, channels: int | None, interpolation: Interpolation, seed: int
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
    parts, notes = carve(found.parts, found.name, (), settings, seed)
    size, used_channels = geometry(list(parts.values()), settings.size, settings.channels or channels)
    fit = PixelFit(size, used_channels, interpolation)
    final = {name: decode_pairs(part, values, fit) for name, part in parts.items()}
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
        notes=(*notes, *remarks(found, values, final["test"])),
    )


def meaning(found: PixelsFound, settings: DataSettings) -> LabelValues:
    """Return what label values mean, by the names of the classes or by what the training part holds."""
    if found.classes:
        return named_values(found.classes, settings.ignore)
    train = found.parts.get("train") or next(iter(found.parts.values()))
    return values_present(train, settings.ignore)


def remarks(found: PixelsFound, values: LabelValues, test: PixelImages) -> tuple[str, ...]:
    """Return what a reader has to know about labels and sizes, one sentence each."""
    said = [] if found.classes else ["classes are the label values of the training part"]
    if values.ignore:
        said.append(f"the label values {', '.join(map(str, values.ignore))} count for nothing, like 255")
    whole = [open_image(test.listing.path(index)).size for index in range(min(1, len(test)))]
    if any(size != (test.fit.size[1], test.fit.size[0]) for size in whole):
        said.append(f"images are scaled to fit into {test.fit.size[0]} x {test.fit.size[1]} pixels; the rest is void")
    return tuple(said)


def readable_pairs(found: PixelsFound) -> tuple[PixelsFound, Skipped]:
    """Return the same parts without pairs of which a file cannot be read, and those files."""
    kept: dict[PartName, PixelListing] = {}
    skipped: Skipped = ()
    for name, part in found.parts.items():

        def problem(index: int, part: PixelListing = part) -> tuple[str, str] | None:
            for path, read in ((part.path(index), open_image), (part.label_path(index), read_label)):
                try:
                    read(path)
                except UserError as error:
                    return str(path), str(error)
            return None

        problems = in_threads(problem, range(len(part.files)))
        skipped += tuple(fault for fault in problems if fault is not None)
        kept[name] = part.subset(torch.tensor([fault is None for fault in problems]).nonzero().flatten())
        if not kept[name].files:
            raise UserError(f"{part.root}: none of its images can be read with their label images")
    return replace(found, parts=kept), skipped
