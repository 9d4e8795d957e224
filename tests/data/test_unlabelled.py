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
    with pytest.raises(
        rt.UserError, match=r"without labels, by which nothing can be validated; set data\.validation to 0"
    ):
        rt.load_data(rt.DataSettings(name=folder, validation=0.2), size=16)


def test_learning_from_labels_is_refused(tmp_path: Path) -> None:
    folder = photographs(tmp_path / "seen")
    wanted = "standard learns from labels, and these images have none; use simclr, moco or dino, or put the images"
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
