"""Pickles are never executed: refused by name, or converted by explicit request to their tensors alone."""

import io
import os
import pickle
import types
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torchvision import models

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.convert import convert
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import load_source
from tests.models.test_formats import load, madry, network_state


class Command:
    """Runs a shell command where it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


class OldCode:
    """Pickles to code of another Python version, as public checkpoints of 2019 hold; cannot be built."""

    def __reduce__(self) -> tuple[Any, ...]:
        return types.CodeType, (1, b"\x00")


class Schedule(dict[str, Any]):
    """A class that training scripts leave in checkpoints."""

    gamma = 0.1


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.register_buffer("scratch", torch.zeros(1), persistent=False)
        self.fc = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.bn(self.stem(x)).mean((2, 3)))


@pytest.mark.parametrize("legacy", [False, True])
def test_a_hostile_pickle_is_refused_by_name_and_not_executed(tmp_path: Path, legacy: bool) -> None:
    file, proof = tmp_path / "net.pt", tmp_path / "executed"
    content = {"state_dict": network_state(), "hook": Command(f"touch {proof}")}
    torch.save(content, file, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(UserError, match=r"imports posix.system; it was not executed.*tickets convert"):
        load(file)
    with pytest.raises(UserError, match=r"imports posix.system; allow it"):
        convert(file, tmp_path / "net.safetensors")
    assert not (tmp_path / "net.safetensors").exists()
    facts = convert(file, tmp_path / "net.safetensors", allow_pickle=True)
    assert facts.ignored == ("posix.system",)
    assert not proof.exists()
    assert load(tmp_path / "net.safetensors").identity.digest == facts.digest


def test_a_bare_hostile_pickle_is_refused(tmp_path: Path) -> None:
    file, proof = tmp_path / "net.pt", tmp_path / "executed"
    file.write_bytes(pickle.dumps(Command(f"touch {proof}"), protocol=4))
    with pytest.raises(UserError, match=r"imports posix\.system"):
        load(file)
    with pytest.raises(UserError):
        convert(file, tmp_path / "net.safetensors", allow_pickle=True)
    assert not proof.exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_madrys_dill_checkpoints_convert_without_dill_or_their_classes(tmp_path: Path, legacy: bool) -> None:
    dill = pytest.importorskip("dill", reason="needs the dev extra (dill)")
    state = network_state()
    home = types.ModuleType("gone_after_training")
    schedule = type("Schedule", (), {"__module__": "__main__", "step": lambda self: 1})()
    content = {"model": madry(state), "epoch": 3, "schedule": schedule, "code": OldCode(), "module": home}
    torch.save(content, tmp_path / "net.pt", pickle_module=dill, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(UserError, match="dill"):
        load(tmp_path / "net.pt")
    facts = convert(tmp_path / "net.pt", tmp_path / "net.safetensors", allow_pickle=True)
    assert facts.format == "Madry robustness (module.model.*)"
    assert facts.mean == (0.4, 0.5, 0.6)
    source = load(tmp_path / "net.safetensors")
    assert source.identity.preprocessing.mean == (0.4, 0.5, 0.6)
    assert torch.equal(source.network.plain_state()["fc.weight"], state["fc.weight"])
    assert not [name for name in load_file(tmp_path / "net.safetensors") if "attacker" in name]


def test_a_dictionary_of_the_scripts_own_class_keeps_its_tensors(tmp_path: Path) -> None:
    state = network_state()
    torch.save(Schedule(model=Schedule(state)), tmp_path / "net.pt")
    convert(tmp_path / "net.pt", tmp_path / "net.safetensors", allow_pickle=True)
    assert load(tmp_path / "net.safetensors").identity.num_classes == 5


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_whole_pickled_network_becomes_its_state_dict(tmp_path: Path, legacy: bool) -> None:
    network = Net()
    torch.save({"model": network}, tmp_path / "net.pt", _use_new_zipfile_serialization=not legacy)
    convert(tmp_path / "net.pt", tmp_path / "net.safetensors", allow_pickle=True)
    found = load_file(tmp_path / "net.safetensors")
    assert found.keys() == network.state_dict().keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in network.state_dict().items())


def test_harmless_files_need_no_consent_and_tied_tensors_are_written_apart(tmp_path: Path) -> None:
    shared = torch.rand(4, 4)
    torch.save({"first.weight": shared, "second.weight": shared.t()}, tmp_path / "net.pt")
    facts = convert(tmp_path / "net.pt", tmp_path / "out.safetensors")
    found = load_file(tmp_path / "out.safetensors")
    assert facts.tensors == 2
    assert torch.equal(found["second.weight"], shared.t())
    assert (tmp_path / "out.safetensors.json").exists()


def test_what_cannot_be_converted_leaves_nothing_behind(tmp_path: Path) -> None:
    torch.save({"net": models.resnet18}, tmp_path / "net.pt")
    with pytest.raises(UserError, match="no state dict in it"):
        convert(tmp_path / "net.pt", tmp_path / "out.safetensors", allow_pickle=True)
    with pytest.raises(UserError, match=r"must end in \.safetensors"):
        convert(tmp_path / "net.pt", tmp_path / "out.pt", allow_pickle=True)
    stream = io.BytesIO()
    torch.save({"a": Command("true"), "b": torch.zeros(1000)}, stream)
    (tmp_path / "cut.pt").write_bytes(stream.getvalue()[:300])
    with pytest.raises(UserError, match=r"cut.pt: is broken"):
        convert(tmp_path / "cut.pt", tmp_path / "out.safetensors", allow_pickle=True)
    assert {file.name for file in tmp_path.iterdir()} == {"net.pt", "cut.pt"}


def test_converted_network_behaves_as_the_original(tmp_path: Path) -> None:
    network = models.squeezenet1_1(num_classes=4).eval()
    torch.save(network, tmp_path / "net.pt")
    convert(tmp_path / "net.pt", tmp_path / "net.safetensors", allow_pickle=True)
    source = load_source(SourceSettings(name="torchvision/squeezenet1_1", weights=str(tmp_path / "net.safetensors")))
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(source.network.body.eval()(images), network(images))
