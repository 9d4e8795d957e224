import gzip
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from robust_tickets.data.examples import Examples
from robust_tickets.data.images.arrays import ImageArrays, labelled
from robust_tickets.data.images.fit import Fit
from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.errors import UserError


def noise(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def labels(count: int, classes: int = 2) -> np.ndarray:
    return np.arange(count) % classes


def webp(images: np.ndarray) -> dict[str, np.ndarray]:
    encoded = []
    for image in images:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "WEBP", lossless=True)
        encoded.append(np.frombuffer(buffer.getvalue(), np.uint8))
    offset = np.concatenate([[0], np.cumsum([len(part) for part in encoded])])
    return {"webp": np.concatenate(encoded), "offset": offset, "label": labels(len(images)).astype(np.uint8)}


def write_idx(path: Path, values: np.ndarray) -> None:
    head = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    content = head + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def pixels_of(part: Examples) -> torch.Tensor:
    """The bytes that a part holds, which must be those of arrays."""
    assert isinstance(part.inputs, ImageArrays)
    return part.inputs.images[part.indices]


def test_a_plain_archive_is_split(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "set.npz",
        images=noise(50, 8, 8, 3),
        labels=labels(50),
        class_names=np.array(["no", "yes"]),
    )
    splits = load_data(tmp_path / "set.npz")
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [36, 4, 10]
    assert splits.classes == ("no", "yes")
    assert splits.size == (8, 8)
    assert splits.channels == 3


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (1, 8, 8)])
def test_grey_arrays_of_any_layout_are_read_alike(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = noise(40, 8, 8)
    np.savez(
        tmp_path / "set.npz",
        x_train=pixels.reshape(40, *shape),
        y_train=labels(40),
        x_test=pixels[:10].reshape(10, *shape),
        y_test=labels(10)[:, None],
    )
    splits = load_data(tmp_path / "set.npz", seed=0)
    assert torch.equal(pixels_of(splits.test)[:, 0], torch.from_numpy(pixels[:10]))
    assert len(splits.train) == 36


def test_files_of_one_part_are_joined_in_order_and_images_are_exact(tmp_path: Path) -> None:
    pixels = noise(60, 8, 8, 3)
    np.savez(tmp_path / "some_train_1.npz", **webp(pixels[:20]))
    np.savez(tmp_path / "some_train_2.npz", **webp(pixels[20:40]))
    np.savez(tmp_path / "some_test.npz", **webp(pixels[40:]))
    (tmp_path / "labels.json").write_text('{"fine_names": ["a", "b"]}')
    splits = load_data(DataSettings(name=str(tmp_path), validation=0))
    assert torch.equal(pixels_of(splits.train), torch.from_numpy(pixels[:40]).permute(0, 3, 1, 2))
    assert splits.train.labels.tolist() == labels(40).tolist()
    assert len(splits.test) == 20
    assert len(splits.validation) == 0
    assert splits.classes == ("a", "b")


def test_an_archive_of_python_objects_is_not_executed(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", images=np.array([{"a": 1}], dtype=object), labels=labels(1))
    with pytest.raises(UserError, match=r"not a readable \.npz archive of plain arrays"):
        load_data(tmp_path / "set.npz")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pixels": noise(4, 8, 8)}, r"contains pixels; expected images and labels"),
        ({"images": noise(4, 8, 8, 5), "labels": labels(4)}, r"has shape \(4, 8, 8, 5\)"),
        ({"images": noise(4, 8, 8) / 1.0, "labels": labels(4)}, "float64 from 0 to 255; .* divide by 255"),
        ({"images": noise(4, 8, 8) / 64 - 2, "labels": labels(4)}, "from -2 to 1.98.*; .* remove Normalize"),
        ({"images": np.full((4, 8, 8), np.nan), "labels": labels(4)}, "NaN or infinite"),
        ({"images": noise(4, 8, 8).astype(np.uint16) * 257, "labels": labels(4)}, "uint16 from 0 to 65535; .*65535"),
        ({"images": noise(4, 8, 8).astype(complex), "labels": labels(4)}, "contains complex128; give uint8"),
        ({"images": noise(40, 8, 8), "labels": labels(40, 4) + 1}, "training labels are 1, 2, 3, 4, .* 5 classes"),
        ({"images": noise(40, 8, 8), "labels": labels(40) * 255}, "training labels are 0, 255, .* 256 classes"),
        (
            {"images": noise(40, 8, 8), "labels": labels(40), "classes": np.array(["Train", "TEST"])},
            "like the parts of",
        ),
        ({"x_val": noise(4, 8, 8), "x_valid": noise(4, 8, 8), "y_val": labels(4), "y_valid": labels(4)}, "both name"),
        ({"images": noise(4, 8, 8), "labels": labels(3)}, "a class number, 0 or more, for each of 4 images"),
        ({"images": noise(4, 8, 8), "labels": labels(4, 1)}, r"has only one class \(0\)"),
        ({"images": noise(0, 8, 8), "labels": labels(0)}, "contains no images"),
    ],
)
def test_archives_that_are_no_data_set_are_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(UserError, match=message):
        load_data(tmp_path / "set.npz")


def test_a_broken_archive_and_another_kind_of_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "set.npz").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(UserError, match=r"set\.npz: is not a readable \.npz archive"):
        load_data(tmp_path / "set.npz")
    (tmp_path / "set.xls").write_text("a,b")
    with pytest.raises(UserError, match=r"set\.xls: is a file, but not \.npz"):
        load_data(tmp_path / "set.xls")


def test_a_test_class_that_training_lacks_is_refused(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "set.npz",
        x_train=noise(20, 8, 8),
        y_train=labels(20),
        x_test=noise(3, 8, 8),
        y_test=np.array([0, 1, 9]),
    )
    with pytest.raises(UserError, match="the test part has classes that training lacks: 9"):
        load_data(tmp_path / "set.npz")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_are_read_packed_or_not(tmp_path: Path, suffix: str) -> None:
    pixels = noise(30, 8, 8)
    for part, chosen in (("train", slice(0, 20)), ("t10k", slice(20, 30))):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte{suffix}", pixels[chosen])
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte{suffix}", labels(30)[chosen])
    splits = load_data(tmp_path)
    assert torch.equal(pixels_of(splits.test)[:, 0], torch.from_numpy(pixels[20:]))
    assert len(splits.train) == 18


def test_idx_files_that_are_truncated_or_without_labels_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte", noise(20, 8, 8))
    with pytest.raises(UserError, match="train-labels-idx1-ubyte: no such file"):
        load_data(tmp_path)
    write_idx(tmp_path / "train-labels-idx1-ubyte", labels(20))
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match="it is truncated"):
        load_data(tmp_path)


def test_enlarged_images_are_stored_small_and_reduced_ones_reduced() -> None:
    arrays = labelled(torch.from_numpy(noise(4, 3, 8, 8)), torch.tensor([0, 1, 0, 1]))
    large = Examples(arrays, Fit((32, 32), 3))
    assert held(large).shape == (4, 3, 8, 8)
    assert large[0][0].shape == (3, 32, 32)
    small = Examples(arrays, Fit((4, 4), 1))
    assert held(small).shape == (4, 1, 4, 4)
    assert small[0][0].shape == (1, 4, 4)


def held(part: Examples) -> torch.Tensor:
    assert part.held is not None
    return part.held.floats(part.indices)


def test_bicubic_enlargement_stays_inside_the_box() -> None:
    stripes = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    stripes[..., ::2] = 255
    image, _ = Examples(labelled(stripes, torch.tensor([0])), Fit((32, 32), 1, "bicubic"))[0]
    assert image.min() == 0
    assert image.max() == 1


def test_colour_becomes_luma_and_grey_is_repeated() -> None:
    red = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    red[:, 0] = 255
    image, _ = Examples(labelled(red, torch.tensor([0])), Fit((4, 4), 1))[0]
    assert torch.allclose(image, torch.tensor(76 / 255))
    grey = Examples(labelled(red[:, :1], torch.tensor([0])), Fit((4, 4), 3))
    assert torch.equal(grey[0][0], torch.ones(3, 4, 4))


def test_the_digest_tells_membership_and_nothing_else(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", images=noise(50, 8, 8, 3), labels=labels(50))
    digests = {load_data(tmp_path / "set.npz", seed=seed).digest for seed in (0, 0, 1)}
    assert len(digests) == 2
    smaller = load_data(DataSettings(name=str(tmp_path / "set.npz"), fraction=0.5))
    assert smaller.digest not in digests


def test_labels_that_begin_at_one_are_taken_where_the_classes_have_names(tmp_path: Path) -> None:
    """EMNIST's letters are 1 to 26, and torchvision calls the class 0 N/A."""
    names = np.array(["N/A", "a", "b", "c"])
    np.savez(tmp_path / "set.npz", images=noise(60, 8, 8), labels=labels(60, 3) + 1, class_names=names)
    splits = load_data(tmp_path / "set.npz")
    assert splits.classes == ("N/A", "a", "b", "c")
    assert "the training part has images of 3 of the 4 classes, and none of N/A" in splits.notes


def test_a_part_without_some_classes_is_told(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "set.npz", x_train=noise(80, 8, 8), y_train=labels(80, 8), X_TEST=noise(4, 8, 8), y_TEST=labels(4)
    )
    (note,) = [note for note in load_data(tmp_path / "set.npz").notes if "test" in note]
    assert note == "the test part has images of 2 of the 8 classes, and none of 2, 3, 4, 5, 6 and 1 more"


def test_names_of_files_say_which_part_they_are_without_case(tmp_path: Path) -> None:
    for name, count in {"TrainSet_1": 20, "trainset_2": 20, "TEST": 10, "my-dev": 6}.items():
        np.savez(tmp_path / f"{name}.npz", images=noise(count, 8, 8), labels=labels(count))
    splits = load_data(tmp_path)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [40, 6, 10]
    np.savez(tmp_path / "holdout.npz", images=noise(6, 8, 8), labels=labels(6))
    with pytest.raises(
        UserError, match=r"holdout\.npz: its name contains no part, unlike .*put train, val or test into it"
    ):
        load_data(tmp_path)
