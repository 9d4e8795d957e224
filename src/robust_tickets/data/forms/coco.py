"""Boxes in COCO's layout: one JSON file per part, and images near it or in a folder named like the part."""

import json
from collections.abc import Mapping, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, NamedTuple

from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.forms.folder import class_folders, images_below
from robust_tickets.data.forms.form import DataForm
from robust_tickets.data.images.encoded import FolderFiles
from robust_tickets.data.images.stored_images import StoredImages
from robust_tickets.data.names import PartName, distinct, part_in, part_of, require_once
from robust_tickets.data.targets.boxes import HUGE, Boxes
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_json

KEYS = ("images", "annotations", "categories")

Content = Mapping[str, Any]


class CocoPart(NamedTuple):
    """What one annotation file says."""

    listing: Listing
    path: Path
    """Of the annotation file."""
    place: Path
    """The folder that images are in."""
    names: list[str]
    """Of the images, as paths in that folder."""
    there: set[str]
    """All images in that folder."""
    crowds: int
    """How many there are."""


def coco_files(root: Path) -> list[Path]:
    """Return the annotation files of a folder; none where it has none in COCO's layout.

    They lie in `annotations/` (`instances_train2017.json`), in the folder itself, or in the folders of the parts.
    """
    if not root.is_dir():
        return []
    within = root / "annotations"
    places = [within] if within.is_dir() else [root, *(one for one in class_folders(root) if part_of(one.name))]
    files = [path for place in places for path in sorted(place.glob("[!.]*.json"))]
    # COCO's own folder has captions and key points of the same images too.
    if instances := [path for path in files if path.name.startswith("instances")]:
        return instances
    whole = [path for path in files if has_keys(path)]
    parts = {named_part(path) for path in whole} - {None}
    # One that is damaged is not passed over in silence where it alone is for its part.
    return [path for path in files if path in whole or (parts and named_part(path) not in {None, *parts})]


def named_part(path: Path) -> PartName | None:
    """Return which part a file is for, by its name or its folder's; None where these do not say."""
    return part_in(path.stem) or part_of(path.parent.name)


def has_keys(path: Path) -> bool:
    """Return whether a JSON file has COCO's keys. It may be large, and is searched for them, not parsed."""
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return all(content.find(f'"{key}"'.encode()) >= 0 for key in KEYS)


def read_coco(root: Path) -> Found:
    """Return the images and boxes that annotation files list; the file's name or its folder says which part it is for.

    Crowds (`iscrowd`) are left out and counted, and so are image files that no annotation file lists.

    Raises:
        UserError: a file lists an image, an annotation or a category twice, an annotation is of an image or a category
            that it does not list or has no box, files name other categories, two are for one part, or parts share an
            image.
    """
    files = coco_files(root)
    keys: dict[Path, PartName | None] = {path: named_part(path) for path in files}
    if len(files) == 1:
        parts: dict[PartName, Path] = {keys[files[0]] or "train": files[0]}
    else:
        if unknown := [path for path, part in keys.items() if part is None]:
            raise UserError(f"{unknown[0]}: its name does not say which part it is for: train, val or test")
        names = distinct(((str(path), part) for path, part in keys.items()), str(root))
        parts = {part: Path(name) for part, name in names.items()}
    classes: tuple[str, ...] = ()
    read: dict[PartName, CocoPart] = {}
    for part, path in parts.items():
        content = coco_content(path)
        numbers, own = categories(path, content)
        classes = classes or own
        if set(own) != set(classes):
            other = sorted(set(own) ^ set(classes))
            raise UserError(f"{path}: its categories are not those of the other parts: {enumerated(other)}")
        order = {identity: classes.index(name) for identity, name in numbers.items()}
        read[part] = list_coco(root, part, path, content, order)
    notes = [f"left out of {one.path.name}, crowds: {one.crowds:,}" for one in read.values() if one.crowds]
    listings: dict[PartName, Listing] = {part: one.listing for part, one in read.items()}
    return Found(listings, classes, root.resolve().name, notes=(*notes, *unlisted(read)))


def coco_content(path: Path) -> Content:
    """Return the content of an annotation file.

    Raises:
        UserError: it is damaged, or its lists are no lists.
    """
    content = read_json(path)
    if lacking := [key for key in KEYS if not isinstance(content, Mapping) or not isinstance(content.get(key), list)]:
        raise UserError(f"{path}: {enumerated(lacking)} should be lists of objects, as in COCO's own files")
    return content


def categories(path: Path, content: Content) -> tuple[dict[Any, str], tuple[str, ...]]:
    """Return the names of categories by their ids, and in the order of these.

    Raises:
        UserError: there are none, or one comes twice.
    """
    listed = entries(path, content, "categories", ("id", "name"))
    require_once((one["id"] for one in listed), f"{path}: the category id")
    if not listed:
        raise UserError(f"{path}: lists no categories; name the classes of its boxes")
    ordered = sorted(listed, key=lambda one: (isinstance(one["id"], str), one["id"]))
    names = {one["id"]: str(one["name"]) for one in ordered}
    require_once(names.values(), f"{path}: the category")
    return names, tuple(names.values())


def list_coco(root: Path, part: PartName, path: Path, content: Content, order: Mapping[Any, int]) -> CocoPart:
    """Return the images of one annotation file with their boxes.

    Raises:
        UserError: see `read_coco`.
    """
    images = entries(path, content, "images", ("id", "file_name"))
    if not images:
        raise UserError(f"{path}: lists no images")
    require_once((one["id"] for one in images), f"{path}: the image id")
    names = [str(one["file_name"]) for one in images]
    require_once(names, f"{path}: the image")
    place = folder_of(root, part, path, names[0])
    index = {one["id"]: number for number, one in enumerate(images)}
    objects: list[list[tuple[Sequence[float], int]]] = [[] for _ in images]
    boxes = entries(path, content, "annotations", ("image_id", "category_id"))
    require_once((json.dumps(one["id"]) for one in boxes if "id" in one), f"{path}: the annotation id")
    crowds = 0
    for annotation in boxes:
        where = f"{path}: annotation {annotation.get('id', '')}".rstrip()
        if (image := annotation.get("image_id")) not in index:
            raise UserError(f"{where} is of image {json.dumps(image)}, which {path.name} does not list")
        if (category := annotation.get("category_id")) not in order:
            raise UserError(
                f"{where} is of category {json.dumps(category)}, which {path.name} does not list; it lists "
                f"{enumerated([json.dumps(one) for one in order])}"
            )
        if annotation.get("iscrowd"):
            crowds += 1
            continue
        objects[index[image]].append((corners(annotation.get("bbox"), where), order[category]))
    there = images_below(place)
    missing = {number: f"its file is missing in {place}" for number, name in enumerate(names) if name not in there}
    targets = Boxes.of(
        objects,
        [f"{path}, image {name}" for name in names],
        [(side(one, "height", path), side(one, "width", path)) for one in images],
        missing,
    )
    listing = Listing.whole(StoredImages(FolderFiles(place, names)), targets)
    return CocoPart(listing, path, place, names, there, crowds)


def unlisted(read: Mapping[PartName, CocoPart]) -> list[str]:
    """Return a note for each folder of images in which there are more than the annotation files list.

    Raises:
        UserError: two parts list one image.
    """
    known: dict[Path, PartName] = {}
    listers: dict[Path, list[CocoPart]] = {}
    for part, one in read.items():
        listers.setdefault(one.place, []).append(one)
        for path in (one.place / name for name in one.names):
            if known.setdefault(path, part) != part:
                raise UserError(f"{path}: is in {known[path]} and in {part}; keep it in one part")
    notes = []
    for place, those in listers.items():
        if others := sum(place / name not in known for name in those[0].there):
            files, verb = enumerated([one.path.name for one in those]), "does" if len(those) == 1 else "do"
            notes.append(f"left out of {place.name}/, image files that {files} {verb} not list: {others:,}")
    return notes


def side(image: Content, name: str, path: Path) -> int:
    """Return the height or width that an annotation file gives an image; 0 where it does not.

    Raises:
        UserError: it is no number of pixels.
    """
    value = image.get(name) or 0
    if not isinstance(value, int | float) or not 0 <= value < HUGE:
        where = f"{path}, image {image['file_name']}"
        raise UserError(f"{where}: its {name} is {json.dumps(value)}; it should be a number of pixels")
    return int(value)


def entries(path: Path, content: Content, key: str, fields: Sequence[str]) -> list[Content]:
    """Return the objects that one of the file's lists holds.

    Raises:
        UserError: one lacks a field.
    """
    for number, one in enumerate(content[key], 1):
        if not isinstance(one, Mapping) or any(not isinstance(one.get(name), int | str) for name in fields):
            raise UserError(
                f"{path}: number {number} of {key} should have {' and '.join(fields)}, as in COCO's own files"
            )
    return content[key]


def corners(box: Any, where: str) -> Sequence[float]:
    """Return left, top, right and bottom of a box that is given as left, top, width and height.

    Raises:
        UserError: these are not four numbers.
    """
    numbers = box if isinstance(box, list) else []
    if len(numbers) != 4 or not all(isinstance(one, int | float) and abs(one) < HUGE for one in numbers):
        raise UserError(f"{where}: its bbox is {json.dumps(box)}; it should be left, top, width and height")
    left, top, width, height = numbers
    return left, top, left + width, top + height


def folder_of(root: Path, part: PartName, path: Path, first: str) -> Path:
    """Return the folder that a part's images lie in, by where the first of them is.

    Raises:
        UserError: it is nowhere.
    """
    above = [root / "images", root]
    named = [one for place in above if place.is_dir() for one in class_folders(place) if part_in(one.name) == part]
    for place in (path.parent, *named, *above):
        if (place / first).is_file():
            return place
    tried = dict.fromkeys(str(place) for place in (*named, *above, path.parent) if place.is_dir())
    raise UserError(f"{path}: its first image {first} is in none of {', '.join(tried)}; add the images")


COCO = DataForm(
    "a folder with boxes in COCO's layout", lambda path: bool(coco_files(path)), lambda place: read_coco(place.path)
)
