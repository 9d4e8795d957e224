"""Small scenes with boxes, in COCO's and in Pascal VOC's layout: rectangles of two colours on noise."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = ("blue", "red")
WIDE, HIGH = 48, 40

Objects = list[tuple[tuple[int, int, int, int], str]]
"""Left, top, right, bottom, and the class."""

COUNTS = {"train": 8, "val": 4, "test": 6}


def scene(chance: np.random.Generator) -> tuple[Image.Image, Objects]:
    """Return an image with up to two objects, and these."""
    pixels = chance.integers(0, 60, (HIGH, WIDE, 3))
    objects: Objects = []
    for number in range(int(chance.integers(1, 3))):
        left, top = int(chance.integers(0, 8)) + 24 * number, int(chance.integers(0, 20))
        wide, high = (int(side) for side in chance.integers(8, 16, 2))
        name = CLASSES[int(chance.integers(2))]
        pixels[top : top + high, left : left + wide, 2 if name == "blue" else 0] = 230
        objects.append(((left, top, left + wide, top + high), name))
    return Image.fromarray(pixels.astype(np.uint8)), objects


def scenes(seed: int = 0) -> dict[str, list[tuple[str, Image.Image, Objects]]]:
    """Return the parts of a data set: name, image and objects of each scene."""
    chance = np.random.default_rng(seed)
    return {part: [(f"{part}{n}", *scene(chance)) for n in range(count)] for part, count in COUNTS.items()}


def coco_content(part: list[tuple[str, Image.Image, Objects]]) -> dict[str, Any]:
    """Return what an annotation file of COCO says of a part."""
    content: dict[str, Any] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 3, "name": "blue"}, {"id": 7, "name": "red"}],
    }
    for number, (name, image, objects) in enumerate(part, 100):
        content["images"].append(
            {"id": number, "file_name": f"{name}.png", "width": image.width, "height": image.height}
        )
        for (left, top, right, bottom), colour in objects:
            content["annotations"].append(
                {
                    "id": len(content["annotations"]) + 1,
                    "image_id": number,
                    "category_id": 3 if colour == "blue" else 7,
                    "bbox": [left, top, right - left, bottom - top],
                    "iscrowd": 0,
                }
            )
    return content


def coco_folder(root: Path, seed: int = 0) -> Path:
    """Write scenes in COCO's layout."""
    (root / "annotations").mkdir(parents=True)
    for part, listed in scenes(seed).items():
        (root / f"{part}2017").mkdir()
        for name, image, _ in listed:
            image.save(root / f"{part}2017" / f"{name}.png")
        (root / "annotations" / f"instances_{part}2017.json").write_text(json.dumps(coco_content(listed)))
    return root


def voc_xml(objects: Objects, size: tuple[int, int] = (WIDE, HIGH)) -> str:
    """Return an annotation file of Pascal VOC, which counts pixels from 1 and has the last ones belong to a box."""
    told = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{left + 1}</xmin><ymin>{top + 1}</ymin><xmax>{right}</xmax>"
        f"<ymax>{bottom}</ymax></bndbox></object>"
        for (left, top, right, bottom), name in objects
    )
    return f"<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>{told}</annotation>"


def voc_folder(root: Path, seed: int = 0) -> Path:
    """Write the same scenes in Pascal VOC's layout."""
    for place in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / place).mkdir(parents=True)
    for part, listed in scenes(seed).items():
        for name, image, objects in listed:
            image.save(root / "JPEGImages" / f"{name}.png")
            (root / "Annotations" / f"{name}.xml").write_text(voc_xml(objects))
        (root / "ImageSets" / "Main" / f"{part}.txt").write_text("".join(f"{name}\n" for name, _, _ in listed))
    return root
