from pathlib import Path

import pytest
import torch
from torchvision.models import inception_v3
from typer.testing import CliRunner

from robust_tickets.cli import app
from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, load_source
from robust_tickets.verbs.gap import gap

PREPROCESSING = {"mean": (0.5,), "std": (0.5,), "size": 16}


@pytest.fixture(scope="module")
def source() -> Source:
    settings = {"name": "cifar/resnet20", "weights": "random", "in_channels": 1, "preprocessing": PREPROCESSING}
    return load_source(SourceSettings.model_validate(settings))


def test_digits_are_nearer_to_digits_than_letters_are(source):
    half = DataSettings(name="digits", fraction=0.5)
    same = gap(source, "digits", half, limit=200)
    letters = gap(source, "digits", "glyphs", limit=200)
    assert letters.distance > 5 * same.distance
    assert (letters.features, letters.dimensions) == (source.identity.name, 64)
    assert (letters.source_images, letters.target_images) == (200, 200)
    assert letters.sentence().startswith("Fréchet distance")


def test_the_network_is_left_as_it_was(source):
    before = {name: tensor.clone() for name, tensor in source.network.state_dict().items()}
    source.network.train()
    gap(source, "digits", "digits", limit=100)
    assert source.network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in source.network.state_dict().items())


def test_few_images_are_said_to_be_few(source):
    assert "do not have full rank" in gap(source, "digits", "glyphs", limit=40).sentence()


def test_features_with_a_place_are_averaged(source):
    squeeze = load_source(
        SourceSettings.model_validate({"name": "torchvision/squeezenet1_1", "weights": "random", "preprocessing": {
            "mean": (0.5,) * 3, "std": (0.5,) * 3, "size": 32}})
    )  # fmt: skip
    found = gap(squeeze, "digits", "glyphs", limit=20)
    assert found.dimensions == 512


def test_inception_from_a_file(tmp_path: Path):
    body = inception_v3(weights=None, aux_logits=True, init_weights=False)
    torch.save(body.state_dict(), tmp_path / "inception.pth")
    found = gap(None, "digits", "glyphs", inception=tmp_path / "inception.pth", limit=2)
    assert (found.features, found.dimensions, found.source_images) == ("Inception v3", 2048, 2)
    torch.save(body.fc.state_dict(), tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"is not a state dict of torchvision's inception_v3: .* missing"):
        gap(None, "digits", "glyphs", inception=tmp_path / "other.pth")


def test_one_network_is_asked_for(source):
    for arguments in ({}, {"inception": "inception.pth"}):
        with pytest.raises(UserError, match="either a source or Inception"):
            gap(source if arguments else None, "digits", "glyphs", **arguments)


def test_the_command_prints_one_line(tmp_path):
    arguments = ["gap", "--source", "cifar/resnet20", "--weights", "random", "--set", "source.in_channels=1",
                 "--preprocessing", "{mean: [0.5], std: [0.5], size: 16}", "--source-data", "digits",
                 "--data", "glyphs", "--limit", "100"]  # fmt: skip
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Fréchet distance")
    assert "100 source and 100 target images" in result.output


def test_options_of_a_network_need_the_network(tmp_path):
    arguments = [
        "gap",
        "--inception",
        "inception.pth",
        "--weights",
        "random",
        "--source-data",
        "digits",
        "--data",
        "glyphs",
    ]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, UserError)
    assert "belong to --source" in str(result.exception)
