"""Data sets of Hugging Face's library, as it writes them itself; nothing is downloaded."""

import logging
import socket
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from datasets import Image as ImageColumn
from PIL import Image

from robust_tickets.data.batches import batches
from robust_tickets.data.images import stored_images
from robust_tickets.data.load import load_data
from robust_tickets.data.names import require_data
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.user_cache import ENVIRONMENT
from tests.shapes import VOID, scene


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "cache"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "huggingface")


def pictures(count: int, seed: int = 0) -> list[Image.Image]:
    random = np.random.default_rng(seed)
    return [Image.fromarray(random.integers(0, 256, (10, 12, 3), dtype=np.uint8)) for _ in range(count)]


def table(count: int, seed: int = 0, **columns: Any) -> Dataset:
    features = Features({"image": ImageColumn(), "label": ClassLabel(names=["cat", "dog", "fox"])})
    return Dataset.from_dict({"image": pictures(count, seed), "label": [index % 3 for index in range(count)]}, features)


def sizes(splits: DataSplits) -> list[int]:
    return [len(splits.train), len(splits.validation), len(splits.test)]


def shown(splits: DataSplits) -> dict[bytes, int]:
    """The label of each image, by its bytes."""
    parts = (splits.train, splits.validation, splits.test)
    pairs = [part[index] for part in parts for index in range(len(part))]
    return {(image * 255).round().byte().permute(1, 2, 0).numpy().tobytes(): label for image, label in pairs}


def expected(*tables: Dataset) -> dict[bytes, int]:
    return {row["image"].convert("RGB").tobytes(): row["label"] for one in tables for row in one}  # pyright: ignore


def saved(held: Dataset | DatasetDict, folder: Path) -> Path:
    held.save_to_disk(folder)
    return folder


def parquet(held: DatasetDict, folder: Path) -> Path:
    """Write the layout of a repository on the Hub."""
    (folder / "data").mkdir(parents=True)
    for name, one in held.items():
        one.to_parquet(folder / "data" / f"{name}-00000-of-00001.parquet")
    return folder


@pytest.mark.parametrize("write", [saved, parquet])
def test_splits_are_parts_with_their_classes(tmp_path: Path, write: Any) -> None:
    held = DatasetDict({"train": table(30), "validation": table(9, 1), "test": table(12, 2)})
    splits = load_data(write(held, tmp_path / "animals"))
    assert (splits.name, splits.classes, splits.size, splits.channels) == (
        "animals",
        ("cat", "dog", "fox"),
        (10, 12),
        3,
    )
    assert sizes(splits) == [30, 9, 12]
    assert shown(splits) == expected(*held.values())
    assert splits.target_kind == "class"


def test_one_split_is_divided_and_fractions_are_nested_by_seed(tmp_path: Path) -> None:
    root = saved(table(60), tmp_path / "animals")
    whole, half = load_data(root), load_data(DataSettings(name=str(root), fraction=0.5))
    assert sizes(whole) == [42, 6, 12]
    assert set(half.train.indices.tolist()) < set(whole.train.indices.tolist())


def test_a_parquet_file_alone_may_hold_names_for_labels(tmp_path: Path) -> None:
    names = ["dog", "cat"] * 15
    held = Dataset.from_dict(
        {"img": pictures(30), "label": names}, Features({"img": ImageColumn(), "label": Value("string")})
    )
    held.to_parquet(tmp_path / "animals.parquet")
    splits = load_data(tmp_path / "animals.parquet")
    assert splits.classes == ("cat", "dog")
    assert sum(sizes(splits)) == 30
    other = Dataset.from_dict(
        {"image": pictures(30), "animal": names}, Features({"image": ImageColumn(), "animal": Value("string")})
    )
    other.to_parquet(tmp_path / "others.parquet")
    assert load_data(DataSettings(name=str(tmp_path / "others.parquet"), label="animal")).classes == ("cat", "dog")


def test_a_column_of_label_images_labels_pixels(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images, labels = zip(*(scene(random) for _ in range(20)), strict=True)
    columns = {
        "image": [Image.fromarray(one) for one in images],
        "annotation": [Image.fromarray(one) for one in labels],
    }
    held = Dataset.from_dict(columns, Features({"image": ImageColumn(), "annotation": ImageColumn()}))
    splits = load_data(DataSettings(name=str(saved(held, tmp_path / "scenes")), ignore=(VOID,)))
    assert (splits.target_kind, splits.classes) == ("pixels", ("0", "1", "2"))
    image, label = splits.train[0]
    row = int(splits.train.indices[0])
    assert torch.equal((image * 255).round().byte().permute(1, 2, 0), torch.from_numpy(images[row]))
    assert torch.equal(
        label, torch.where(torch.from_numpy(labels[row]) == VOID, -100, torch.from_numpy(labels[row]).long())
    )


def test_a_set_of_the_hub_is_had_by_name_from_its_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = DatasetDict({"train": table(30), "test": table(12, 1), "unsupervised": table(3, 2)})
    asked: list[tuple[str, str | None]] = []

    def fetched(name: str, configuration: str | None = None) -> DatasetDict:
        asked.append((name, configuration))
        return held

    monkeypatch.setattr("datasets.load_dataset", fetched)
    splits = load_data("hf/someone/animals:small")
    assert asked == [("someone/animals", "small")]
    assert (splits.name, sizes(splits)) == ("hf/someone/animals:small", [27, 3, 12])
    assert "unsupervised next to the parts: left out" in splits.notes


def test_labels_that_are_kept_secret_are_no_labels(tmp_path: Path) -> None:
    features = table(1).features
    secret = Dataset.from_dict({"image": pictures(9, 1), "label": [-1] * 9}, features)
    splits = load_data(saved(DatasetDict({"train": table(30), "test": secret}), tmp_path / "animals"))
    assert sizes(splits) == [21, 3, 6]
    assert "the test part has no labels (-1): left out" in splits.notes


def test_content_is_what_counts_and_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    real = stored_images.decoded_image
    monkeypatch.setattr(
        stored_images, "decoded_image", lambda content, where: (decoded.append(where), real(content, where))[1]
    )
    monkeypatch.setattr("robust_tickets.data.load.MEMORY_LIMIT", 0)
    root = saved(table(60), tmp_path / "one" / "animals")
    before = load_data(root)
    assert not decoded
    assert load_data(saved(table(60), tmp_path / "two" / "beasts")).digest == before.digest
    table(60).to_parquet(tmp_path / "creatures.parquet")
    assert load_data(tmp_path / "creatures.parquet").digest == before.digest
    assert load_data(saved(table(60, 1), tmp_path / "three" / "animals")).digest != before.digest
    one, other = (list(batches(before.train, batch_size=8, seed=0, workers=workers)) for workers in (0, 1))
    assert all(torch.equal(a.inputs, b.inputs) for a, b in zip(one, other, strict=True))


def test_an_unreadable_row_is_named(tmp_path: Path) -> None:
    stored = Features({"image": {"bytes": Value("binary"), "path": Value("string")}, "label": Value("int64")})
    good = [row["bytes"] for row in table(12).cast_column("image", ImageColumn(decode=False))["image"]]
    rows = {"image": [{"bytes": one, "path": None} for one in good], "label": [index % 2 for index in range(12)]}
    rows["image"][5] = {"bytes": b"no image", "path": None}
    rows["image"][7] = {"bytes": None, "path": None}
    root = saved(Dataset.from_dict(rows, stored), tmp_path / "animals")
    with pytest.raises(
        UserError, match=r"animals, train, row 5, image: unreadable image .its image format is not " r"recognised"
    ):
        load_data(root)
    skipping = load_data(DataSettings(name=str(root), on_unreadable="skip"))
    assert [where for where, _ in skipping.skipped] == [f"animals, train, row {row}, image" for row in (5, 7)]


def test_a_column_cannot_be_both(tmp_path: Path) -> None:
    root = saved(table(30), tmp_path / "animals")
    with pytest.raises(
        UserError, match=r"the column image contains the images; name the label column with data\.label"
    ):
        load_data(DataSettings(name=str(root), label="image"))


MISTAKES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no images": (
        {"height": [1] * 6, "label": [0, 1] * 3},
        {},
        "has the columns height, label, none of which contains images or texts",
    ),
    "no labels": ({"image": pictures(6)}, {}, "has the columns image; name the label column with data.label"),
    "no such column": ({"image": pictures(6), "label": [0, 1] * 3}, {"label": "lable"}, "has no column 'lable'"),
    "numbers that are none": (
        {"image": pictures(6), "label": [0.5] * 6},
        {},
        r"row 0: has the label 0\.5; give a",
    ),
    "a row without label": ({"image": pictures(6), "label": [0, 1, None, 0, 1, 0]}, {}, "row 2: has the label None"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, mistake: str) -> None:
    columns, settings, complaint = MISTAKES[mistake]
    held = Dataset.from_dict(columns)
    if "image" in columns:
        held = held.cast_column("image", ImageColumn())
    root = saved(held, tmp_path / "set")
    with pytest.raises(UserError, match=complaint) as caught:
        load_data(DataSettings(name=str(root), **settings))
    assert "\n" not in str(caught.value)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "animals.parquet"
    table(30).to_parquet(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"animals\.parquet: cannot be read as parquet") as caught:
        load_data(path)
    assert "\n" not in str(caught.value)
    root = saved(table(30), tmp_path / "animals")
    next(root.glob("*.arrow")).write_bytes(b"")
    with pytest.raises(UserError, match="animals: cannot be read as a data set saved to disk"):
        load_data(root)


def test_splits_that_are_no_parts_are_refused(tmp_path: Path) -> None:
    held = DatasetDict({"monday": table(9), "tuesday": table(9)})
    with pytest.raises(UserError, match="has the splits monday, tuesday, none of which is named like a part"):
        load_data(saved(held, tmp_path / "days"))


def test_without_the_library_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = saved(table(9), tmp_path / "animals")
    monkeypatch.setattr("robust_tickets.foundation.extras.find_spec", lambda name: None)
    for ask in (lambda: require_data("hf/ylecun/mnist"), lambda: load_data(root), lambda: load_data("hf/ylecun/mnist")):
        with pytest.raises(UserError, match=r"needs the package datasets: pip install 'robust-tickets\[datasets\]'"):
            ask()


def test_a_name_that_cannot_be_one_is_refused_before_anything_is_loaded() -> None:
    for name in ("hf/", "hf/a/b/c", "hf//mnist"):
        with pytest.raises(UserError, match=r"names no data set on the Hub; write hf/OWNER/NAME"):
            require_data(name)
    require_data("hf/ylecun/mnist")


def test_a_folder_that_is_called_like_a_set_of_the_hub_is_not_read_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parquet(DatasetDict({"train": table(30)}), tmp_path / "someone" / "animals")
    with pytest.raises(UserError, match="someone/animals is also a folder here, which the library takes first"):
        load_data("hf/someone/animals")
    assert len(load_data("someone/animals").train) == 21


def test_images_may_be_bare_bytes_of_any_writer(tmp_path: Path) -> None:
    encoded = [row["bytes"] for row in table(30).cast_column("image", ImageColumn(decode=False))["image"]]
    for kind in (pyarrow.binary(), pyarrow.large_binary()):
        columns = {"image": pyarrow.array(encoded, kind), "label": pyarrow.array(["dog", "cat"] * 15)}
        pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / f"{kind}.parquet")
        assert load_data(tmp_path / f"{kind}.parquet").classes == ("cat", "dog")


def test_changed_parquet_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "animals.parquet"
    table(30).to_parquet(path)
    before = load_data(path)
    table(30, 1).to_parquet(path)
    assert load_data(path).digest != before.digest
    table(30).to_parquet(path)
    assert load_data(path).digest == before.digest


def test_the_library_is_quiet_and_left_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path, level = tmp_path / "animals.parquet", logging.getLogger("datasets").level
    path.write_bytes(b"PAR1 and nothing more")
    shown = datasets.are_progress_bars_disabled()
    with pytest.raises(UserError):
        load_data(path)
    assert capfd.readouterr() == ("", "")
    assert (logging.getLogger("datasets").level, datasets.are_progress_bars_disabled()) == (level, shown)


def test_what_lies_on_disk_is_read_without_asking_anybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(30).to_parquet(tmp_path / "animals.parquet")
    saved(table(30), tmp_path / "animals")
    asked: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: asked.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **options: asked.append(host) or [])
    assert load_data(tmp_path / "animals").digest == load_data(tmp_path / "animals.parquet").digest
    assert asked == []
