"""Boxes are read from COCO and Pascal VOC layouts, and move with their images; mistakes are reported in one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from robust_tickets.data.augmentation import ScaleCrop
from robust_tickets.data.batches import batches
from robust_tickets.data.images.fit import Letterbox
from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings, SceneSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.data.targets.boxes import Boxes
from tests.scenes import HIGH, WIDE, coco_folder, scenes, voc_folder, voc_xml


def load(root: Path, **settings: Any) -> DataSplits:
    return load_data(DataSettings(name=str(root), **settings))


def in_one_folder(root: Path) -> Path:
    """Move the images of all parts into images/."""
    (root / "images").mkdir()
    for part in ("train", "val", "test"):
        for image in (root / f"{part}2017").iterdir():
            image.rename(root / "images" / image.name)
        (root / f"{part}2017").rmdir()
    return root


def targets(part: Any) -> list[dict[str, Tensor]]:
    return [one for batch in batches(part, batch_size=4, seed=0, train=False) for one in batch.targets]


@pytest.mark.parametrize("write", [coco_folder, voc_folder])
def test_both_layouts_give_the_same_boxes_and_parts(write: Callable[[Path], Path], tmp_path: Path) -> None:
    data = load(write(tmp_path / "data"))
    assert (data.target_kind, data.classes, data.size, data.channels) == ("boxes", ("blue", "red"), (HIGH, WIDE), 3)
    for part, word in ((data.train, "train"), (data.validation, "val"), (data.test, "test")):
        listed = scenes()[word]
        assert len(part) == len(listed)
        for one, (_, _, objects) in zip(targets(part), listed, strict=True):
            assert one["boxes"].tolist() == [list(map(float, box)) for box, _ in objects]
            assert [data.classes[label] for label in one["labels"]] == [name for _, name in objects]
    ((image, _), (_, first, _)) = data.train[0], scenes()["train"][0]
    assert torch.equal((image * 255).round().to(torch.uint8), Letterbox((HIGH, WIDE), 3)(first))
    counted = sum(len(objects) for _, _, objects in scenes()["train"])
    assert f"train: {counted} boxes in 8 images" in data.notes


def test_boxes_are_scaled_into_the_letterbox_as_their_image_is(tmp_path: Path) -> None:
    data = load(voc_folder(tmp_path / "data"), size=(60, 96))
    ((image, target), (_, _, objects)) = data.train[0], scenes()["train"][0]
    # 48 x 40 pixels fit into 96 x 60 as 72 x 60, 12 pixels from either side.
    expected = torch.tensor([box for box, _ in objects]) * 1.5 + torch.tensor([12.0, 0, 12, 0])
    assert torch.allclose(target["boxes"], expected)
    left, top, right, bottom = target["boxes"][0].round().int().tolist()
    inside = image[:, top + 2 : bottom - 2, left + 2 : right - 2]
    assert inside.amax(0).min() > 0.8
    assert image[:, :, :12].max() == 0


def test_boxes_follow_their_image_through_augmentation() -> None:
    image = torch.zeros(1, 3, 60, 80)
    image[:, :, 20:32, 30:50] = 1
    target = {"boxes": torch.tensor([[30.0, 20, 50, 32]]), "labels": torch.tensor([1])}
    both, kept = Boxes.of([[([30, 20, 50, 32], 1)]], ["x"], [(60, 80)]), 0
    for seed in range(24):
        draws, kind = torch.rand(1, 4, generator=torch.Generator().manual_seed(seed)), ScaleCrop(scale=(0.6, 1.6))
        moved = kind.apply(image, draws, (60, 80))[0, 0]
        (after,) = both.moved([target], kind, draws, (60, 80))
        if not len(after["boxes"]):
            assert (moved > 0.5).sum() < 100
            continue
        kept += 1
        left, top, right, bottom = after["boxes"][0].tolist()
        rows, columns = ((moved > 0.5).any(axis).nonzero().flatten() for axis in (1, 0))
        assert rows[0].item() == pytest.approx(top, abs=1)
        assert rows[-1].item() + 1 == pytest.approx(bottom, abs=1)
        assert columns[0].item() == pytest.approx(left, abs=1)
        assert columns[-1].item() + 1 == pytest.approx(right, abs=1)
        assert after["labels"].tolist() == [1]
    assert kept > 16


def test_batches_are_the_same_whoever_loads_them_and_wherever_an_epoch_begins(tmp_path: Path) -> None:
    data = load(coco_folder(tmp_path / "data"))
    options: dict[str, Any] = {"batch_size": 3, "seed": 5, "epoch": 2, "augment": data.augmentation}
    whole = list(batches(data.train, **options))
    again = list(batches(data.train, **options, workers=2))
    late = list(batches(data.train, **options, start=1))
    for ours, theirs in [*zip(whole, again, strict=True), *zip(whole[1:], late, strict=True)]:
        assert torch.equal(ours.inputs, theirs.inputs)
        assert all(
            torch.equal(one[name], other[name])
            for one, other in zip(ours.targets, theirs.targets, strict=True)
            for name in one
        )
    sizes = torch.cat([one["boxes"][:, 2:] - one["boxes"][:, :2] for batch in whole for one in batch.targets])
    assert sizes.min() > 0


def test_a_part_that_is_not_there_is_carved_and_fractions_are_nested(tmp_path: Path) -> None:
    root = voc_folder(tmp_path / "data")
    for part in ("val", "test"):
        (root / "ImageSets" / "Main" / f"{part}.txt").unlink()
    whole, half = load(root, validation=0.25), load(root, validation=0.25, fraction=0.5)
    assert (len(whole.train), len(whole.validation), len(whole.test)) == (4, 2, 2)
    assert set(half.train.indices.tolist()) <= set(whole.train.indices.tolist())
    assert "left out of JPEGImages/, images in no part: 10" in whole.notes


@pytest.mark.parametrize("layout", ["parts", "flat"])
def test_other_places_for_cocos_files(layout: str, tmp_path: Path) -> None:
    root = coco_folder(tmp_path / "data")
    for part in ("train", "val", "test"):
        file, images = root / "annotations" / f"instances_{part}2017.json", root / f"{part}2017"
        if layout == "parts":
            images.rename(root / part)
            file.rename(root / part / "_annotations.coco.json")
        else:
            (root / "images").mkdir(exist_ok=True)
            for image in images.iterdir():
                image.rename(root / "images" / image.name)
            images.rmdir()
            file.rename(root / f"{part}.json")
    (root / "annotations").rmdir()
    data = load(root)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [8, 4, 6]
    assert len(targets(data.test)) == 6


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_captions_beside_the_boxes_of_the_same_part_do_not_matter(tmp_path: Path) -> None:
    root = coco_folder(tmp_path / "data")
    for part in ("train", "val", "test"):
        (root / "annotations" / f"captions_{part}2017.json").write_text('{"images": [], "annotations": []}')
    assert [len(part) for part in (load(root).train, load(root).test)] == [8, 6]
    for path in sorted((root / "annotations").glob("instances_*")):
        path.rename(path.with_name(path.name.removeprefix("instances_")))
    assert [len(part) for part in (load(root).train, load(root).test)] == [8, 6]


def test_images_of_other_parts_in_the_same_folder_are_not_counted_as_left_out(tmp_path: Path) -> None:
    root = in_one_folder(coco_folder(tmp_path / "data"))
    assert not any("left out" in note for note in load(root).notes)
    Image.new("RGB", (WIDE, HIGH)).save(root / "images" / "stray.png")
    (note,) = [note for note in load(root).notes if "left out" in note]
    assert note.endswith("instances_test2017.json, instances_train2017.json, instances_val2017.json do not list: 1")


def test_crowds_are_left_out_and_images_without_boxes_stay(tmp_path: Path) -> None:
    root = coco_folder(tmp_path / "data")
    path = root / "annotations" / "instances_train2017.json"

    def change(content: dict[str, Any]) -> None:
        content["annotations"][0]["iscrowd"] = 1
        content["annotations"] = [one for one in content["annotations"] if one["image_id"] != 103]

    before = sum(len(one["boxes"]) for one in targets(load(root).train))
    changed(path, change)
    Image.new("RGB", (WIDE, HIGH)).save(root / "train2017" / "stray.png")
    data = load(root)
    found = targets(data.train)
    assert len(found) == 8
    assert found[3]["boxes"].shape == (0, 4)
    assert sum(len(one["boxes"]) for one in found) == before - 1 - len(scenes()["train"][3][2])
    assert "left out of instances_train2017.json, crowds: 1" in data.notes
    assert "left out of train2017/, image files that instances_train2017.json does not list: 1" in data.notes
    assert any("boxes in 8 images (" in note and "without)" in note for note in data.notes)


def test_sizes_and_corners_with_fractions_are_read(tmp_path: Path) -> None:
    root = voc_folder(tmp_path / "data")
    path = root / "Annotations" / "train0.xml"
    path.write_text(voc_xml([((3, 2, 20, 20), "red")]).replace(">48<", ">48.0<").replace(">4<", ">4.5<"))
    (root / "Annotations" / "train1.xml").write_text(
        voc_xml([((3, 2, 20, 20), "red")]).replace("<size><width>48</width><height>40</height></size>", "")
    )
    found = targets(load(root).train)
    assert found[0]["boxes"].tolist() == [[3.5, 2, 20, 20]]
    assert found[1]["boxes"].tolist() == [[3, 2, 20, 20]]


def test_an_image_without_annotation_file_is_empty_and_counted(tmp_path: Path) -> None:
    root = voc_folder(tmp_path / "data")
    (root / "Annotations" / "train2.xml").unlink()
    (root / "classes.txt").write_text("red\nblue\ngreen\n")
    data = load(root)
    assert data.classes == ("red", "blue", "green")
    assert targets(data.train)[2]["boxes"].shape == (0, 4)
    assert "without a file in Annotations/, and so without objects, images: 1" in data.notes
    assert "no training image has a box of green" in data.notes


def test_a_change_of_a_box_is_another_data_set(tmp_path: Path) -> None:
    root = voc_folder(tmp_path / "data")
    before = load(root).digest
    assert load(root).digest == before
    path = root / "Annotations" / "train0.xml"
    path.write_text(path.read_text().replace("<xmin>", "<xmin>0.5 ").replace("0.5 ", "", 1).replace("red", "blue"))
    path.write_text(voc_xml([((1, 2, 30, 30), "red")]))
    assert load(root).digest != before


def test_built_in_scenes_have_tight_boxes_and_are_the_same_everywhere() -> None:
    settings = DataSettings(name="glyph-scenes", scenes=SceneSettings(count=40, size=48, objects=3))
    data = load_data(settings)
    assert (data.classes, data.size, data.channels) == (("letter", "digit"), (48, 48), 3)
    assert (len(data.train), len(data.validation), len(data.test)) == (36, 4, 10)
    found = targets(data.train)
    assert {len(one["boxes"]) for one in found} <= {1, 2, 3}
    assert {label for one in found for label in one["labels"].tolist()} == {0, 1}
    for one in found:
        assert one["boxes"].min() >= 0
        assert one["boxes"].max() <= 48
    again = load_data(settings.model_copy(update={"root": Path("elsewhere")}))
    assert again.digest == data.digest
    other = load_data(settings.model_copy(update={"scenes": SceneSettings(count=40, size=48, objects=3, seed=1)}))
    assert other.digest != data.digest
