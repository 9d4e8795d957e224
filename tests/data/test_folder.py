from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from robust_tickets.data import load
from robust_tickets.data.augmentation import FlipCrop
from robust_tickets.data.examples import Examples
from robust_tickets.data.images.stored_images import StoredImages
from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.errors import UserError
from tests.data.conftest import save_image

MakeFolder = Callable[..., Path]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def listed(part: Examples) -> list[str]:
    """The files of a part, in its order."""
    assert isinstance(part.inputs, StoredImages)
    return [part.inputs.files.names[index] for index in part.indices.tolist()]


def files(part: Examples) -> set[str]:
    return set(listed(part))


def test_a_plain_folder_is_split_into_three_disjoint_parts(make_folder: MakeFolder) -> None:
    splits = load_data(make_folder({"cat": 20, "dog": 30}))
    assert splits.classes == ("cat", "dog")
    assert splits.test.labels.bincount().tolist() == [4, 6]
    assert splits.validation.labels.bincount().tolist() == [2, 2]
    train, validation, test = files(splits.train), files(splits.validation), files(splits.test)
    assert train.isdisjoint(validation)
    assert test.isdisjoint(train | validation)
    assert len(train | validation | test) == 50
    assert "fixed 20 %" in splits.describe()


def test_the_test_part_does_not_depend_on_the_seed(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 20, "dog": 20})
    assert files(load_data(root, seed=1).test) == files(load_data(root, seed=2).test)


def test_train_val_and_test_folders_are_used_as_they_are(make_folder: MakeFolder) -> None:
    make_folder({"cat": 4, "dog": 4}, "set/train")
    make_folder({"cat": 2, "dog": 2}, "set/val")
    root = make_folder({"cat": 3, "dog": 3}, "set/test").parent
    splits = load_data(root)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [8, 4, 6]


def test_val_serves_as_test_where_there_is_no_test_folder(make_folder: MakeFolder) -> None:
    make_folder({"cat": 10, "dog": 10}, "set/train")
    root = make_folder({"cat": 3, "dog": 3}, "set/val").parent
    splits = load_data(root)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [18, 2, 6]
    assert "validation part serves as test" in splits.describe()


def test_a_class_may_be_called_train(make_folder: MakeFolder) -> None:
    assert load_data(make_folder({"bus": 5, "car": 5, "train": 5})).classes == ("bus", "car", "train")


def test_images_are_seen_as_torchvision_s_resize_and_centre_crop_show_them(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 4, "dog": 4}, size=(60, 40))
    splits = load_data(root, size=16, crop_fraction=0.8)
    usual = v2.Compose([v2.Resize(20), v2.CenterCrop(16), v2.PILToTensor()])
    for index in range(len(splits.train)):
        expected = usual(splits.train.inputs.original(int(splits.train.indices[index]))).float() / 255
        assert torch.allclose(splits.train[index][0], expected, atol=1.5 / 255)


def test_a_crop_fraction_keeps_the_centre(tmp_path: Path) -> None:
    for name in ("left", "right"):
        for index in range(4):
            image = Image.new("L", (40, 40), "black")
            image.paste("white", (10, 10, 30, 30))
            (tmp_path / name).mkdir(exist_ok=True)
            image.save(tmp_path / name / f"{index}.png")
    image, _ = load_data(tmp_path, size=16, crop_fraction=0.5).train[0]
    assert image.mean() > 0.95
    assert load_data(tmp_path, size=16).train[0][0].mean() == pytest.approx(0.25, abs=0.01)


def test_the_camera_s_orientation_is_honoured(tmp_path: Path) -> None:
    image = Image.new("RGB", (20, 10), "black")
    image.paste("white", (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    for name in ("cat", "dog"):
        for index in range(4):
            (tmp_path / name).mkdir(exist_ok=True)
            image.save(tmp_path / name / f"{index}.png", exif=exif)
    splits = load_data(tmp_path)
    assert splits.size == (20, 10)
    shown, _ = splits.train[0]
    assert shown[:, :10].mean() > 0.9
    assert shown[:, 10:].mean() < 0.1


def test_a_folder_too_large_for_memory_gives_the_same_images(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder({"cat": 6, "dog": 6})
    kept = load_data(root, size=8).train
    monkeypatch.setattr(load, "MEMORY_LIMIT", 0)
    lazy = load_data(root, size=8).train
    assert kept.held is not None
    assert lazy.held is None
    assert torch.equal(kept[3][0], lazy[3][0])
    assert kept.digest() == lazy.digest()


def test_a_truncated_image_is_refused_with_its_path(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 5, "dog": 5})
    truncate(root / "dog" / "003.png")
    with pytest.raises(
        UserError, match=r"dog/003\.png: unreadable image .*; replace it, or set `on_unreadable: skip`$"
    ):
        load_data(root, size=8)


def test_unreadable_images_are_skipped_on_request_and_counted(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 5, "dog": 5})
    truncate(root / "dog" / "003.png")
    (root / "cat" / "001.png").write_bytes(b"no image")
    splits = load_data(DataSettings(name=str(root), on_unreadable="skip"))
    assert sorted(Path(path).name for path, _ in splits.skipped) == ["001.png", "003.png"]
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 8
    assert "2 unreadable files were left out" in splits.describe()
    assert not any("skip" in reason for _, reason in splits.skipped), "that is done"


def test_hidden_files_are_ignored(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 5, "dog": 5, ".thumbnails": 2})
    (root / "cat" / ".DS_Store").write_bytes(b"x")
    assert load_data(root).classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({}, "contains no class folders"),
        ({"cat": 3}, r"has only one class \(cat\)"),
        ({"cat": 3, "dog": 0}, "dog: the class folder is empty"),
        ({"test": 3}, "has test/ but no train/"),
    ],
)
def test_folders_that_are_no_data_set_are_refused(
    make_folder: MakeFolder, counts: dict[str, int], message: str
) -> None:
    root = make_folder(counts)
    root.mkdir(exist_ok=True)
    with pytest.raises(UserError, match=message):
        load_data(root)


def test_a_missing_folder_is_named() -> None:
    with pytest.raises(
        UserError,
        match=r"^/no/such/place: no such folder or file; glyphs, digits, glyph-scenes, tales, .* are built in",
    ):
        load_data("/no/such/place")


def test_a_file_that_is_no_image_is_named(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 3, "dog": 3})
    (root / "cat" / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match=r"cat/notes\.txt: is not named like an image"):
        load_data(root)


def test_a_part_may_lack_classes_and_have_none_of_its_own(make_folder: MakeFolder) -> None:
    counts = {f"class {number}": 3 for number in range(9)}
    make_folder(counts, "set/train")
    root = make_folder({"class 2": 3, "class 7": 3, "class 8": 0}, "set/test").parent
    splits = load_data(root)
    assert len(splits.classes) == 9
    assert splits.test.labels.tolist() == [2, 2, 2, 7, 7, 7]
    said = (
        "the test part has images of 2 of the 9 classes, and none of class 0, class 1, class 3, class 4, class 5 and 2 "
        "more"
    )
    assert said in splits.notes
    make_folder({f"fox {number}": 1 for number in range(7)}, "set/val")
    lacking = r"val: has classes that training lacks: fox 0, fox 1, fox 2, fox 3, fox 4 and 2 more \(and none called "
    with pytest.raises(UserError, match=lacking):
        load_data(root)


def test_where_nothing_trains_all_images_are_test_images_of_any_class(make_folder: MakeFolder) -> None:
    make_folder({"cat": 3, "dog": 3}, "set/train")
    root = make_folder({"cat": 2, "ant": 2}, "set/val").parent
    splits = load_data(root, trains=False)
    assert splits.classes == ("ant", "cat", "dog")
    assert splits.test.labels.tolist() == [0, 0, 1, 1]
    assert len(splits.train) == len(splits.validation) == 0
    assert "all images of the validation part are test images, since nothing is trained" in splits.notes
    assert len(load_data(root / "train", trains=False).test) == 6
    assert len(load_data(make_folder({"cat": 1, "dog": 1}, "only/test").parent, trains=False).test) == 2


def test_images_of_several_sizes_need_a_size(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 3, "dog": 3})
    save_image(root / "dog" / "large.png", size=(50, 40))
    with pytest.raises(UserError, match=r"large\.png: is 50 x 40 pixels, but .* 24 x 20; set the data's `size`"):
        load_data(root)
    assert load_data(root, size=16).size == (16, 16)


def test_grey_among_coloured_images_becomes_rgb_as_in_torchvision_and_is_counted(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 5, "dog": 5})
    save_image(root / "dog" / "grey.png", mode="L")
    splits = load_data(root)
    assert splits.channels == 3
    assert "1 of 11 images are grey and become RGB, as in torchvision's ImageFolder" in splits.notes
    expected = {path: v2.functional.pil_to_tensor(image) for path, image in as_torchvision_shows(root).items()}
    for part in (splits.train, splits.validation, splits.test):
        for index, file in enumerate(listed(part)):
            assert torch.equal((part[index][0] * 255).round().byte(), expected[root / file])


def test_colours_become_grey_for_a_grey_network_and_are_counted(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 5, "dog": 5})
    save_image(root / "dog" / "grey.png", mode="L")
    splits = load_data(root, channels=1)
    assert splits.train[0][0].shape == (1, 20, 24)
    assert "10 of 11 images are in colour and become grey, as the network takes them" in splits.notes


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "CMYK", "YCbCr"])
def test_every_mode_looks_as_torchvision_shows_it(make_folder: MakeFolder, mode: str) -> None:
    root = make_folder({"cat": 4, "dog": 4})
    for path in root.glob("*/*.png"):
        image = Image.open(path).convert("L").convert("LA") if mode == "LA" else Image.open(path).convert(mode)
        suffix = ".jpg" if mode in ("CMYK", "YCbCr") else ".tif" if mode == "PA" else ".png"
        if mode == "RGBA":
            image.putalpha(Image.open(path).convert("L"))
        path.unlink()
        if mode == "PA":
            image = image.convert("RGBA")
        image.save(path.with_suffix(suffix))
    splits, expected = load_data(root, channels=3), as_torchvision_shows(root)
    for index, file in enumerate(listed(splits.train)):
        shown = v2.functional.to_pil_image((splits.train[index][0] * 255).round().byte())
        assert shown.tobytes() == expected[root / file].tobytes()


def as_torchvision_shows(root: Path) -> dict[Path, Image.Image]:
    dataset = ImageFolder(root)
    return {Path(path): dataset[index][0] for index, (path, _) in enumerate(dataset.samples)}


def test_other_colour_spaces_are_refused_by_name(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 3, "dog": 3})
    Image.new("LAB", (24, 20)).save(root / "dog" / "lab.tif")
    with pytest.raises(UserError, match=r"dog/lab\.tif: has mode LAB, .* save it as RGB"):
        load_data(root, channels=1)


def test_grey_images_are_not_mirrored_though_they_become_rgb(make_folder: MakeFolder) -> None:
    assert load_data(make_folder({"one": 5, "two": 5}, mode="L"), channels=3).augmentation == FlipCrop(flip=False)
    assert load_data(make_folder({"cat": 5, "dog": 5}, "colours"), channels=3).augmentation == FlipCrop(flip=True)


def test_deep_images_are_refused(make_folder: MakeFolder) -> None:
    root = make_folder({"cat": 3, "dog": 3})
    Image.new("I;16", (24, 20)).save(root / "dog" / "000.png")
    with pytest.raises(UserError, match="more than 8 bits per channel"):
        load_data(root, channels=1)
