"""Which folders are parts and which are classes: read right, or refused in one line."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from torchvision.datasets import ImageFolder

from robust_tickets.data.load import load_data
from robust_tickets.data.names import part_in, part_of
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from tests.shapes import COUNTS, VOID, shapes_folder

MakeFolder = Callable[..., Path]


def made(make_folder: MakeFolder, *paths: str) -> Path:
    """Write four images into each of the folders below a root, and return the root."""
    root = make_folder({}, "set")
    for path in paths:
        outer, _, inner = f"set/{path}".rpartition("/")
        make_folder({inner: 4}, outer)
    return root


def sizes(splits: DataSplits) -> list[int]:
    return [len(splits.train), len(splits.validation), len(splits.test)]


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("Train", "Valid", "Test"),
        ("TRAIN", "VAL", "TEST"),
        ("train", "Validation", "Test"),
        ("Training", "dev", "Testing"),
        ("train", "validation", "eval"),
        ("training_set", "validation_set", "test_set"),
        ("TrainData", "ValData", "TestData"),
        ("train2017", "val2017", "test2017"),
        ("seg_train", "seg_dev", "seg_test"),
    ],
)
def test_parts_are_known_by_any_usual_name(make_folder: MakeFolder, train: str, validation: str, test: str) -> None:
    folders = [f"{part}/{name}" for part in (train, validation, test) for name in ("cat", "dog")]
    splits = load_data(made(make_folder, *folders, f"{train}/fox"))
    assert splits.classes == ("cat", "dog", "fox")
    assert sizes(splits) == [12, 8, 8]


@pytest.mark.parametrize("pair", ["Train Test", "Training Testing", "TRAIN TEST", "train Test", "trainset testset"])
def test_two_parts_are_never_two_classes(make_folder: MakeFolder, pair: str) -> None:
    splits = load_data(made(make_folder, *(f"{part}/{name}" for part in pair.split() for name in ("cat", "dog"))))
    assert splits.classes == ("cat", "dog")
    assert len(splits.test) == 8


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        # folds, sites, persons: no parts, and no classes either
        (
            ["fold1/cat", "fold1/dog", "fold2/cat", "fold2/dog"],
            "fold1/ and fold2/ contain the same folders .cat, dog.*mer",
        ),
        (
            ["site_a/cat", "site_a/dog", "site_b/cat", "site_b/dog", "site_b/fox"],
            "site_a/ and site_b/ contain the same",
        ),
        (["fit/cat", "fit/dog", "held/cat", "held/dog"], r"name them train/, val/ and test/, or merge them"),
        (["train/a/cat", "train/a/dog", "train/b/cat", "train/b/dog"], r"train: a/ and b/ contain the same folders"),
        # two folders of one part
        (["train/cat", "train/dog", "Train/cat", "test/cat"], "Train and train both name the train part; keep one"),
        (["test/cat", "test/dog", "eval/cat", "eval/dog", "train/cat"], "eval and test both name the test part"),
        (["train_1/cat", "train_2/cat", "test_1/cat"], "train_1 and train_2 both name the train part"),
        # images that lie in parts without classes
        (["train/cat", "train/dog", "test"], "test: contains no class folders"),
        # a part beside what is none
        (
            ["train/cat", "train/dog", "unlabelled"],
            r"train/ contains classes, like a part, but .*unlabelled/.; name the parts",
        ),
        (
            ["train/cat", "train/dog", "holdout/cat", "holdout/dog"],
            r"no other folder is named like a part .holdout/.; name",
        ),
        (["val/cat", "val/dog", "test/cat", "test/dog"], "but no train/; add the training images as train/"),
        # one folder too many
        (["pets/cat", "pets/dog"], r"only one class \(pets\); .* such as the folders in .*/set/pets: give that"),
    ],
)
def test_what_is_neither_parts_nor_classes_is_refused(
    make_folder: MakeFolder, folders: list[str], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load_data(made(make_folder, *folders))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("folders", "classes"),
    [
        (["car", "train", "bus"], ("bus", "car", "train")),
        (["car", "Train", "bus/double", "bus/single"], ("Train", "bus", "car")),
        (["passenger train", "freight train"], ("freight train", "passenger train")),
        (["cat/images", "dog/images", "fox/images"], ("cat", "dog", "fox")),  # as in Tiny ImageNet
        (["animals/cat", "animals/dog", "plants/rose", "plants/fern"], ("animals", "plants")),
        (["test tube", "beaker"], ("beaker", "test tube")),
    ],
)
def test_classes_that_look_like_parts_are_classes(
    make_folder: MakeFolder, folders: list[str], classes: tuple[str, ...]
) -> None:
    assert load_data(made(make_folder, *folders)).classes == classes


def test_folders_beside_the_parts_are_left_out_and_told(make_folder: MakeFolder) -> None:
    parts = [f"{part}/{name}" for part in ("train", "test") for name in ("cat", "dog")]
    splits = load_data(made(make_folder, *parts, "annotations"))
    assert splits.classes == ("cat", "dog")
    assert "annotations/ next to the parts: left out" in splits.notes


def test_a_data_set_object_whose_classes_are_parts_is_refused(make_folder: MakeFolder) -> None:
    root = made(make_folder, "Train/cat", "Train/dog", "Test/cat", "Test/dog")
    with pytest.raises(UserError, match="its classes are called Test, Train, like the parts of a data set; give"):
        load_data(ImageFolder(root))


def test_words_in_longer_names() -> None:
    assert [part_in(name) for name in ("cifar10_train_1", "x_test", "XTrain", "t10k-images", "my.Val.npz")] == [
        "train",
        "test",
        "train",
        "test",
        "validation",
    ]
    assert [part_in(name) for name in ("pretrained", "strain", "contest", "develop", "retrieval", "dataset")] == [
        None
    ] * 6
    assert part_of(" Valid ") == "validation"
    assert part_of("training_set") is None


def test_images_with_label_images_have_parts_in_either_order(tmp_path: Path) -> None:
    ours = load_data(shapes_folder(tmp_path / "ours"), size=None)
    for part, name in zip(COUNTS, ("Train", "Valid", "TEST"), strict=True):
        for kind in ("images", "labels"):
            (tmp_path / "other" / kind).mkdir(parents=True, exist_ok=True)
            shutil.copytree(tmp_path / "ours" / part / kind, tmp_path / "other" / kind / name)
    theirs = load_data(tmp_path / "other")
    assert sizes(theirs) == sizes(ours) == list(COUNTS.values())
    assert (theirs.train[5][1] == ours.train[5][1]).all()
    assert VOID in map(int, theirs.classes)
    for kind in ("images", "labels"):
        Image.new("L", (8, 8)).save(tmp_path / "other" / kind / "lost.png")
    with pytest.raises(UserError, match=r"images: contains .*, which are parts, and images, which are not; move these"):
        load_data(tmp_path / "other")
    for kind in ("images", "labels"):
        (tmp_path / "other" / kind / "lost.png").unlink()
        (tmp_path / "other" / kind / "Train").rename(tmp_path / "other" / kind / "fold1")
    with pytest.raises(UserError, match="which are parts, and fold1/, which are not"):
        load_data(tmp_path / "other")
