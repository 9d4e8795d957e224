"""Images with label images: what is found, what values mean, how both move together, what is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from robust_tickets.data.augmentation import ScaleCrop
from robust_tickets.data.batches import batches
from robust_tickets.data.forms.torchvision_sets import VOC_CLASSES
from robust_tickets.data.images.encoded import FolderFiles
from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.data.targets.label_images import LabelImages
from robust_tickets.foundation.errors import UserError
from tests.shapes import COUNTS, HEIGHT, VOID, WIDTH, save_pair, scene, shapes_folder
from tests.shared_data import SHARED, needs_shared


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shapes_folder(tmp_path / "shapes")


def load(folder: Path, **settings: object) -> DataSplits:
    return load_data(DataSettings.model_validate({"name": str(folder), "ignore": [VOID], **settings}))


def test_a_folder_of_images_and_labels_is_read_as_it_lies(folder: Path) -> None:
    splits = load(folder)
    assert splits.target_kind == "pixels"
    assert (splits.classes, splits.size, splits.channels) == (("0", "1", "2"), (HEIGHT, WIDTH), 3)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == list(COUNTS.values())
    image, label = splits.train[3]
    assert image.dtype == torch.float32
    on_disk = Image.open(folder / "train" / "images" / "03.png"), Image.open(folder / "train" / "labels" / "03.png")
    assert torch.equal((image * 255).round().to(torch.uint8).permute(1, 2, 0), torch.from_numpy(np.array(on_disk[0])))
    expected = torch.from_numpy(np.array(on_disk[1])).long()
    assert torch.equal(label, torch.where(expected == VOID, -100, expected))
    assert any("are not counted" in note for note in splits.notes)


def test_classes_are_named_by_a_file_or_are_the_labels_in_use(folder: Path) -> None:
    (folder / "classes.txt").write_text("ground\nbox\ndisc\ntree\n")
    assert load(folder).classes == ("ground", "box", "disc", "tree")
    assert load(folder, ignore=[1, VOID]).classes == ("ground", "disc", "tree")
    assert load(folder, ignore=[1, VOID]).train[0][1].unique().tolist() == [-100, 0, 1]
    (folder / "classes.txt").unlink()
    for path in folder.glob("*/labels/*.png"):
        values = np.array(Image.open(path))
        Image.fromarray(np.where(values == 2, 200, values).astype(np.uint8)).save(path)
    assert load(folder).classes == ("0", "1", "200")
    assert load(folder).train[0][1].max() == 2


def test_palette_images_mean_their_indices(folder: Path) -> None:
    before = load(folder).train[0][1]
    for path in folder.glob("*/labels/*.png"):
        image = Image.open(path)
        image.putpalette([value for index in range(256) for value in (255 - index, index, 7)])
        image.save(path)
    assert Image.open(folder / "train" / "labels" / "00.png").mode == "P"
    assert torch.equal(load(folder).train[0][1], before)


def test_an_undivided_set_is_divided_and_fractions_are_nested_by_seed(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for index in range(20):
        save_pair(tmp_path, str(index), *scene(random))
    whole, half, other = load(tmp_path), load(tmp_path, fraction=0.5), load(tmp_path, fraction=0.5)
    assert [len(part) for part in (whole.train, whole.validation, whole.test)] == [14, 2, 4]
    assert (len(half.train) + len(half.validation), half.digest) == (8, other.digest)
    listed = [set(splits.train.indices.tolist()) for splits in (half, whole)]
    assert listed[0] < listed[1]


def test_a_batch_holds_labels_of_pixels_and_goes_on_anywhere(folder: Path) -> None:
    splits = load(folder)
    options = {"batch_size": 10, "seed": 1, "epoch": 2, "augment": splits.augmentation}
    whole = list(batches(splits.train, **options))
    assert [tuple(labels.shape) for _, labels in whole] == [
        (10, HEIGHT, WIDTH),
        (10, HEIGHT, WIDTH),
        (4, HEIGHT, WIDTH),
    ]
    rest = list(batches(splits.train, **options, start=1))
    assert all(
        torch.equal(a, b) for one, other in zip(whole[1:], rest, strict=True) for a, b in zip(one, other, strict=True)
    )
    halves = [list(batches(splits.train, **options, world=(rank, 2))) for rank in (0, 1)]
    assert torch.equal(halves[1][0].targets, whole[0].targets[1::2])


def test_files_too_many_for_memory_give_the_same_batches(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = load(folder)
    monkeypatch.setattr("robust_tickets.data.load.MEMORY_LIMIT", 0)
    loaded = load(folder)
    assert loaded.train.held is None
    options = {"batch_size": 12, "seed": 0, "augment": kept.augmentation}
    for one, other in zip(batches(kept.train, **options), batches(loaded.train, **options, workers=1), strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.targets, other.targets)


def moved_together(kind: ScaleCrop, image: Tensor, label: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """Return images and class numbers as one augmentation leaves them."""
    size = (image.shape[2], image.shape[3])
    targets = LabelImages.of(FolderFiles(Path(), []))
    return kind.apply(image, draws, size), targets.moved(label, kind, draws, size)


def test_image_and_label_are_scaled_cut_and_flipped_alike() -> None:
    random = np.random.default_rng(1)
    label = torch.from_numpy(np.stack([scene(random)[1] for _ in range(64)])).long()
    label = torch.where(label == VOID, -100, label)
    image = torch.stack([label == number for number in range(3)], 1).float()
    draws = torch.rand(64, ScaleCrop.uniforms, generator=torch.Generator().manual_seed(0))
    moved, labels = moved_together(ScaleCrop(), image, label, draws)
    # The image shows its own label: where it mixes no two classes, and no class with the void, both must agree.
    pure, void = moved.amax(1) > 0.99, moved.sum(1) < 0.01
    assert torch.equal(labels[pure], moved.argmax(1)[pure])
    assert bool((labels[void] == -100).all())
    assert (pure | void).float().mean() > 0.7
    assert not torch.equal(labels, label)
    shown = (labels != -100).float().mean((1, 2))
    assert shown.min() < 0.5 < shown.max()


def test_scale_one_only_flips() -> None:
    image, label = torch.rand(2, 3, 5, 7), torch.arange(70).reshape(2, 5, 7)
    draws = torch.tensor([[0.3, 0.2, 0.9, 0.9], [0.3, 0.2, 0.9, 0.1]])
    moved, labels = moved_together(ScaleCrop(scale=(1, 1)), image, label, draws)
    assert torch.equal(labels, torch.stack([label[0], label[1].flip(-1)]))
    torch.testing.assert_close(moved, torch.stack([image[0], image[1].flip(-1)]), atol=1e-5, rtol=0)


def test_another_size_keeps_the_whole_image_and_pads_with_void(folder: Path) -> None:
    splits = load(folder, size=[48, 48])
    image, label = splits.test[0]
    assert image.shape == (3, 48, 48)
    assert bool((label[:6] == -100).all())
    assert bool((label[-6:] == -100).all())
    assert bool((image[:, :6] == 0).all())
    inner = label[6:-6]
    small = load(folder).test[0][1]
    assert inner.unique().tolist() == small.unique().tolist()
    assert any("fit into 48 x 48" in note for note in splits.notes)


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    """A VOCdevkit of three training and two validation images of different sizes."""
    place, random = tmp_path / "data" / "VOCdevkit" / "VOC2012", np.random.default_rng(0)
    (place / "ImageSets" / "Segmentation").mkdir(parents=True)
    for folder in ("JPEGImages", "SegmentationClass"):
        (place / folder).mkdir()
    for part, names in {"train": ("a", "b", "c"), "val": ("d", "e")}.items():
        (place / "ImageSets" / "Segmentation" / f"{part}.txt").write_text("\n".join(names) + "\n")
        for number, name in enumerate(names):
            image, label = (one[: HEIGHT - 2 * number] for one in scene(random))
            label = Image.fromarray(np.where(label == VOID, 255, label * 5).astype(np.uint8))
            label.putpalette([value % 256 for value in range(768)])
            Image.fromarray(image).save(place / "JPEGImages" / f"{name}.jpg")
            label.save(place / "SegmentationClass" / f"{name}.png")
    return tmp_path / "data"


def test_pascal_voc_is_found_where_it_lies(devkit: Path) -> None:
    splits = load_data(DataSettings(name="torchvision/VOCSegmentation", root=devkit, size=(32, 32), validation=0.4))
    assert (splits.classes, splits.size) == (VOC_CLASSES, (32, 32))
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [2, 1, 2]
    values = torch.stack([splits.test[index][1] for index in (0, 1)]).unique().tolist()
    assert values == [-100, 0, 5, 10]


def test_a_broken_devkit_is_told(devkit: Path) -> None:
    (devkit / "VOCdevkit" / "VOC2012" / "SegmentationClass" / "b.png").unlink()
    with pytest.raises(UserError, match=r"SegmentationClass/b\.png: is missing, but train\.txt names it"):
        load_data(DataSettings(name="torchvision/VOCSegmentation", root=devkit))


def broken_label(path: Path, value: object) -> None:
    Image.fromarray(np.full((HEIGHT, WIDTH), value, dtype=np.uint8)).save(path)


MISTAKES = {
    "label without image": (
        lambda root: (root / "train/images/00.png").unlink(),
        {},
        r"train/labels/00\.png: has no image of the same name in images/ \(1 such\)",
    ),
    "image without label": (
        lambda root: (root / "val/labels/01.png").unlink(),
        {},
        r"val/images/01\.png: has no label image of the same name in labels/",
    ),
    "sizes differ": (
        lambda root: Image.new("L", (5, 6)).save(root / "test/labels/02.png"),
        {},
        r"test/labels/02\.png: is 5 x 6 pixels, but its image is 32 x 24",
    ),
    "value out of range": (
        lambda root: broken_label(root / "test/labels/02.png", 7),
        {},
        r"test/labels/02\.png: has the value 7 at row 0, column 0, which is not a class \(the training part "
        r"has 0, 1, 2\)",
    ),
    "value beyond the named classes": (
        lambda root: (root / "classes.txt").write_text("ground\nbox\n"),
        {},
        r"has the value 2 .*2 are named, from 0 to 1.*name it in the data's `ignore`",
    ),
    "colour": (
        lambda root: Image.new("RGB", (WIDTH, HEIGHT)).save(root / "train/labels/00.png"),
        {},
        r"train/labels/00\.png: has mode RGB, not one class number per pixel",
    ),
    "unreadable": (
        lambda root: (root / "train/labels/00.png").write_bytes(b"no image"),
        {},
        r"train/labels/00\.png: unreadable image .*on_unreadable: skip",
    ),
    "lossy label": (
        lambda root: shutil.move(root / "train/labels/00.png", root / "train/labels/00.jpg"),
        {},
        r"train/labels/00\.jpg: cannot be used: label images must be PNG",
    ),
    "no training part": (lambda root: shutil.rmtree(root / "train"), {}, "no train/"),
    "a part without labels": (
        lambda root: shutil.rmtree(root / "val/labels"),
        {},
        "val: lacks the images/ and labels/",
    ),
    "one class": (lambda root: None, {"ignore": [0, 1, VOID]}, "contain 1 class besides what is ignored"),
    "another augmentation": (
        lambda root: None,
        {"augmentation": "flip-crop"},
        "use scale-crop, scale-crop-colour or none",
    ),
    "per class": (lambda root: None, {"per_class": 3}, "use fraction"),
    "a class named twice": (
        lambda root: (root / "classes.txt").write_text("box\nbox\ndisc\n"),
        {},
        r"classes\.txt: names 'box' twice",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_line(folder: Path, mistake: str) -> None:
    make, settings, complaint = MISTAKES[mistake]
    make(folder)
    with pytest.raises(UserError, match=complaint) as caught:
        load(folder, **settings)
    assert "\n" not in str(caught.value)


def test_unreadable_pairs_can_be_left_out(folder: Path) -> None:
    (folder / "train/images/03.png").write_bytes(b"no image")
    (folder / "test/labels/00.png").write_bytes(b"no image")
    splits = load(folder, on_unreadable="skip")
    assert (len(splits.train), len(splits.test), len(splits.skipped)) == (23, 11, 2)


def test_ignore_is_for_label_images() -> None:
    with pytest.raises(UserError, match="digits: labels whole images"):
        load_data(DataSettings(name="digits", ignore=(3,)))


@needs_shared
def test_camvid_is_read() -> None:
    assert SHARED is not None
    splits = load_data(DataSettings(name=str(SHARED / "camvid-160x120"), ignore=(11,)))
    assert (len(splits.classes), splits.size) == (11, (120, 160))
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [367, 101, 233]
    labels = torch.cat([labels for _, labels in batches(splits.test, batch_size=256, seed=0, train=False)])
    assert labels.unique().tolist() == [-100, *range(11)]
    road = (labels == 3).sum() / (labels >= 0).sum()
    assert 0.26 < float(road) < 0.28
