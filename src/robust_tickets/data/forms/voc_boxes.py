"""Boxes in Pascal VOC's layout: JPEGImages/, an XML file for each in Annotations/, and the parts in ImageSets/Main/."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.forms.folder import images_below
from robust_tickets.data.forms.form import DataForm
from robust_tickets.data.images.encoded import FolderFiles
from robust_tickets.data.images.image_files import SUFFIXES
from robust_tickets.data.images.stored_images import StoredImages
from robust_tickets.data.names import PartName, part_of, require_once
from robust_tickets.data.targets.boxes import HUGE, Boxes
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_lines

IMAGES, ANNOTATIONS, SETS, CLASSES = "JPEGImages", "Annotations", "ImageSets/Main", "classes.txt"


class Annotated(NamedTuple):
    """What an annotation file says of its image."""

    objects: list[tuple[Sequence[float], str]]
    """Left, top, right, bottom in pixels, and the class's name."""
    size: tuple[int, int]
    """Height and width; 0 where it does not say."""
    fault: str | None = None


def is_voc(root: Path) -> bool:
    """Return whether a folder is laid out as Pascal VOC's."""
    return (root / IMAGES).is_dir() and ((root / ANNOTATIONS).is_dir() or (root / SETS).is_dir())


def read_voc_boxes(root: Path) -> Found:
    """Return the images of a folder, with the objects in their annotation files.

    `ImageSets/Main/train.txt`, `val.txt` and `test.txt` list the parts (`trainval.txt` serves where train.txt is not
    there); without them all images are one part. Classes are the lines of `classes.txt`, else the names in the
    annotations, in order. An image without an annotation file has no objects.

    Raises:
        UserError: an image is listed twice or is not there, two files have its name, parts share one, or there are
            none.
    """
    if not (root / ANNOTATIONS).is_dir():
        raise UserError(f"{root}: has {IMAGES}/ but no {ANNOTATIONS}/; add the annotation files")
    there = sorted(images_below(root / IMAGES))
    require_once((Path(name).stem for name in there), f"{root / IMAGES}: the image")
    files = {Path(name).stem: name for name in there}
    parts = listed(root) or {"train": sorted(files)}
    known: dict[str, str] = {}
    for part, names in parts.items():
        require_once(names, f"{root / SETS}: in {part}, the image")
        for name in names:
            if known.setdefault(name, part) != part:
                raise UserError(f"{root / SETS}: the image {name} is in {known[name]} and in {part}; keep it in one")
    found = {name: annotated(root / ANNOTATIONS / f"{name}.xml") for name in known}
    classes = class_names(root, [one for one in found.values() if one is not None])
    number = {name: label for label, name in enumerate(classes)}
    listings: dict[PartName, Listing] = {
        part: list_voc(root, names, files, found, number) for part, names in parts.items()
    }
    without = sum(one is None for one in found.values())
    notes = [f"without a file in {ANNOTATIONS}/, and so without objects, images: {without:,}"] if without else []
    if others := len(set(files) - set(known)):
        notes.append(f"left out of {IMAGES}/, images in no part: {others:,}")
    return Found(listings, classes, root.resolve().name, notes=tuple(notes))


def listed(root: Path) -> dict[PartName, list[str]]:
    """Return the images of each part, as ImageSets/Main/ lists them; {} where there are no such lists.

    Raises:
        UserError: a list is empty, or has names with extensions.
    """
    lists = {path.stem.lower(): path for path in sorted((root / SETS).glob("[!.]*.txt"))}
    found: dict[PartName, list[str]] = {}
    for stem, path in lists.items():
        part = part_of(stem) or ("train" if stem == "trainval" and "train" not in lists else None)
        if part is not None:
            # Lists of one class have a second column.
            found[part] = [line.split()[0] for line in read_lines(path) if line]
            if not found[part]:
                raise UserError(f"{path}: lists no images; remove it, or name some")
            if Path(found[part][0]).suffix.lower() in SUFFIXES:
                raise UserError(f"{path}: lists {found[part][0]}; give the names of images without their extensions")
    return found


def annotated(path: Path) -> Annotated | None:
    """Return what an annotation file says; None where there is none.

    Pixels are counted from 1 in it, and the last column and row belong to a box.
    """
    if not path.is_file():
        return None
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        return Annotated([], (0, 0), f"is not valid XML ({error})")
    if root.tag != "annotation":
        return Annotated([], (0, 0), f"is no annotation of Pascal VOC's: it holds <{root.tag}>, not <annotation>")
    sides = [root.findtext(f"size/{side}") or "0" for side in ("height", "width")]
    try:
        height, width = (int(float(side)) for side in sides)
    except (ValueError, OverflowError):
        height = width = -1
    if not (0 <= height < HUGE and 0 <= width < HUGE):
        return Annotated([], (0, 0), f"gives the size {sides[1]} x {sides[0]}, which should be numbers of pixels")
    objects: list[tuple[Sequence[float], str]] = []
    for number, one in enumerate(root.findall("object"), 1):
        name = (one.findtext("name") or "").strip()
        texts = [one.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
        try:
            left, top, right, bottom = (float(text or "none") for text in texts)
        except ValueError:
            return Annotated([], (0, 0), f"object {number} has no bndbox of four numbers")
        if not name:
            return Annotated([], (0, 0), f"object {number} has no name")
        objects.append(((left - 1, top - 1, right, bottom), name))
    return Annotated(objects, (height, width))


def class_names(root: Path, found: Sequence[Annotated]) -> tuple[str, ...]:
    """Return the classes, in the order of labels.

    Raises:
        UserError: `classes.txt` names one twice, or lacks one that some object has.
    """
    present = sorted({name for one in found for _, name in one.objects})
    path = root / CLASSES
    if not path.is_file():
        return tuple(present)
    names = tuple(line for line in read_lines(path) if line)
    require_once(names, f"{path}: the class")
    if strange := [name for name in present if name not in names]:
        raise UserError(f"{path}: objects are of classes that it does not name: {enumerated(strange)}; add them")
    return names


def list_voc(
    root: Path,
    names: Sequence[str],
    files: dict[str, str],
    found: dict[str, Annotated | None],
    number: dict[str, int],
) -> Listing:
    """Return the images of one part with their objects."""
    each = [found[name] or Annotated([], (0, 0)) for name in names]
    faults = {place: one.fault for place, one in enumerate(each) if one.fault is not None}
    faults |= {place: f"its image is missing in {IMAGES}/" for place, name in enumerate(names) if name not in files}
    targets = Boxes.of(
        [[(box, number[name]) for box, name in one.objects] for one in each],
        [str(root / ANNOTATIONS / f"{name}.xml") for name in names],
        [one.size for one in each],
        faults,
    )
    images = [files.get(name, f"{name}.jpg") for name in names]
    return Listing.whole(StoredImages(FolderFiles(root / IMAGES, images)), targets)


VOC_BOXES = DataForm("a folder of JPEGImages/ and Annotations/", is_voc, lambda place: read_voc_boxes(place.path))
