from pathlib import Path

import pytest

from robust_tickets.data.augmentation import RandomResizedCrop
from robust_tickets.data.images.user import UserImages
from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.errors import UserError
from tests.data.conftest import save_image


def test_a_set_of_photographs_keeps_its_official_parts(tmp_path: Path) -> None:
    """Two classes in the layout of DTD, which torchvision finds without downloading anything."""
    for part, numbers in (("train", range(6)), ("val", range(6, 9)), ("test", range(9, 14))):
        names = [f"{texture}/{texture}_{number}.jpg" for texture in ("banded", "dotted") for number in numbers]
        for seed, name in enumerate(names):
            save_image(tmp_path / "dtd" / "dtd" / "images" / name, size=(40, 30), seed=seed)
        (tmp_path / "dtd" / "dtd" / "labels").mkdir(exist_ok=True)
        (tmp_path / "dtd" / "dtd" / "labels" / f"{part}1.txt").write_text("\n".join(names) + "\n")
    splits = load_data(DataSettings(name="torchvision/DTD", root=tmp_path, per_class=4), size=16)
    assert splits.classes == ("banded", "dotted")
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [8, 6, 10]
    assert isinstance(splits.train.inputs, UserImages)
    assert splits.augmentation == RandomResizedCrop()
    assert splits.train[0][0].shape == (3, 16, 16)


def test_a_name_that_is_nearly_right_is_corrected() -> None:
    with pytest.raises(UserError, match=r"torchvision/Cifar10: no such set .* did you mean torchvision/CIFAR10\?"):
        load_data("torchvision/Cifar10")


def test_a_set_that_is_not_there_names_its_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"torchvision/ImageNet: is not in {tmp_path} and could not be downloaded"):
        load_data(DataSettings(name="torchvision/ImageNet", root=tmp_path))
