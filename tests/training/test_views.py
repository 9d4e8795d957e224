"""Views of images: as many as asked for, of the network's size, the same in every process and resumed run."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

import robust_tickets as rt
from robust_tickets.objectives.dino import DINO
from robust_tickets.objectives.moco import MoCo
from robust_tickets.objectives.simclr import SimCLR
from robust_tickets.training.batch_source import ImageBatches
from robust_tickets.training.settings import Training
from tests.data.test_unlabelled import photographs

rows = pytest.mark.parametrize("settings", [SimCLR(), MoCo(), DINO()], ids=lambda settings: settings.kind)


def inputs(
    data: rt.DataSettings, objective: Any, epoch: int = 0, start: int = 0, seed: int = 0, **wanted: Any
) -> Tensor:
    splits = rt.load_data(data, seed=seed, **wanted)
    training = Training(objective=objective, batch_size=6)
    return torch.cat([images for images, _ in ImageBatches(splits, training, seed).train(epoch, start)])


@rows
def test_arrays_become_views(settings: Any) -> None:
    data = rt.DataSettings(name="digits", per_class=3, validation=0)
    found = inputs(data, settings)
    assert found.shape == (30, settings.views.count, 1, 8, 8)
    assert found.dtype == torch.float32
    assert 0 <= found.min() < found.max() <= 1
    assert not torch.equal(found[:, 0], found[:, 1])
    assert torch.equal(found, inputs(data.model_copy(update={"workers": 2}), settings)), "workers change nothing"
    assert torch.equal(found[12:], inputs(data, settings, start=2)), "a resumed epoch sees the same"
    assert not torch.equal(found, inputs(data, settings, epoch=1))


@rows
def test_photographs_are_cropped_at_their_own_size(settings: Any, tmp_path: Path) -> None:
    name = str(photographs(tmp_path / "seen", size=40))
    found = inputs(rt.DataSettings(name=name), settings, size=(12, 16))
    assert found.shape == (12, settings.views.count, 3, 12, 16)
    again = inputs(rt.DataSettings(name=name, workers=2), settings, size=(12, 16))
    assert torch.equal(found, again), "workers change nothing"


def test_colours_stay_if_asked_to() -> None:
    data = rt.DataSettings(name="digits", per_class=3, validation=0)
    still = SimCLR.model_validate({"views": {"crop": 1, "colour": 0, "grey": 0, "blur": 0, "flip": False}})
    # At crop 1 only the shape of the region is left to chance, and a square fits nothing else.
    found = inputs(data, still)
    plain = rt.load_data(data)
    there = {tuple(image.flatten().mul(255).round().int().tolist()) for image, _ in plain.train}
    same = sum(tuple(view.flatten().mul(255).round().int().tolist()) in there for view in found.flatten(0, 1))
    assert same > 0.3 * 60


def test_small_images_are_not_blurred_by_default() -> None:
    views = SimCLR().views
    assert (views.blurred((32, 32), 0.5), views.blurred((224, 224), 0.5)) == (0, 0.5)
    assert SimCLR.model_validate({"views": {"blur": 0.3}}).views.blurred((32, 32), 0.5) == 0.3


@pytest.mark.parametrize(("strength", "most", "least"), [(0, 1, 0), (1, 255, 30)])
def test_the_strength_of_colours_reaches_every_view_of_dino(strength: float, most: int, least: int) -> None:
    """lightly's own DINOTransform leaves it out of its second view."""
    colour = (60, 120, 180)
    part = [(Image.new("RGB", (16, 16), colour), label % 2) for label in range(12)]
    views = {"colour": strength, "grey": 0, "blur": 0, "solarise": 0}
    splits = rt.load_data((part, part, part), size=16)
    training = Training(objective=DINO.model_validate({"views": views}), batch_size=6)
    found = torch.cat([images for images, _ in ImageBatches(splits, training, 0).train(0, 0)])
    apart = (found * 255 - torch.tensor(colour).reshape(3, 1, 1)).abs()
    for view in range(4):
        assert least <= apart[:, view].max() <= most


def test_lightly_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("robust_tickets.foundation.extras.find_spec", lambda name: None)
    data = rt.DataSettings(name="digits", channels=3, size=(16, 16), per_class=6)
    with pytest.raises(rt.UserError, match=r"MoCo v2 needs the package lightly: pip install 'robust-tickets\[ssl\]'"):
        rt.pretrain("demo/resnet4", data, weights="random", epochs=1, objective={"kind": "moco"}, folder=tmp_path / "a")
    assert not (tmp_path / "a").exists()
