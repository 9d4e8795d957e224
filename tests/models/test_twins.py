"""Architectures that accept each other's files and compute something else are named."""

from pathlib import Path

import pytest
import timm
import torch

from robust_tickets.models.fitting import twins_of
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import load_source


@pytest.mark.parametrize(
    ("name", "twin", "difference"),
    [
        ("efficientnet_lite0", "tf_efficientnet_lite0", "conv_stem is Conv2dSame"),
        ("tf_efficientnet_lite0", "efficientnet_lite0", "conv_stem is Conv2d("),
        ("vit_tiny_patch16_224", None, None),
        ("resnet18", None, None),
    ],
)
def test_twins_are_found_by_name_and_tensors(name: str, twin: str | None, difference: str | None) -> None:
    found = twins_of(f"timm/{name}", timm.create_model(name, num_classes=3))
    if twin is None:
        assert found == []
    else:
        (phrase,) = found
        assert phrase.startswith(f"timm/{twin} fits the file too but computes something else ({difference}")


def test_a_file_that_fits_two_architectures_says_so(tmp_path: Path) -> None:
    torch.save(timm.create_model("tf_efficientnet_lite0", num_classes=3).state_dict(), tmp_path / "lite.pt")
    settings = {"name": "timm/efficientnet_lite0", "weights": str(tmp_path / "lite.pt"), "preprocessing": {"size": 64}}
    notes = load_source(SourceSettings.model_validate(settings)).identity.notes
    assert any(note.startswith("twin: timm/tf_efficientnet_lite0 fits the file too") for note in notes)
