"""Checkpoints as training scripts leave them: the network that is meant is found, and what was left out is told."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn.parallel import DataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchvision import models

from robust_tickets.foundation.digests import tensors_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.convert import convert
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, load_source
from tests.models.test_formats import behind, load, network_state

State = dict[str, Tensor]


def averaged(state: State) -> State:
    return {name: tensor * 0.5 if tensor.is_floating_point() else tensor for name, tensor in state.items()}


def saved(content: Any, folder: Path, **settings: Any) -> Source:
    torch.save(content, folder / "net.pt")
    return load(folder / "net.pt", **settings)


def is_of(source: Source, state: State) -> bool:
    return source.identity.digest == tensors_digest(state) == tensors_digest(source.network.plain_state())


@pytest.mark.parametrize(
    ("raw", "average"),
    [
        ("state_dict", "state_dict_ema"),  # timm
        ("model", "model_ema"),  # torchvision's references, DeiT
        ("state_dict", "ema_state_dict"),  # OpenMMLab
        ("model", "ema_model"),  # USB
        ("model", "ema"),  # DiT
        ("params", "params_ema"),  # BasicSR
        ("model_state_dict", "ema_model_state_dict"),
        ("net", "EMA"),
        ("weights", "weights-ema"),
        ("student", "teacher"),  # DINO
    ],
)
def test_the_moving_average_is_taken_where_both_are_and_the_setting_chooses(
    tmp_path: Path, raw: str, average: str
) -> None:
    state = network_state()
    content = {"epoch": 3, raw: state, average: averaged(state), "optimizer": {"state": {}, "param_groups": []}}
    source = saved(content, tmp_path)
    assert is_of(source, averaged(state))
    assert any(note.startswith(f"weights: {average}") and raw in note for note in source.identity.notes)
    chosen = load(tmp_path / "net.pt", weights_entry=raw)
    assert is_of(chosen, state)
    assert load_source(chosen.settings).identity.digest == chosen.identity.digest
    with pytest.raises(UserError, match=f"weights_entry: .*no 'raw'; it has '{average}', '{raw}'"):
        load(tmp_path / "net.pt", weights_entry="raw")


def test_timm_takes_the_same_weights(tmp_path: Path) -> None:
    network, other = (timm.create_model("test_resnet", num_classes=5) for _ in range(2))
    path = tmp_path / "last.pth.tar"
    torch.save({"state_dict": network.state_dict(), "state_dict_ema": other.state_dict()}, path)
    theirs = timm.create_model("test_resnet", num_classes=5, checkpoint_path=str(path))
    ours = load_source(SourceSettings(name="timm/test_resnet", weights=str(path)))
    assert is_of(ours, dict(theirs.state_dict()))


def test_an_averaged_model_loads_alone_and_beside_its_network(tmp_path: Path) -> None:
    network = models.shufflenet_v2_x0_5(num_classes=5)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.5), use_buffers=True)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    average.update_parameters(network)
    source = saved(average.state_dict(), tmp_path)
    assert is_of(source, dict(average.module.state_dict()))
    assert source.identity.format == "AveragedModel state dict (module.*)"
    both = saved({"model": network.state_dict(), "model_ema": average.state_dict()}, tmp_path)
    assert is_of(both, dict(average.module.state_dict()))


def test_an_average_inside_one_state_dict_is_found_by_its_prefix(tmp_path: Path) -> None:
    state = network_state()
    content = {"state_dict": behind("model.", state) | behind("model_ema.module.", averaged(state))}
    assert is_of(saved(content, tmp_path), averaged(state))
    assert is_of(load(tmp_path / "net.pt", weights_entry="model"), state)
    assert is_of(load(tmp_path / "net.pt", weights_entry="state_dict.model_ema"), averaged(state))
    bare = {"state_dict": {**state, **behind("ema.module.", averaged(state))}}
    assert is_of(saved(bare, tmp_path), averaged(state))
    assert is_of(load(tmp_path / "net.pt", weights_entry="state_dict"), state)


def test_an_average_without_names_is_not_taken_and_that_is_told(tmp_path: Path) -> None:
    state = network_state()
    shadow = {
        "decay": 0.99,
        "num_updates": 7,
        "shadow_params": list(averaged(state).values()),
        "collected_params": None,
    }
    source = saved({"state_dict": state, "ema": shadow}, tmp_path)
    assert is_of(source, state)
    assert any("not the moving average in ema, a list that names no parameters" in n for n in source.identity.notes)


def test_an_average_that_lacks_tensors_is_not_taken_and_that_is_told(tmp_path: Path) -> None:
    state = network_state()
    short = {name: tensor for name, tensor in averaged(state).items() if "running" not in name}
    source = saved({"state_dict": state, "state_dict_ema": short}, tmp_path)
    assert is_of(source, state)
    assert any("not the moving average state_dict_ema, which lacks" in note for note in source.identity.notes)


def test_lightnings_weight_averaging_swaps_the_two(tmp_path: Path) -> None:
    state = network_state()
    content = {
        "state_dict": behind("model.", averaged(state)),
        "current_model_state": behind("model.", state),
        "averaging_state": {"n_averaged": torch.tensor(3)},
    }
    source = saved(content, tmp_path)
    assert is_of(source, averaged(state))
    assert any("state_dict.model, the moving average; not current" in note for note in source.identity.notes)
    assert is_of(load(tmp_path / "net.pt", weights_entry="current_model_state"), state)


def test_converting_takes_the_same_entry(tmp_path: Path) -> None:
    state = network_state()
    torch.save({"state_dict": state, "state_dict_ema": averaged(state)}, tmp_path / "net.pt")
    facts = convert(tmp_path / "net.pt", tmp_path / "net.safetensors")
    assert facts.format == "plain state dict, state_dict_ema of state_dict_ema, state_dict"
    assert is_of(load(tmp_path / "net.safetensors"), averaged(state))
    convert(tmp_path / "net.pt", tmp_path / "raw.safetensors", entry="state_dict")
    assert is_of(load(tmp_path / "raw.safetensors"), state)
    with pytest.raises(UserError, match="has no entry 'model'; it has 'state_dict_ema', 'state_dict'"):
        convert(tmp_path / "net.pt", tmp_path / "none.safetensors", entry="model")
    assert not (tmp_path / "none.safetensors").exists()


def test_entries_are_of_files_only(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="weights_entry: only a weights file has entries, but weights is 'random'"):
        load_source(SourceSettings(name="cifar/resnet8", weights="random", weights_entry="model"))


class Distillation(nn.Module):
    """What a Lightning module's state dict holds: the network, its wider teacher, a metric, a loss."""

    def __init__(self) -> None:
        super().__init__()
        self.model = models.shufflenet_v2_x0_5(num_classes=5)
        self.teacher = models.shufflenet_v2_x1_0(num_classes=5)
        self.criterion = nn.CrossEntropyLoss(weight=torch.ones(5))
        self.register_buffer("confusion", torch.zeros(5, 5))


def test_foreign_keys_beside_the_network_are_left_out_and_named(tmp_path: Path) -> None:
    module = Distillation()
    content = {
        "pytorch-lightning_version": "2.6.6",
        "state_dict": module.state_dict(),
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.5)}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": []}],
        "hyper_parameters": {"lr": 0.1},
    }
    source = saved(content, tmp_path)
    assert is_of(source, dict(module.model.state_dict()))
    (note,) = [note for note in source.identity.notes if "left out" in note]
    assert note == (
        "weights: only model.* is the network; left out: confusion, criterion, teacher "
        f"({len(module.teacher.state_dict())} tensors)"
    )


@pytest.mark.parametrize(
    "prefix",
    ["backbone.", "encoder.", "student.", "ema.", "model.net.", "module.model.encoder.", "_forward_module.net."],
)
def test_prefixes_in_any_nesting(tmp_path: Path, prefix: str) -> None:
    state = network_state()
    assert is_of(saved(behind(prefix, state), tmp_path), state)


def test_wrappers_anywhere_in_the_name(tmp_path: Path) -> None:
    network = models.shufflenet_v2_x0_5(num_classes=5)
    state = dict(network.state_dict())
    network.stage2 = torch.compile(network.stage2)  # type: ignore[assignment]
    assert any(name.startswith("stage2._orig_mod.") for name in network.state_dict())
    whole = torch.compile(DataParallel(network))
    source = saved({"net": whole.state_dict()}, tmp_path)  # type: ignore[attr-defined]
    assert is_of(source, state)
    assert source.identity.format == "DataParallel state dict (module.*), torch.compile"
    sharded = {
        name.replace("stage3.", "_fsdp_wrapped_module.stage3._checkpoint_wrapped_module."): t
        for name, t in state.items()
    }
    assert is_of(saved(sharded, tmp_path), state)


@pytest.mark.parametrize(
    "wrap", [lambda s: [[s]], lambda s: {"model": [s]}, lambda s: (s, {"state": {}, "param_groups": []}, 3)]
)
def test_lists_and_tuples_hold_state_dicts_at_any_level(tmp_path: Path, wrap: Any) -> None:
    state = network_state()
    assert is_of(saved(wrap(state), tmp_path), state)


def test_one_state_dict_in_a_checkpoint_that_holds_itself(tmp_path: Path) -> None:
    content: dict[str, Any] = {"model": network_state()}
    content["self"] = content
    assert is_of(saved(content, tmp_path), network_state())
