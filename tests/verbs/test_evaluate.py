"""A network as it is: its accuracy on test images, without training, and never by guessing what its outputs are."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import robust_tickets as rt
from tests.commands import COLOURS, Tickets, colours, contents
from tests.verbs.small import PARTS, QUICK, small_source, times


class Brightest(nn.Module):
    """Tells which channel is the brightest: right on every image of `colours`, whose classes are blue, green, red."""

    def __init__(self, outputs: tuple[int, ...] = (2, 1, 0)) -> None:
        super().__init__()
        self.fc = nn.Linear(3, len(outputs))
        with torch.no_grad():
            self.fc.weight.copy_(torch.eye(3)[list(outputs)])
            self.fc.bias.zero_()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(images.mean((2, 3)))


def brightest(outputs: tuple[int, ...] = (2, 1, 0)) -> rt.Source:
    preprocessing = rt.Pixels(mean=(0.0,) * 3, std=(1.0,) * 3, size=(16, 16))
    return rt.load_source(Brightest(outputs), preprocessing=preprocessing)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return colours(tmp_path / "images", images=4)


def test_a_folder_that_is_not_divided_is_evaluated_whole(images: Path) -> None:
    found = rt.evaluate(brightest(), images)
    assert (found.runs[0].standard, found.images, found.score) == (1.0, 12, "accuracy")
    assert "on images, 12 test images, without training: 100.00 % accuracy [73.54, 100.00]." in found.sentence()


def test_the_test_part_alone_is_measured(images: Path, tmp_path: Path) -> None:
    shutil.copytree(images, tmp_path / "data" / "train")
    for colour in COLOURS:
        (tmp_path / "data" / "test" / colour).mkdir(parents=True)
        black = np.zeros((16, 16, 3), np.uint8)
        black[..., 0] = 200  # every one is red
        Image.fromarray(black).save(tmp_path / "data" / "test" / colour / "0.png")
    found = rt.evaluate(brightest(), tmp_path / "data")
    assert found.images == 3
    assert found.runs[0].standard == pytest.approx(1 / 3)


def test_named_outputs_may_be_more_and_in_another_order(images: Path) -> None:
    red_first = brightest((0, 1, 2))
    assert rt.evaluate(red_first, images).runs[0].standard < 0.5, "without names, taken in order"
    assert rt.evaluate(red_first, images, classes=["red", "green", "blue"]).runs[0].standard == 1.0
    shutil.rmtree(images / "green")
    found = rt.evaluate(red_first, images, classes=["red", "green", "blue"])
    assert (found.runs[0].standard, found.images) == (1.0, 8)


def test_what_the_outputs_are_is_never_guessed(images: Path) -> None:
    shutil.rmtree(images / "green")
    with pytest.raises(rt.UserError, match=r"distinguishes 3 classes, but images has 2; name the outputs with classes"):
        rt.evaluate(brightest(), images)
    with pytest.raises(rt.UserError, match=r"images: has classes that .* does not know \(blue, red\)"):
        rt.evaluate(brightest(), images, classes=["n01", "n02", "n03"])
    with pytest.raises(rt.UserError, match="classes: 2 names are given for 3 outputs"):
        rt.evaluate(brightest(), images, classes=["blue", "red"])


def test_a_ticket_is_evaluated_with_the_head_of_its_source() -> None:
    ticket = rt.draw(small_source(), sparsity=0.5)
    with torch.no_grad():
        hits = ticket.subnetwork().eval()(PARTS["test"].images).argmax(1) == PARTS["test"].labels
    assert rt.evaluate(ticket, PARTS).runs[0].standard == pytest.approx(hits.double().mean().item())


def test_a_transfer_is_evaluated_on_its_own_test_images(tmp_path: Path) -> None:
    result = rt.transfer(small_source(), PARTS, folder=tmp_path / "runs", **QUICK)
    verdict = rt.verify(result)
    written = times(tmp_path)
    found = rt.evaluate(result)
    assert [run.standard for run in found.runs] == [run.standard for run in verdict.ticket_runs]
    assert times(tmp_path) == written, "what was measured is not measured again"


def test_a_transfer_in_a_folder_is_evaluated_on_other_data_and_on_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    tickets = Tickets(capsys, monkeypatch)
    colours(tmp_path / "images", images=8)
    colours(tmp_path / "others", images=4)
    source = rt.load_source(rt.SourceSettings(name="cnn-a", weights="random", num_classes=3))
    made = rt.transfer(source, "images", folder="run", **QUICK)
    before = contents(tmp_path / "run" / "seed-0")
    told = tickets("evaluate run -d others")
    assert told.code == 0, told.err
    assert "on others, 12 test images, without training" in told.out
    assert contents(tmp_path / "run" / "seed-0") == before
    own = rt.evaluate(made)
    assert own.images < 24
    for others in ("images", "images --set data.fraction=0.5"):
        told = tickets(f"evaluate run -d {others}")
        assert told.code == 0, told.err
        # Never on images that it was trained on.
        assert f"on images, {own.images} test images" in told.out
    (tmp_path / "images").rename(tmp_path / "moved")
    assert tickets("evaluate run -d moved").code == 0
    assert "no such folder" in tickets("evaluate run").complaint


def test_what_was_measured_is_kept(images: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    attack = rt.VerifySettings.model_validate({"robustness": {"threat": {"steps": 2}}}).robustness
    first = rt.evaluate(brightest(), images, folder=kept, robustness=attack)
    before = contents(kept)
    assert rt.evaluate(brightest(), images, folder=kept, robustness=attack) == first
    assert contents(kept) == before
    assert first.runs[0].robust is not None
    assert "under PGD-2 in L-inf 8/255" in first.sentence()
    with pytest.raises(rt.UserError, match=r"kept: contains work with network"):
        rt.evaluate(brightest((0, 1, 2)), images, folder=kept)


def test_the_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, images: Path, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    tickets = Tickets(capsys, monkeypatch)
    rt.pretrain(rt.SourceSettings(name="cnn-a", weights="random", num_classes=3), "images", folder="net", epochs=1)
    told = tickets("evaluate net -d images --out kept --set measures=[calibration]")
    assert told.code == 0, told.err
    assert "on images, 12 test images, without training" in told.out
    assert "Calibration" in told.out
    assert (tmp_path / "kept" / "evaluation.json").is_file()
    shutil.rmtree(images / "red")
    assert "distinguishes 3 classes, but images has 2" in tickets("evaluate net -d images").complaint
    (tmp_path / "names.txt").write_text("\n".join(COLOURS))
    assert tickets("evaluate net -d images --classes names.txt").code == 0
    assert "give the data to evaluate on" in tickets("evaluate net").complaint
    assert "names: no such file" in tickets("evaluate net -d images --classes names").complaint
