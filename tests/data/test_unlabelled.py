"""A folder of images without classes: data to pretrain on, and nothing to judge by."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import robust_tickets as rt


def photographs(folder: Path, count: int = 12, size: int = 20) -> Path:
    folder.mkdir(parents=True)
    chance = np.random.default_rng(0)
    for number in range(count):
        Image.fromarray(chance.integers(0, 256, (size, size + number % 3, 3), dtype=np.uint8)).save(
            folder / f"{number:02}.png"
        )
    return folder


@pytest.mark.parametrize("below", ["", "train"])
def test_images_in_no_subfolder_are_all_for_training(tmp_path: Path, below: str) -> None:
    photographs(tmp_path / "seen" / below)
    (tmp_path / "seen" / below / "licence.txt").write_text("CC0")
    data = rt.load_data(tmp_path / "seen", size=16)
    assert (len(data.train), len(data.validation), len(data.test)) == (12, 0, 0)
    assert data.target_kind == "unlabelled"
    assert data.classes == ()
    assert data.train[3][0].shape == (3, 16, 16)
    assert "no test part: nothing can be measured on these images" in data.describe()


def test_a_smaller_fraction_is_part_of_a_larger_one(tmp_path: Path) -> None:
    folder = str(photographs(tmp_path / "seen"))
    half, whole = (rt.load_data(rt.DataSettings(name=folder, fraction=share), size=16) for share in (0.5, 1.0))
    assert len(half.train) == 6
    assert set(half.train.indices.tolist()) < set(whole.train.indices.tolist())


def test_nothing_validates_without_labels(tmp_path: Path) -> None:
    folder = str(photographs(tmp_path / "seen"))
    for part in ("validation", "test"):
        settings = rt.DataSettings.model_validate({"name": folder, part: 0.3})
        with pytest.raises(rt.UserError, match=rf"by which nothing can be judged; leave out data\.{part}"):
            rt.load_data(settings, size=16)
    training = {"epochs": 1, "batch_size": 6, "objective": {"kind": "simclr"}, "keep": "best"}
    with pytest.raises(
        rt.UserError, match="keep: best needs labels to validate by, and these images have none; use keep"
    ):
        rt.pretrain("demo/resnet4", folder, weights="random", **training)
    for ask in (rt.evaluate, rt.find):
        with pytest.raises(
            rt.UserError, match="has no labels, by which a network could be judged; pretrain or draw on"
        ):
            ask(rt.load_source("demo/resnet4", weights="random"), folder)


def test_loose_images_beside_classes_are_counted(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        photographs(tmp_path / "set" / name, count=8)
    for number in range(3):
        (tmp_path / "set" / f"{number}.png").write_bytes((tmp_path / "set" / "cat" / "00.png").read_bytes())
    notes = rt.load_data(tmp_path / "set", size=16).notes
    assert any("3 images beside the folders of classes have no class and are left out" in note for note in notes)


def test_parts_of_images_alone_are_for_training_as_far_as_they_can_be(tmp_path: Path) -> None:
    for part in ("Train", "Test"):
        photographs(tmp_path / "set" / part)
    data = rt.load_data(tmp_path / "set", size=16)
    assert (len(data.train), len(data.test)) == (12, 0)
    assert "Test/ left out: images without labels can only be learned from" in data.notes


def test_one_folder_of_images_is_told_of_both_uses(tmp_path: Path) -> None:
    photographs(tmp_path / "set" / "images")
    with pytest.raises(rt.UserError, match=r"only one class \(images\); .* and learning without labels .*/set/images"):
        rt.load_data(tmp_path / "set", size=16)


def test_learning_from_labels_is_refused(tmp_path: Path) -> None:
    folder = photographs(tmp_path / "seen")
    wanted = "standard learns from labels, and self-supervision from none; use simclr, moco or dino, or for labels put"
    with pytest.raises(rt.UserError, match=f"training.objective: {wanted}"):
        rt.pretrain("demo/resnet4", folder, weights="random", epochs=1, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    source = rt.load_source("demo/resnet4", weights="random")
    with pytest.raises(rt.UserError, match=r"draw\.training\.objective: standard learns from labels"):
        rt.draw(
            source, sparsity=0.5, data=folder, head="fresh", timeline={"kind": "iterative", "rate": 0.3, "epochs": 1}
        )


def test_nothing_is_measured_on_them(tmp_path: Path) -> None:
    recipe = rt.load_recipe(
        "one-shot",
        values={
            "sources": {"net": {"source": {"name": "demo/resnet4", "weights": "random"}}},
            "data": {"name": str(photographs(tmp_path / "seen"))},
            "transfers": {"full": {"training": {"objective": {"kind": "simclr"}, "epochs": 1, "batch_size": 6}}},
        },
    )
    with pytest.raises(rt.UserError, match="has no labels, by which a network could be judged; pretrain or draw on"):
        rt.run(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()
