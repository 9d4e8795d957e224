"""What is wrong with boxes in COCO and Pascal VOC layouts is told in one line."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from robust_tickets.foundation.errors import UserError
from tests.data.test_boxes import changed, in_one_folder, load
from tests.scenes import HIGH, WIDE, coco_folder, voc_folder, voc_xml


def annotation(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["annotations"][0].update(values)


COCO_FAULTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a box outside": (
        annotation(bbox=[40, 2, 20, 4]),
        r"instances_train2017\.json, image train0\.png: box 1 is 40 2 60 6",
    ),
    "a sliver outside": (annotation(bbox=[-0.9, 2, 0.5, 4]), r"box 1 is -0\.9 2 -0\.4 6 .*: it lies outside its image"),
    "no area": (
        annotation(bbox=[4, 2, 0, 4]),
        r"box 1 is 4 2 4 6 \(left, top, right, bottom\): it has no area; correct it",
    ),
    "no box": (
        annotation(bbox=[4, 2]),
        r"annotation 1: its bbox is \[4, 2\]; it should be left, top, width and height",
    ),
    "a class that nobody lists": (
        annotation(category_id=5),
        "annotation 1 is of category 5, which instances_train2017.json does not list",
    ),
    "an image that nobody lists": (
        annotation(image_id=5),
        "annotation 1 is of image 5, which instances_train2017.json does not list",
    ),
    "an image twice": (
        lambda content: content["images"].append(content["images"][0]),
        r"instances_train2017\.json: the image id 100 comes twice",
    ),
    "an annotation twice": (
        lambda content: content["annotations"].append(content["annotations"][0]),
        "the annotation id 1 comes twice",
    ),
    "an image without file": (
        lambda content: content["images"].append({"id": 5, "file_name": "gone.png"}),
        r"image gone\.png: its file is missing in .*train2017",
    ),
    "another size": (
        lambda content: content["images"][0].update(width=40, height=48),
        r"image train0\.png: gives the size 40 x 48, but .*train0\.png has 48 x 40 pixels; correct it",
    ),
    "no list of images": (
        lambda content: content.update(images={}),
        r"instances_train2017\.json: images should be lists of objects",
    ),
    "an image without name": (
        lambda content: content["images"][1].pop("file_name"),
        r"instances_train2017\.json: number 2 of images should have id and file_name",
    ),
    "a class by a number as text": (
        annotation(category_id="3"),
        'annotation 1 is of category "3", which instances_train2017.json does not list; it lists 3, 7',
    ),
    "ids of two kinds": (
        lambda content: content["categories"][0].update(id="a"),
        'is of category 3, which instances_train2017.json does not list; it lists 7, "a"',
    ),
    "a class without a name": (
        lambda content: content["categories"][0].update(name=None),
        "number 1 of categories should have id and name",
    ),
    "a number as a class's name": (
        lambda content: content["categories"][0].update(name=4),
        "its categories are not those of the other parts: 4, blue",
    ),
    "a number as an image's name": (
        lambda content: content["images"][0].update(file_name=4),
        "its first image 4 is in none of",
    ),
    "a height in words": (
        lambda content: content["images"][0].update(height="40"),
        r'image train0\.png: its height is "40"; it should be a number of pixels',
    ),
    "a negative width": (
        lambda content: content["images"][0].update(width=-40),
        r"image train0\.png: its width is -40; it should be a number of pixels",
    ),
    "a width that is not finite": (
        lambda content: content["images"][0].update(width=float("nan")),
        r"image train0\.png: its width is NaN; it should be a number of pixels",
    ),
    "a box beyond all numbers": (annotation(bbox=[0, 0, 10**400, 4]), "annotation 1: its bbox is"),
    "no annotations": (
        lambda content: content.pop("annotations"),
        r"instances_train2017\.json: annotations should be lists of objects",
    ),
    "other categories": (
        lambda content: content["categories"].append({"id": 9, "name": "green"}),
        r"its categories are not those of the other parts: green",
    ),
}


@pytest.mark.parametrize("why", COCO_FAULTS)
def test_what_is_wrong_with_cocos_files_is_told_in_one_line(why: str, tmp_path: Path) -> None:
    root, (change, complaint) = coco_folder(tmp_path / "data"), COCO_FAULTS[why]
    changed(root / "annotations" / "instances_train2017.json", change)
    with pytest.raises(UserError, match=complaint) as caught:
        load(root)
    assert "\n" not in str(caught.value)


DAMAGED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is not valid JSON"),
    "cut off": (b'{"images": [], "annotations": [{', "is not valid JSON"),
    "a list": (
        b'["images", "annotations", "categories"]',
        "images, annotations, categories should be lists of objects",
    ),
    "too deep": (b"[" * 100_000 + b'"images" "annotations" "categories"', "is not valid JSON"),
}


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("names", ["instances", "own"])
@pytest.mark.parametrize("why", DAMAGED)
def test_a_damaged_file_is_refused_instead_of_another_part_taking_its_place(
    why: str, names: str, part: str, tmp_path: Path
) -> None:
    root, (content, complaint) = coco_folder(tmp_path / "data"), DAMAGED[why]
    (root / "annotations" / f"instances_{part}2017.json").write_bytes(content)
    if names == "own":
        for path in (root / "annotations").iterdir():
            path.rename(path.with_name(path.name.removeprefix("instances_")))
    with pytest.raises(UserError, match=rf"{part}2017\.json: {complaint}") as caught:
        load(root)
    assert "\n" not in str(caught.value)


def test_an_image_in_two_of_cocos_files_is_refused(tmp_path: Path) -> None:
    root = in_one_folder(coco_folder(tmp_path / "data"))
    changed(
        root / "annotations" / "instances_val2017.json",
        lambda content: content["images"][0].update(file_name="train0.png"),
    )
    with pytest.raises(UserError, match=r"images/train0\.png: is in train and in validation; keep it in one part"):
        load(root)


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_part_without_any_box_is_refused(part: str, tmp_path: Path) -> None:
    root = coco_folder(tmp_path / "data")
    changed(root / "annotations" / f"instances_{part}2017.json", lambda content: content.update(annotations=[]))
    name = {"val": "validation"}.get(part, part)
    with pytest.raises(UserError, match=f"no image of the {name} part has a box; annotate some, or remove it"):
        load(root)


@pytest.mark.parametrize("why", ["a box outside", "no area", "an image without file", "another size"])
def test_images_with_faults_can_be_left_out_and_are_counted(why: str, tmp_path: Path) -> None:
    root, (change, _) = coco_folder(tmp_path / "data"), COCO_FAULTS[why]
    changed(root / "annotations" / "instances_train2017.json", change)
    data = load(root, on_unreadable="skip")
    assert len(data.skipped) == 1
    assert len(data.train) == (8 if why == "an image without file" else 7)


def without(name: str) -> Callable[[Path], object]:
    return lambda root: (root / name).unlink()


def written(name: str, text: str) -> Callable[[Path], object]:
    return lambda root: (root / name).write_text(text)


VOC_FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "an image without file": (without("JPEGImages/train0.png"), r"train0\.xml: its image is missing in JPEGImages/"),
    "no XML": (written("Annotations/train0.xml", "<annotation>"), r"train0\.xml: is not valid XML \(no element found"),
    "no numbers": (
        written("Annotations/train0.xml", voc_xml([((1, 2, 3, 4), "red")]).replace("<xmin>2</xmin>", "")),
        r"train0\.xml: object 1 has no bndbox of four numbers",
    ),
    "no name": (
        written("Annotations/train0.xml", voc_xml([((1, 2, 3, 4), "red")]).replace("<name>red</name>", "")),
        r"train0\.xml: object 1 has no name",
    ),
    "a box outside": (
        written("Annotations/train0.xml", voc_xml([((30, 2, 60, 9), "red")])),
        r"box 1 is 30 2 60 9 .*: it lies outside its image of 48 x 40 pixels; correct it, or set on_unreadable: skip",
    ),
    "another encoding": (
        written("Annotations/train0.xml", '<?xml version="1.0" encoding="none"?><annotation/>'),
        r"train0\.xml: is not valid XML \(unknown encoding",
    ),
    "an encoding of several bytes": (
        written("Annotations/train0.xml", '<?xml version="1.0" encoding="utf-7"?><annotation/>'),
        r"train0\.xml: is not valid XML \(multi-byte",
    ),
    "another document": (
        written("Annotations/train0.xml", "<html/>"),
        r"train0\.xml: is no annotation of Pascal VOC's: it holds <html>, not <annotation>",
    ),
    "a size in words": (
        written("Annotations/train0.xml", voc_xml([]).replace(">48<", ">wide<")),
        r"train0\.xml: gives the size wide x 40, which should be numbers of pixels; correct it",
    ),
    "a size below zero": (
        written("Annotations/train0.xml", voc_xml([]).replace(">40<", ">-40<")),
        r"train0\.xml: gives the size 48 x -40, which should be numbers of pixels",
    ),
    "two files with one name": (
        lambda root: Image.new("RGB", (WIDE, HIGH)).save(root / "JPEGImages" / "train0.jpg"),
        "JPEGImages: the image train0 comes twice",
    ),
    "no annotations": (
        lambda root: shutil.rmtree(root / "Annotations"),
        "has JPEGImages/ but no Annotations/; add the annotation files",
    ),
    "a list with extensions": (
        written("ImageSets/Main/train.txt", "train0.png\ntrain1.png\n"),
        r"train\.txt: lists train0\.png; give the names of images without their extensions",
    ),
    "a list in another encoding": (
        lambda root: (root / "ImageSets/Main/train.txt").write_bytes(b"tr\xe9s\n"),
        r"train\.txt: is not UTF-8 text",
    ),
    "classes in another encoding": (
        lambda root: (root / "classes.txt").write_bytes(b"r\xe9d\nblue\n"),
        r"classes\.txt: is not UTF-8 text",
    ),
    "a class that training lacks": (
        written("Annotations/test0.xml", voc_xml([((3, 2, 9, 9), "green")])),
        "the test part has boxes of classes that training lacks: green",
    ),
    "a class that classes.txt lacks": (
        written("classes.txt", "red\n"),
        r"classes\.txt: objects are of classes that it does not name: blue; add them",
    ),
    "an image twice": (
        written("ImageSets/Main/train.txt", "train0\ntrain1\ntrain0\n"),
        "ImageSets/Main: in train, the image train0 comes twice",
    ),
    "an image in two parts": (
        written("ImageSets/Main/val.txt", "train0\nval1\n"),
        "the image train0 is in train and in validation; keep it in one",
    ),
    "nothing to find": (
        lambda root: [path.write_text(voc_xml([])) for path in (root / "Annotations").iterdir()],
        "no image has a box, so there is nothing to learn",
    ),
}


@pytest.mark.parametrize("why", VOC_FAULTS)
def test_what_is_wrong_with_a_folder_of_pascal_vocs_is_told_in_one_line(why: str, tmp_path: Path) -> None:
    root, (change, complaint) = voc_folder(tmp_path / "data"), VOC_FAULTS[why]
    change(root)
    with pytest.raises(UserError, match=complaint) as caught:
        load(root)
    assert "\n" not in str(caught.value)
