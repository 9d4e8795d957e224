"""PASCAL VOC's semantic segmentation, as torchvision lays it out."""

from pathlib import Path
from typing import Any

from torchvision.datasets import VOCSegmentation

from robust_tickets.data.names import VOC
from robust_tickets.data.part_names import PartName
from robust_tickets.data.parts import PixelsFound
from robust_tickets.data.pixel_listing import PixelListing
from robust_tickets.foundation.errors import UserError

YEAR = "2012"
CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""In the order of label values; 255, the borders of objects, is void."""
PARTS: dict[PartName, str] = {"train": "train", "validation": "val"}
"""The names of the parts whose labels are public."""


def read_voc(root: Path) -> PixelsFound:
    """Return VOC 2012's train and val parts below `root/VOCdevkit`, downloaded where they are not there.

    Raises:
        UserError: the files are neither there nor can be fetched, or an image has no label image.
    """
    place = root / "VOCdevkit" / f"VOC{YEAR}"
    fetch = not (place / "ImageSets" / "Segmentation").is_dir()
    parts: dict[PartName, PixelListing] = {}
    for part, word in PARTS.items():
        try:
            dataset: Any = VOCSegmentation(root, year=YEAR, image_set=word, download=fetch)
        except (RuntimeError, OSError) as error:
            raise UserError(
                f"torchvision/{VOC}: is not whole in {root} and could not be fetched ({error}); put "
                f"VOCdevkit/VOC{YEAR} there or set `root`"
            ) from error
        pairs = [
            tuple(Path(path).relative_to(place).as_posix() for path in pair)
            for pair in zip(dataset.images, dataset.masks, strict=True)
        ]
        for image, label in pairs:
            if missing := [name for name in (image, label) if not (place / name).is_file()]:
                raise UserError(f"{place / missing[0]}: is missing, and {word}.txt names it; get the set again")
        parts[part] = PixelListing(place, tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs))
    return PixelsFound(parts, CLASSES, f"torchvision/{VOC}")
