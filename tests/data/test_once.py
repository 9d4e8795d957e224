"""A folder is listed and decoded once, whoever asks; what does not fit into memory is not decoded ahead."""

import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from robust_tickets.data import load, readers
from robust_tickets.data.augmentation import Affine, FlipCrop
from robust_tickets.data.batches import batches
from robust_tickets.data.forms import folder, label_folder
from robust_tickets.data.images import encoded, stored_images
from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.data.targets import label_images
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.user_cache import ENVIRONMENT
from tests.commands import Tickets
from tests.data.conftest import aged
from tests.shapes import VOID, shapes_folder

MakeFolder = Callable[..., Path]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "cache"))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Counter[str]]:
    """How often each file was read and decoded, and each folder listed."""
    counts: dict[str, Counter[str]] = {"read": Counter(), "decoded": Counter(), "listed": Counter()}

    def count(module: Any, name: str, kind: str, position: int) -> None:
        real = getattr(module, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            counts[kind][str(arguments[position])] += 1
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, counted)

    count(encoded, "read_file", "read", 0)
    count(stored_images, "decoded_image", "decoded", 1)
    count(label_images, "decoded_label", "decoded", 1)
    count(folder, "read_image_folder", "listed", 0)
    count(label_folder, "read_label_folder", "listed", 0)
    return counts


def in_another_process(seen: dict[str, Counter[str]]) -> None:
    """Forget what this process read, but for what is remembered on disk."""
    readers.read_once.cache_clear()
    for counter in seen.values():
        counter.clear()


def all_of(splits: DataSplits) -> list[Any]:
    return [part[index] for part in (splits.train, splits.validation, splits.test) for index in range(len(part))]


@pytest.mark.parametrize("fraction", [1.0, 0.5])
@pytest.mark.parametrize("ahead", [True, False])
def test_seeds_share_the_listing_and_what_is_decoded(
    make_folder: MakeFolder,
    seen: dict[str, Counter[str]],
    monkeypatch: pytest.MonkeyPatch,
    fraction: float,
    ahead: bool,
) -> None:
    monkeypatch.setattr(load, "DECODED_AHEAD", 50_000 if ahead else 0)
    root = make_folder({"cat": 20, "dog": 20})
    several = [load_data(DataSettings(name=str(root), fraction=fraction), size=8, seed=seed) for seed in range(3)]
    assert len({splits.digest for splits in several}) == 3
    assert bool(seen["decoded"]) is ahead
    for splits in several:
        all_of(splits)
    chosen = {
        int(index)
        for splits in several
        for part in (splits.train, splits.validation, splits.test)
        for index in part.indices
    }
    assert len(seen["decoded"]) == len(chosen)
    assert set(seen["decoded"].values()) == {1}
    assert list(seen["listed"].values()) == [1]


def test_label_images_are_decoded_once_too(tmp_path: Path, seen: dict[str, Counter[str]]) -> None:
    root = shapes_folder(tmp_path / "shapes")
    several = [load_data(DataSettings(name=str(root), ignore=(VOID,)), seed=seed) for seed in range(3)]
    for splits in several:
        list(batches(splits.train, batch_size=8, seed=0, augment=splits.augmentation))
    assert len(seen["decoded"]) == 2 * sum(len(part) for part in (splits.train, splits.validation, splits.test))
    assert set(seen["decoded"].values()) == {1}
    assert list(seen["listed"].values()) == [1]


def test_what_is_decoded_later_is_the_same(make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_folder({"cat": 20, "dog": 20})

    def epoch() -> list[torch.Tensor]:
        readers.read_once.cache_clear()
        train = load_data(root, size=8).train
        assert train.held is not None
        return [batch.inputs for batch in batches(train, batch_size=7, seed=0, augment=Affine(), workers=1)]

    at_once = epoch()
    monkeypatch.setattr(load, "DECODED_AHEAD", 0)
    assert all(torch.equal(one, other) for one, other in zip(at_once, epoch(), strict=True))


def test_what_does_not_fit_into_memory_is_read_once_and_not_decoded(
    make_folder: MakeFolder, seen: dict[str, Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "MEMORY_LIMIT", 0)
    root = aged(make_folder({"cat": 20, "dog": 20}))
    before = load_data(root).digest
    assert not seen["decoded"]
    assert len(seen["read"]) == 40
    assert set(seen["read"].values()) == {1}
    in_another_process(seen)
    splits = load_data(root, seed=0)
    assert splits.digest == before
    assert not seen["read"]
    list(batches(splits.train, batch_size=8, seed=0, augment=FlipCrop()))
    assert set(seen["decoded"].values()) == {1}


def test_of_large_label_images_only_the_classes_are_found_out(
    tmp_path: Path, seen: dict[str, Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "MEMORY_LIMIT", 0)
    root = shapes_folder(tmp_path / "shapes")
    settings = DataSettings(name=str(root), ignore=(VOID,))
    splits = load_data(settings)
    assert set(seen["decoded"]) == {str(path) for path in (root / "train" / "labels").iterdir()}
    in_another_process(seen)
    (root / "classes.txt").write_text("ground\nbox\ndisc\n")
    assert load_data(settings).train.digest() == splits.train.digest()
    assert not seen["decoded"]


def test_what_is_to_be_skipped_has_to_be_decoded(
    make_folder: MakeFolder, seen: dict[str, Counter[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "MEMORY_LIMIT", 0)
    root = aged(make_folder({"cat": 10, "dog": 10}))
    truncate(root / "dog" / "003.png")
    assert len(load_data(root, size=8).skipped) == 0
    assert not seen["decoded"]
    in_another_process(seen)
    skipping = DataSettings(name=str(root), on_unreadable="skip")
    assert [Path(path).name for path, _ in load_data(skipping, size=8).skipped] == ["003.png"]
    assert len(seen["decoded"]) == 20
    in_another_process(seen)
    assert len(load_data(skipping, size=8).skipped) == 1
    assert list(seen["decoded"]) == [str(root / "dog" / "003.png")]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_header_that_is_damaged_is_refused_at_once(make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "MEMORY_LIMIT", 0)
    root = make_folder({"cat": 5, "dog": 5})
    (root / "dog" / "003.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"dog/003\.png: unreadable image .its image format is not recognised.*"):
        load_data(root, size=8)
    Image.new("I;16", (24, 20)).save(root / "dog" / "003.png")
    with pytest.raises(UserError, match=r"dog/003\.png: has more than 8 bits per channel"):
        load_data(root, size=8)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_header_tells_the_same_as_the_image(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for mode in ("L", "RGB"):
        path = tmp_path / f"{mode}{suffix}"
        Image.new(mode, (20, 10)).save(path, exif=exif)
        codec, content = stored_images.ImageCodec(), path.read_bytes()
        glanced = codec.glanced("", content, str(path))
        assert glanced._replace(decoded=True) == codec.described("", codec.decode(content, str(path)))
        assert not glanced.decoded


def test_examples_can_be_sent_to_another_process(make_folder: MakeFolder) -> None:
    part = load_data(make_folder({"cat": 10, "dog": 10}), size=8).train
    content = pickle.dumps(part)
    assert len(content) < part.indices.numel() * 8 * 8 * 3
    options: dict[str, Any] = {"batch_size": 4, "seed": 0, "augment": Affine()}
    for one, other in zip(batches(part, **options), batches(pickle.loads(content), **options), strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.targets, other.targets)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_file_met_in_training_is_one_line_and_the_checkpoint_stays(
    make_folder: MakeFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
) -> None:
    monkeypatch.setattr(load, "MEMORY_LIMIT", 0)
    root = make_folder({"cat": 30, "dog": 30}, size=(32, 32))
    run = Tickets(capsys, monkeypatch)
    line = (
        f"pretrain -s demo/resnet4 --data {root} --out {tmp_path / 'source'} --set epochs=2 --set batch_size=4 --set "
        f"checkpoint_seconds=0 --set data.workers={workers} --seed 0"
    )
    # The last image of the first epoch, so that there is a checkpoint by then.
    splits = load_data(root, size=32)
    order = torch.randperm(len(splits.train), generator=load_order())
    name = splits.train.inputs.files.names[int(splits.train.indices[order[-1]])]  # pyright: ignore
    truncate(root / name)
    complaint = run(line).complaint
    assert f"{name}: unreadable image" in complaint
    assert (tmp_path / "source" / "checkpoint.pt").is_file()


def load_order() -> torch.Generator:
    from robust_tickets.foundation.seeds import generator

    return generator(0, "order", 0)
