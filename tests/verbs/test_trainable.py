"""What cannot be trained is refused before anything trains: weights that no gradient reaches."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.sources import Source, load_source
from robust_tickets.verbs.pretrain import pretrain
from robust_tickets.verbs.transfer import transfer

COLOUR = Pixels(mean=(0.5,) * 3, std=(0.5,) * 3, size=(16, 16))
DATA = DataSettings.model_validate({"name": "digits", "per_class": 2, "validation": 0, "channels": 3})


class Detached(nn.Module):
    def __init__(self, *, everything: bool = False) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3)
        self.fc = nn.Linear(6, 4)
        self.everything = everything

    def forward(self, x: Tensor) -> Tensor:
        features = self.stem(x).mean((2, 3)).detach()
        with torch.set_grad_enabled(not self.everything):
            return self.fc(features)


def source(body: nn.Module) -> Source:
    return load_source(body, preprocessing=COLOUR)


def test_detached_weights_are_refused_in_full_transfer_and_pretraining_and_serve_in_linear(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"no gradient reaches stem, because its forward detaches them; train only its head"
    ):
        transfer(source(Detached()), DATA, mode="full", folder=tmp_path / "full")
    with pytest.raises(UserError, match="no gradient reaches stem"):
        pretrain(source(Detached()), DATA, folder=tmp_path / "full")
    assert not (tmp_path / "full").exists()
    done = transfer(source(Detached()), DATA, mode="linear", seeds=(0,), training={"epochs": 1})
    assert len(done.runs) == 1


def test_a_forward_without_gradients_trains_in_no_way() -> None:
    with pytest.raises(UserError, match=r"runs without gradients \(of stem, fc\), so no part of it can be trained"):
        transfer(source(Detached(everything=True)), DATA, mode="linear")
