import random
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, Dataset, IterableDataset, Subset, TensorDataset
from torchvision.transforms import v2

from robust_tickets.data.images.arrays import ImageArrays
from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.errors import UserError


class Squares(Dataset[Any]):
    """Noise images of two classes, in whatever form `convert` gives them."""

    def __init__(self, count: int = 40, convert: Any = lambda image: image, size: int = 12) -> None:
        self.count, self.convert, self.size = count, convert, size

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        random = torch.Generator().manual_seed(index)
        values = torch.randint(256, (self.size, self.size, 3), dtype=torch.uint8, generator=random)
        return self.convert(Image.fromarray(values.numpy())), index % 2


@pytest.mark.parametrize(
    "convert",
    [
        lambda image: image,
        v2.PILToTensor(),
        v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]),
        np.asarray,
    ],
    ids=["pil", "uint8 tensor", "float tensor", "numpy"],
)
def test_every_usual_form_of_image_gives_the_same_tensor(convert: Any) -> None:
    dataset = Squares(convert=convert)
    splits = load_data(dataset)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [28, 4, 8]
    assert splits.size == (12, 12)
    image, label = splits.train[0]
    position = int(splits.train.indices[0])
    assert label == position % 2
    assert torch.allclose(image, v2.functional.pil_to_tensor(Squares()[position][0]).float() / 255)


def test_a_loader_stands_for_its_data_set_and_a_mapping_for_its_parts() -> None:
    loader = DataLoader(Squares(20), batch_size=3, collate_fn=lambda samples: samples[0])
    splits = load_data({"train": loader, "val": Squares(6), "test": Squares(8)})
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [20, 6, 8]
    pair = load_data((Squares(20), Squares(8)))
    assert [len(part) for part in (pair.train, pair.validation, pair.test)] == [18, 2, 8]


def test_labels_come_from_subsets_and_unions_without_loading_images() -> None:
    class Listed(Squares):
        loaded = 0

        def __init__(self, count: int) -> None:
            super().__init__(count)
            self.targets = [index % 2 for index in range(count)]

        def __getitem__(self, index: int) -> tuple[Any, Any]:
            Listed.loaded += 1
            return super().__getitem__(index)

    union = ConcatDataset([Subset(Listed(200), range(0, 200, 1)), Listed(100)])
    splits = load_data(union, size=8, channels=3)
    assert len(splits.train) + len(splits.validation) + len(splits.test) == 300
    assert Listed.loaded < 300 / 4


def test_an_in_memory_set_of_bytes_becomes_arrays() -> None:
    images = torch.randint(256, (40, 3, 8, 8), dtype=torch.uint8)
    assert isinstance(load_data(TensorDataset(images, torch.arange(40) % 2)).train.inputs, ImageArrays)


def test_items_may_be_mappings() -> None:
    class Rows(Squares):
        def __getitem__(self, index: int) -> Any:
            image, label = super().__getitem__(index)
            return {"image": image, "label": label}

    assert load_data(Rows()).train[0][0].shape == (3, 12, 12)


def test_class_names_are_the_data_set_s() -> None:
    dataset = Squares()
    dataset.classes = ["even", "odd"]  # pyright: ignore
    assert load_data(dataset).classes == ("even", "odd")


def test_normalised_images_are_refused_with_the_remedy() -> None:
    normalise = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.2] * 3)])
    with pytest.raises(UserError, match=r"item 0: the image contains float32 from -2.* remove Normalize"):
        load_data(Squares(convert=normalise))


def test_random_transforms_are_fixed_outside_training_and_leave_global_state_alone() -> None:
    def shaky(image: Image.Image) -> Tensor:
        values = v2.functional.pil_to_tensor(image).float() / 255
        return values * random.random() * float(np.random.rand()) * torch.rand(())  # noqa: NPY002

    splits = load_data(Squares(convert=shaky))
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # noqa: NPY002  # pyright: ignore
    first, second = splits.test[0][0], splits.test[0][0]
    assert torch.equal(first, second)
    assert not torch.equal(first.mean() / splits.test[1][0].mean(), torch.tensor(1.0))
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002  # pyright: ignore
    assert torch.equal(torch.get_rng_state(), before[2])


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        yield from ()


class Unlabelled(Squares):
    def __getitem__(self, index: int) -> Any:
        return super().__getitem__(index)[0]


class Regression(Squares):
    def __getitem__(self, index: int) -> Any:
        return super().__getitem__(index)[0], 0.5


class Shifting(Squares):
    """Says one label in its list and another in its items."""

    def __init__(self) -> None:
        super().__init__()
        self.targets = [0] * 20 + [1] * 20


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Stream(), "Stream .train.: a Stream is not a map-style data set"),
        (Squares(0), "the data set is empty"),
        (Unlabelled(), r"item 0: is a Image, not a pair \(image, label\)"),
        (Regression(), "has the label 0.5; give a class number"),
        (Squares(convert=lambda image: 0.5), "a float is not an image"),
        (Squares(convert=lambda image: "x"), "contains texts, which need a network that takes texts"),
        (
            Squares(convert=lambda image: torch.zeros(12, 12, 3)),
            r"the image has shape \(12, 12, 3\); give \(C, H, W\)",
        ),
        (Squares(convert=lambda image: torch.zeros(3, 4, 4).long()), "the image contains int64"),
        ({"trian": Squares()}, "'trian' is not a part"),
        ((Squares(),), "has 1 parts; give"),
        ({"val": Squares(), "validation": Squares()}, "val and validation both name the validation part"),
        (Shifting(), "has label 1 but was listed with 0"),
    ],
)
def test_data_that_cannot_be_used_are_refused_in_one_line(data: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load_data(data)
    assert "\n" not in str(caught.value)


def test_items_of_several_sizes_need_a_size() -> None:
    mixed = ConcatDataset([Squares(20), Squares(20, size=20)])
    with pytest.raises(UserError, match=r"set the data's `size`"):
        load_data(mixed)
    assert load_data(mixed, size=16).train[0][0].shape == (3, 16, 16)


def test_settings_refuse_two_amounts_and_take_a_bare_name() -> None:
    with pytest.raises(ValueError, match="fraction and per_class exclude each other"):
        DataSettings(name="digits", fraction=0.1, per_class=3)
    assert DataSettings.model_validate("digits") == DataSettings(name="digits")
    assert DataSettings(name="digits", size=8).size == (8, 8)  # pyright: ignore


@pytest.mark.parametrize("target", [{"boxes": torch.ones(2, 4)}, [{"bbox": [1, 2, 3, 4], "category_id": 1}]])
def test_boxes_in_memory_are_refused_in_one_line_that_says_where_boxes_are_read_from(target: Any) -> None:
    class Objects(Squares):
        def __getitem__(self, index: int) -> tuple[Any, Any]:
            return super().__getitem__(index)[0], target

    with pytest.raises(
        UserError, match=r"item 0: has a mapping as its label; .* boxes are read from folders"
    ) as caught:
        load_data((Objects(8), Objects(4)))
    assert "\n" not in str(caught.value)
