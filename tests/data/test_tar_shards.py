"""Tars in WebDataset's layout."""

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from robust_tickets.data.augmentation import FlipCrop
from robust_tickets.data.batches import batches
from robust_tickets.data.images import stored_images
from robust_tickets.data.load import load_data
from robust_tickets.data.names import require_data
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.user_cache import ENVIRONMENT


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "cache"))


def picture(number: int) -> bytes:
    values = np.random.default_rng(number).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def labelled(start: int, count: int, label: Any = None, ending: str = "cls") -> dict[str, bytes]:
    """Members of samples, numbered from `start`; a label is the number modulo 3 unless `label` makes another of it."""
    members: dict[str, bytes] = {}
    for number in range(start, start + count):
        said = number % 3 if label is None else label(number % 3)
        members[f"{number:06d}.png"] = picture(number)
        members[f"{number:06d}.{ending}"] = said if isinstance(said, bytes) else json.dumps(said).encode()
    return members


def sizes(splits: DataSplits) -> list[int]:
    return [len(splits.train), len(splits.validation), len(splits.test)]


def is_right(splits: DataSplits) -> bool:
    """Tell whether every image is the one of its number and has its label."""
    for part in (splits.train, splits.validation, splits.test):
        for index in range(len(part)):
            image, label = part[index]
            number = int(Path(part.inputs.files.names[int(part.indices[index])]).stem)  # pyright: ignore
            original = np.asarray(Image.open(io.BytesIO(picture(number))))
            if label != number % 3 or not np.array_equal(
                (image * 255).round().byte().permute(1, 2, 0).numpy(), original
            ):
                return False
    return True


def test_shards_are_parts_by_their_names(tmp_path: Path) -> None:
    write_tar(tmp_path / "set" / "animals-train-000.tar", labelled(0, 15))
    write_tar(tmp_path / "set" / "animals-train-001.tar", labelled(15, 15))
    write_tar(tmp_path / "set" / "animals-val-000.tar", labelled(30, 9))
    write_tar(tmp_path / "set" / "animals-test-000.tar", labelled(39, 12))
    splits = load_data(tmp_path / "set")
    assert (splits.name, splits.classes, splits.size) == ("set", ("0", "1", "2"), (10, 12))
    assert sizes(splits) == [30, 9, 12]
    assert is_right(splits)


def test_shards_are_parts_by_their_folders_or_are_divided(tmp_path: Path) -> None:
    write_tar(tmp_path / "set" / "train" / "000.tar", labelled(0, 30))
    write_tar(tmp_path / "set" / "test" / "000.tar", labelled(30, 12))
    assert sizes(load_data(tmp_path / "set")) == [27, 3, 12]
    whole = load_data(tmp_path / "set" / "train" / "000.tar")
    assert sizes(whole) == [21, 3, 6]
    assert is_right(whole)


@pytest.mark.parametrize("beside", ["archive.tar", "train/archive.tar", "train/cat/archive.tar"])
def test_an_archive_left_in_a_folder_of_images_is_no_shard(tmp_path: Path, beside: str) -> None:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(10):
                (tmp_path / part / name / f"{number}.png").write_bytes(picture(number))
    write_tar(tmp_path / beside, labelled(0, 30))
    if beside.count("/") < 2:
        assert load_data(tmp_path).classes == ("cat", "dog")
    else:
        with pytest.raises(UserError, match=r"train/cat/archive\.tar: is not named like an image"):
            load_data(tmp_path)


@pytest.mark.parametrize("pattern", ["{000..001}.tar", "00?.tar", "{000,001}.tar", "0*.tar"])
def test_a_pattern_names_shards(tmp_path: Path, pattern: str) -> None:
    for number in range(3):
        write_tar(tmp_path / f"{number:03d}.tar", labelled(15 * number, 15))
    name = str(tmp_path / pattern)
    require_data(name)
    assert sum(sizes(load_data(name))) == (45 if pattern in ("00?.tar", "0*.tar") else 30)
    missing = str(tmp_path / "{003..004}.tar")
    with pytest.raises(UserError, match=r"003\.\.004\}\.tar: no such files"):
        require_data(missing)
    with pytest.raises(UserError, match=r"003\.\.004\}\.tar: no such files"):
        load_data(missing)


@pytest.mark.parametrize(
    "label",
    [lambda number: number, lambda number: {"cls": number}, lambda number: {"label": number, "caption": "a picture"}],
    ids=["number", "cls", "label"],
)
def test_labels_may_be_json(tmp_path: Path, label: Any) -> None:
    write_tar(tmp_path / "set.tar", labelled(0, 30, label, "json"))
    assert is_right(load_data(tmp_path / "set.tar"))


def test_labels_may_be_names_or_lie_under_a_key_of_one_s_own(tmp_path: Path) -> None:
    write_tar(tmp_path / "set.tar", labelled(0, 30, lambda number: b"fox cat dog".split()[number]))
    splits = load_data(tmp_path / "set.tar")
    assert splits.classes == ("cat", "dog", "fox")
    write_tar(tmp_path / "other.tar", labelled(0, 30, lambda number: {"animal": number, "label": "x"}, "json"))
    assert is_right(load_data(DataSettings(name=str(tmp_path / "other.tar"), label="animal")))


def test_names_of_classes_lie_beside_the_shards(tmp_path: Path) -> None:
    write_tar(tmp_path / "set" / "000.tar", labelled(0, 30))
    (tmp_path / "set" / "labels.json").write_text('["cat", "dog", "fox"]')
    assert load_data(tmp_path / "set").classes == ("cat", "dog", "fox")


def test_what_does_not_fit_into_memory_is_not_decoded_ahead_and_is_loaded_by_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    real = stored_images.decoded_image
    monkeypatch.setattr(
        stored_images, "decoded_image", lambda content, where: (decoded.append(where), real(content, where))[1]
    )
    monkeypatch.setattr("robust_tickets.data.load.MEMORY_LIMIT", 0)
    write_tar(tmp_path / "set.tar", labelled(0, 30))
    splits = load_data(tmp_path / "set.tar")
    before = splits.digest
    assert not decoded
    options: dict[str, Any] = {"batch_size": 8, "seed": 0, "augment": FlipCrop()}
    one, other = (list(batches(splits.train, **options, workers=workers)) for workers in (0, 2))
    assert all(torch.equal(a.inputs, b.inputs) for a, b in zip(one, other, strict=True))
    changed = labelled(0, 30)
    changed["000004.png"] = picture(99)
    write_tar(tmp_path / "set.tar", changed)
    assert load_data(tmp_path / "set.tar").digest != before


MISTAKES: dict[str, tuple[Any, str]] = {
    "no label": ({**labelled(0, 6), "x.png": picture(0)}, "x: has no label; add a .cls or .json with the same stem"),
    "no image": ({**labelled(0, 6), "x.cls": b"1"}, r"x: has no images among its members \(cls\); a sample has one"),
    "two images": ({**labelled(0, 6), "000001.jpg": picture(0)}, r"000001: has 2 images among its members"),
    "a label that is none": ({**labelled(0, 6), "000002.cls": b"-4"}, r"000002\.png: has the label '-4'; give a class"),
    "no json": ({**labelled(0, 6, ending="json"), "000002.json": b"{"}, r"000002\.json: is not valid JSON"),
    "no key": (
        labelled(0, 6, lambda n: {"a": n}, "json"),
        r"json: has the keys a; name the label key with data\.label",
    ),
    "empty": ({}, "contains no samples"),
    "unreadable": ({**labelled(0, 30), "000002.png": b"no image"}, r"set\.tar, 000002\.png: unreadable image"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, mistake: str) -> None:
    members, complaint = MISTAKES[mistake]
    write_tar(tmp_path / "set.tar", members)
    with pytest.raises(UserError, match=complaint) as caught:
        load_data(tmp_path / "set.tar")
    assert "\n" not in str(caught.value)


def test_damaged_and_compressed_tars_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "set.tar"
    write_tar(path, labelled(0, 6))
    content = path.read_bytes()
    for broken in (content[:3000], gzip.compress(content), b"nothing of the kind"):
        path.write_bytes(broken)
        with pytest.raises(UserError, match=r"set\.tar: is not a readable tar .*; download it again, and unpack it"):
            load_data(path)


def test_a_key_that_is_asked_for_comes_before_cls(tmp_path: Path) -> None:
    members = labelled(0, 30)
    write_tar(
        tmp_path / "set.tar",
        members | labelled(0, 30, lambda number: {"animal": ["fox", "cat", "dog"][number]}, "json"),
    )
    assert load_data(tmp_path / "set.tar").classes == ("0", "1", "2")
    assert load_data(DataSettings(name=str(tmp_path / "set.tar"), label="animal")).classes == ("cat", "dog", "fox")
    write_tar(tmp_path / "set.tar", members)
    with pytest.raises(UserError, match=r"000000: has no label; add a \.json with 'animal' \(data\.label\)"):
        load_data(DataSettings(name=str(tmp_path / "set.tar"), label="animal"))


def test_files_of_two_kinds_are_not_chosen_from(tmp_path: Path) -> None:
    write_tar(tmp_path / "set.tar", labelled(0, 30))
    np.savez(tmp_path / "set.npz", images=np.zeros((4, 8, 8), np.uint8), labels=np.array([0, 1, 0, 1]))
    with pytest.raises(UserError, match="contains npz files and WebDataset tars; keep files of one kind there"):
        load_data(tmp_path)


@pytest.mark.parametrize("name", ["glyphs", "digits", "torchvision/CIFAR10"])
def test_a_column_is_asked_only_of_data_that_have_such(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{name}: has no columns for data.label to choose from"):
        load_data(DataSettings(name=name, label="animal", root=tmp_path))


def test_braces_that_stand_for_too_much_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"stands for [\d,]+ names; give 100,000 or fewer"):
        require_data(str(tmp_path / "{0..999999999}.tar"))
