"""Networks that take images of one size alone: other sizes are refused in one line by whatever asks for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import robust_tickets as rt
from tests.commands import Tickets

TRAINING: dict[str, Any] = {"epochs": 1, "batch_size": 200, "precision": "fp32"}
LARGER = rt.DataSettings(name="digits", size=(12, 12))
SAYS = "leave out the data's `size`"


class OneSize(nn.Module):
    """A linear layer over all places of an 8 x 8 image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.fc = nn.Linear(4 * 64, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(images).relu().flatten(1))


@pytest.fixture
def tickets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tickets:
    return Tickets(capsys, monkeypatch)


@pytest.fixture(scope="module")
def source() -> rt.Source:
    torch.manual_seed(0)
    return rt.load_source(OneSize(), preprocessing=rt.Pixels(mean=(0.5,), std=(0.5,), size=(8, 8)))


@pytest.fixture(scope="module")
def result(source: rt.Source, tmp_path_factory: pytest.TempPathFactory) -> rt.Transfer:
    return rt.transfer(source, "digits", training=TRAINING, seeds=(0,), folder=tmp_path_factory.mktemp("size") / "runs")


ASKED: dict[str, Callable[[rt.Source, rt.Transfer], Any]] = {
    "evaluate a source": lambda source, result: rt.evaluate(source, LARGER),
    "evaluate a transfer": lambda source, result: rt.evaluate(result, LARGER),
    "transfer": lambda source, result: rt.transfer(source, LARGER, training=TRAINING),
    "linear transfer": lambda source, result: rt.transfer(source, LARGER, training=TRAINING, mode="linear"),
    "draw": lambda source, result: rt.draw(
        source, data=LARGER, sparsity=0.5, timeline={"kind": "iterative", "epochs": 1}
    ),
    "pretrain": lambda source, result: rt.pretrain(source, LARGER, **TRAINING),
    "find": lambda source, result: rt.find(source, LARGER),
    "gap": lambda source, result: rt.gap(source, "digits", LARGER),
    "a network of one's own": lambda source, result: rt.verify(source.network, source.network, data=LARGER),
    "data out of distribution": lambda source, result: rt.verify(
        result, measures=[{"kind": "out-of-distribution", "data": {"name": "glyphs", "size": 12}}]
    ),
}


@pytest.mark.parametrize("asked", ASKED)
def test_another_size_is_refused_with_what_fails(asked: str, source: rt.Source, result: rt.Transfer) -> None:
    with pytest.raises(rt.UserError, match="a forward pass of two images of 1 x 12 x 12 fails") as raised:
        ASKED[asked](source, result)
    assert str(raised.value).endswith(f"{SAYS}: the network takes 1 x 8 x 8")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("suffix", ["onnx", "rtk"])
def test_an_exported_file_takes_the_size_it_was_written_with(suffix: str, result: rt.Transfer, tmp_path: Path) -> None:
    file = tmp_path / f"model.{suffix}"
    rt.shrink(result, file)
    assert rt.evaluate(file, rt.DataSettings(name="digits", size=(8, 8))).runs[0].standard > 0
    with pytest.raises(rt.UserError, match=f"model.{suffix} takes 1 x 8 x 8, not 1 x 12 x 12; {SAYS}"):
        rt.evaluate(file, LARGER)


def test_the_command_says_it_in_one_line(tickets: Tickets) -> None:
    source = "tests.verbs.test_image_size:OneSize --set source.weights=random"
    source += (
        " --set source.preprocessing.size=8 --set source.preprocessing.mean=[0.5] --set source.preprocessing.std=[0.5]"
    )
    assert tickets(f"evaluate {source} --data digits").code == 0
    assert SAYS in tickets(f"evaluate {source} --data digits --set data.size=12").complaint
