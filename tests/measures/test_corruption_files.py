from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from robust_tickets.data.load import load_data
from robust_tickets.foundation.errors import UserError
from robust_tickets.measures.corruption_files import CorruptionFiles
from robust_tickets.measures.corruptions.published import SEVERITIES
from robust_tickets.tasks.classification import Classification
from tests.measures.examinees import examinee
from tests.verbs.small import Bright

CLASSES, COUNT = Classification.provides, 30
PARTS = ("train", "validation", "test")


def by_colour(images: torch.Tensor) -> torch.Tensor:
    """Class c is the channel that is brightest."""
    return images.mean((2, 3))


def write(folder: Path, names: tuple[str, ...] = ("fog", "snow"), *, grey: bool = False) -> None:
    """At severity s, the first 5 * s of 30 images show another class than their label says."""
    labels = np.arange(COUNT) % 3
    for name in names:
        blocks = []
        for severity in SEVERITIES:
            shown = np.where(np.arange(COUNT) < 5 * severity, (labels + 1) % 3, labels)
            block = np.zeros((COUNT, 4, 6, 3), np.uint8)
            block[np.arange(COUNT), :, :, shown] = 255
            blocks.append(block)
        np.save(folder / f"{name}.npy", np.concatenate(blocks)[..., 0] if grey else np.concatenate(blocks))
    np.save(folder / "labels.npy", np.tile(labels, 5).astype(np.uint8))


def network(channels: int = 3, height: int = 4, width: int = 6):
    own = torch.rand(6, channels, height, width), torch.arange(6) % 3
    return examinee(by_colour, own)


def test_every_severity_is_its_block_of_the_file(tmp_path):
    write(tmp_path)
    found = CorruptionFiles(folder=str(tmp_path), names=("fog", "snow")).figures(network())
    for severity in SEVERITIES:
        assert found[f"corruption-files/fog/{severity}"] == pytest.approx(1 - 5 * severity / COUNT)
    assert found["corruption-files/fog"] == found["corruption-files"] == pytest.approx(0.5)
    assert len(found) == 2 * 6 + 1


def test_files_are_required_before_training(tmp_path):
    measure = CorruptionFiles(folder=str(tmp_path), names=("fog", "snow"))
    write(tmp_path, ("fog",))
    with pytest.raises(UserError, match=r"snow\.npy: no such file"):
        measure.require()
    write(tmp_path)
    measure.require()


def test_only_what_was_asked_for_is_read(tmp_path):
    write(tmp_path, ("fog",))
    found = CorruptionFiles(folder=str(tmp_path), names=("fog",), severities=(2,), limit=6).figures(network())
    # Of 30 images the first two of each class are taken, all six of which are among the ten wrong ones.
    assert found == {"corruption-files/fog/2": 0.0, "corruption-files/fog": 0.0, "corruption-files": 0.0}


def test_grey_files_for_a_grey_network(tmp_path):
    write(tmp_path, ("fog",), grey=True)
    seen = []

    def predict(images: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(images.shape[1:]))
        return images.mean((2, 3)) * torch.tensor([1.0, 0.5, 0.2])

    own = torch.rand(6, 1, 4, 6), torch.arange(6) % 3
    CorruptionFiles(folder=str(tmp_path), names=("fog",)).figures(examinee(predict, own))
    assert set(seen) == {(1, 4, 6)}


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        CorruptionFiles(folder=str(folder), names=("fog",)).figures(network())
    return str(caught.value)


def test_what_is_wrong_with_the_files_is_said(tmp_path):
    assert "labels.npy: no such file" in refused(tmp_path)
    write(tmp_path, ("snow",))
    assert "fog.npy: no such file" in refused(tmp_path)
    (tmp_path / "fog.npy").write_bytes(b"not an array")
    assert "fog.npy: is not a numpy array" in refused(tmp_path)
    np.save(tmp_path / "fog.npy", np.zeros((5 * COUNT, 4, 6, 3), np.float32))
    assert "contains float32 [150, 4, 6, 3]; it should be uint8 [150, height, width, 3]" in refused(tmp_path)
    np.save(tmp_path / "fog.npy", np.zeros((5 * COUNT - 1, 4, 6, 3), np.uint8))
    assert "[149, 4, 6, 3]; it should be uint8 [150" in refused(tmp_path)
    np.save(tmp_path / "labels.npy", np.zeros(7, np.int64))
    assert "labels.npy: contains int64 [7]; it should contain integers [5 * N]" in refused(tmp_path)


def test_files_of_another_network_are_refused_before_training(tmp_path):
    write(tmp_path, ("fog",))
    measure = CorruptionFiles(folder=str(tmp_path), names=("fog",))
    grey = load_data({name: Bright(4, channels=1) for name in PARTS}, size=(8, 8), seed=0)
    words = "images are 4 x 6 with 3 channels, but the network takes 8 x 8 with 1"
    with pytest.raises(UserError, match=words):
        measure.require_for(grey, CLASSES, 3)
    fitting = replace(grey, fit=replace(grey.fit, channels=3, size=(4, 6)))
    measure.require_for(fitting, CLASSES, 3)
    with pytest.raises(UserError, match="contains class 2, but the network has 2 classes"):
        measure.require_for(fitting, CLASSES, 2)


def test_the_folder_may_name_the_environment(tmp_path, monkeypatch):
    write(tmp_path, ("fog",))
    monkeypatch.setenv("CORRUPTED", str(tmp_path))
    found = CorruptionFiles(folder="$CORRUPTED", names=("fog",), severities=(1,)).figures(network())
    assert found["corruption-files"] == pytest.approx(1 - 5 / COUNT)
