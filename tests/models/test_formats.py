"""Checkpoints of every layout load to the same network; what does not fit is refused and named."""

import argparse
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision import models

from robust_tickets.foundation.digests import tensors_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, load_source

State = dict[str, Tensor]


def network_state(classes: int = 5) -> State:
    torch.manual_seed(0)
    return dict(models.shufflenet_v2_x0_5(num_classes=classes).state_dict())


def load(file: Path, **settings: Any) -> Source:
    settings = {"name": "torchvision/shufflenet_v2_x0_5", "weights": str(file), **settings}
    return load_source(SourceSettings.model_validate(settings))


def behind(prefix: str, state: State) -> State:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def madry(state: State, outer: str = "module.") -> State:
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3])
    normaliser = {"new_mean": mean[:, None, None], "new_std": std[:, None, None]}
    return {
        **behind(f"{outer}model.", state),
        **behind(f"{outer}normalizer.", normaliser),
        **behind(f"{outer}attacker.model.", state),
        **behind(f"{outer}attacker.normalize.", normaliser),
    }


def bare(state: State) -> Any:
    return state


def parallel(state: State) -> Any:
    return {"epoch": 3, "state_dict": OrderedDict(behind("module.", state)), "best": np.float64(0.5)}


def trainer(state: State) -> Any:
    return {"model": behind("_orig_mod.module.", state), "args": argparse.Namespace(lr=0.1)}


def robustness(state: State) -> Any:
    return {"model": madry(state), "epoch": 150, "optimizer": {}}


def smoothing(state: State) -> Any:
    return {"arch": "shufflenet", "state_dict": behind("1.module.", state)}


def half(state: State) -> Any:
    return {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    ("layout", "recognised"),
    [
        (bare, "torchvision state dict"),
        (parallel, "DataParallel state dict (module.*)"),
        (trainer, "DataParallel state dict (module.*), torch.compile"),
        (robustness, "Madry robustness (module.model.*)"),
        (smoothing, "Cohen smoothing (1.module.*)"),
    ],
)
@pytest.mark.parametrize("legacy", [False, True])
def test_every_layout_gives_the_same_network(
    tmp_path: Path, layout: Callable[[State], Any], recognised: str, legacy: bool
) -> None:
    state = network_state()
    torch.save(layout(state), tmp_path / "net.pt", _use_new_zipfile_serialization=not legacy)
    source = load(tmp_path / "net.pt")
    assert source.identity.format == recognised
    assert source.identity.weights == "net.pt"
    assert source.identity.num_classes == 5
    assert source.identity.digest == tensors_digest(state) == tensors_digest(source.network.plain_state())


def test_madrys_normaliser_becomes_the_preprocessing(tmp_path: Path) -> None:
    torch.save(robustness(network_state()), tmp_path / "net.pt")
    preprocessing = load(tmp_path / "net.pt").identity.preprocessing
    assert preprocessing.mean == (0.4, 0.5, 0.6)
    assert preprocessing.std == (0.2, 0.25, 0.3)
    assert preprocessing.size == (224, 224)
    stated = load(tmp_path / "net.pt", preprocessing={"mean": ["123/255", 0.5, 0.5]}).identity.preprocessing
    assert stated.mean == (123 / 255, 0.5, 0.5)
    assert stated.std == (0.2, 0.25, 0.3)


def test_madrys_copy_must_agree_with_its_model(tmp_path: Path) -> None:
    checkpoint = madry(network_state(), outer="")
    checkpoint["attacker.model.fc.bias"] = checkpoint["attacker.model.fc.bias"] + 1
    torch.save(checkpoint, tmp_path / "net.pt")
    with pytest.raises(UserError, match=r"a different network from its model: fc.bias differs"):
        load(tmp_path / "net.pt")


def test_safetensors_and_half_precision(tmp_path: Path) -> None:
    state = network_state()
    save_file(half(state), tmp_path / "net.safetensors")
    loaded = load(tmp_path / "net.safetensors").network.plain_state()
    assert loaded["conv1.0.weight"].dtype == torch.float32
    assert torch.equal(loaded["conv1.0.weight"], state["conv1.0.weight"].half().float())


def test_files_from_before_the_batch_counters_load(tmp_path: Path) -> None:
    state = {name: t for name, t in network_state().items() if not name.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "old.pt")
    assert load(tmp_path / "old.pt").network.plain_state()["conv1.1.num_batches_tracked"] == 0


def test_missing_and_unexpected_keys_are_named_with_the_layout(tmp_path: Path) -> None:
    state = network_state()
    state["extra.weight"] = torch.zeros(1)
    for name in [name for name in state if name.startswith("stage4.3.branch2.0")]:
        del state[name]
    torch.save({"state_dict": behind("module.", state)}, tmp_path / "net.pt")
    with pytest.raises(UserError) as caught:
        load(tmp_path / "net.pt")
    message = str(caught.value)
    assert "does not fit torchvision/shufflenet_v2_x0_5 (read as DataParallel state dict (module.*))" in message
    assert "1 missing: stage4.3.branch2.0.weight" in message
    assert "1 unexpected: extra.weight" in message


def test_another_architecture_is_suggested(tmp_path: Path) -> None:
    torch.save(models.shufflenet_v2_x1_0(num_classes=3).state_dict(), tmp_path / "net.pt")
    with pytest.raises(UserError, match=r"does not fit .*x0_5.*: it fits torchvision/shufflenet_v2_x1_0"):
        load(tmp_path / "net.pt")


def test_shapes_that_differ_are_named(tmp_path: Path) -> None:
    state = network_state()
    state["stage2.0.branch1.0.weight"] = torch.zeros(7, 1, 3, 3)
    torch.save(state, tmp_path / "net.pt")
    with pytest.raises(UserError, match=r"1 of another shape: stage2.0.branch1.0.weight is \(7, 1, 3, 3\), expected"):
        load(tmp_path / "net.pt")


def test_input_channels_are_read_from_the_checkpoint(tmp_path: Path) -> None:
    made = load_source(SourceSettings(name="torchvision/shufflenet_v2_x0_5", weights="random", in_channels=1))
    torch.save(made.network.plain_state(), tmp_path / "grey.pt")
    with pytest.raises(UserError, match="it is unknown how its inputs were normalised"):
        load(tmp_path / "grey.pt")
    grey = load(tmp_path / "grey.pt", preprocessing={"mean": [0.5], "std": [0.5], "size": 64})
    assert grey.identity.preprocessing.channels == 1
    assert grey.identity.digest == made.identity.digest


def test_broken_weights_are_refused(tmp_path: Path) -> None:
    state = network_state()
    state["fc.bias"][2] = float("nan")
    torch.save(state, tmp_path / "net.pt")
    with pytest.raises(UserError, match=r"net.pt: fc.bias contains NaN or infinity"):
        load(tmp_path / "net.pt")


def zip_file(path: Path) -> bytes:
    torch.save(network_state(), path)
    return path.read_bytes()


def legacy_file(path: Path) -> bytes:
    torch.save(network_state(), path, _use_new_zipfile_serialization=False)
    return path.read_bytes()


def safetensors_file(path: Path) -> bytes:
    save_file(network_state(), path)
    return path.read_bytes()


@pytest.mark.parametrize("make", [zip_file, legacy_file, safetensors_file])
@pytest.mark.parametrize("share", [0.5, 0.0001])
def test_files_cut_short_are_one_clear_line(tmp_path: Path, make: Callable[[Path], bytes], share: float) -> None:
    file = tmp_path / "net.bin"
    whole = make(file)
    file.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match=r"net.bin: is (a )?broken.*download it again"):
        load(file)


def test_checkpoints_without_a_state_dict_say_what_they_hold(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "loss": 0.5}, tmp_path / "net.pt")
    with pytest.raises(UserError, match="no state dict in it; it contains epoch, loss"):
        load(tmp_path / "net.pt")
    torch.save(torch.zeros(3), tmp_path / "net.pt")
    with pytest.raises(UserError, match="contains a Tensor, not a state dict"):
        load(tmp_path / "net.pt")


def test_programs_are_not_weights(tmp_path: Path) -> None:
    torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)).save(str(tmp_path / "net.pt"))
    with pytest.raises(UserError, match="TorchScript program"):
        load(tmp_path / "net.pt")
