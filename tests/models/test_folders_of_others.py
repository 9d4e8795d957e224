"""Folders as timm and the Hugging Face Hub keep them, weights in several files, tensors under several names."""

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file, save_model
from timm.models import save_for_hf
from torch import Tensor, nn

from robust_tickets.foundation.digests import tensors_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import load_source

PREPARED = {
    "mean": [0.1, 0.2, 0.3],
    "std": [0.4, 0.5, 0.6],
    "input_size": [3, 96, 96],
    "interpolation": "bilinear",
    "crop_pct": 0.8,
}


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model("test_resnet", num_classes=7)


def hub_folder(network: nn.Module, folder: Path, safe: Any = True, **changes: Any) -> Path:
    """Write what `timm.models.push_to_hf_hub` uploads, by timm's own function."""
    config = {"num_classes": 7, "pretrained_cfg": {**network.pretrained_cfg, **PREPARED}}  # type: ignore[dict-item]
    save_for_hf(network, folder, model_config=config, safe_serialization=safe)
    if changes:
        written = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**written, **changes}))
    return folder


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("given", ["name", "weights"])
def test_a_hub_folder_is_a_source_with_its_own_preprocessing(
    network: nn.Module, tmp_path: Path, safe: bool, given: str
) -> None:
    folder = hub_folder(network, tmp_path / "net", safe)
    place = {"name": str(folder)} if given == "name" else {"name": "timm/test_resnet", "weights": str(folder)}
    source = load_source(SourceSettings.model_validate(place))
    assert source.identity.name == "timm/test_resnet"
    assert source.identity.num_classes == 7
    assert source.identity.digest == tensors_digest(dict(network.state_dict()))
    preprocessing = source.identity.preprocessing
    assert (preprocessing.mean, preprocessing.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert (preprocessing.size, preprocessing.interpolation, preprocessing.crop_fraction) == ((96, 96), "bilinear", 0.8)
    again = load_source(source.settings)
    assert again.identity == source.identity


def test_a_hub_folder_of_another_input_size(tmp_path: Path) -> None:
    network = timm.create_model("vit_tiny_patch16_224", num_classes=3, img_size=64, depth=2)
    save_for_hf(network, tmp_path, model_args={"img_size": 64, "num_classes": 3})
    with pytest.raises(
        UserError, match=r"model_args \(depth=2, .*\) make a different network from timm/vit_tiny_patch16_224"
    ):
        load_source(tmp_path)
    network = timm.create_model("test_vit", num_classes=3, img_size=64)
    save_for_hf(network, tmp_path, model_args={"img_size": 64, "num_classes": 3})
    images = torch.rand(1, 3, 64, 64)
    source = load_source(tmp_path)
    assert source.identity.preprocessing.size == (64, 64)
    with torch.no_grad():
        assert torch.equal(source.network.body.eval()(images), network.eval()(images))


def test_a_relative_hub_folder_is_found_from_anywhere(
    network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_folder(network, tmp_path / "net")
    monkeypatch.chdir(tmp_path)
    source = load_source("net")
    monkeypatch.chdir("/")
    assert load_source(source.settings).identity == source.identity


def test_the_wrapper_of_transformers_is_timm_behind_a_prefix(network: nn.Module, tmp_path: Path) -> None:
    folder = hub_folder(network, tmp_path / "net", architectures=["TimmWrapperForImageClassification"])
    save_file({f"timm_model.{n}": t for n, t in network.state_dict().items()}, folder / "model.safetensors")
    assert load_source(folder).identity.digest == tensors_digest(dict(network.state_dict()))


def test_what_a_hub_folder_lacks_is_one_line(network: nn.Module, tmp_path: Path) -> None:
    folder = hub_folder(network, tmp_path / "net", model_args={"num_classes": 7, "global_pool": "max"})
    with pytest.raises(UserError, match=r"model_args \(global_pool='max'\) make a different network from timm/test"):
        load_source(folder)
    (folder / "config.json").write_text('{"architectures": ["ResNetForImageClassification"], "model_type": "resnet"}')
    with pytest.raises(UserError, match=r"names no timm architecture \(ResNetForImageClassification\)"):
        load_source(folder)
    (folder / "config.json").write_text('{"architecture": "resnet_of_tomorrow"}')
    with pytest.raises(UserError, match="has no architecture 'resnet_of_tomorrow'"):
        load_source(folder)
    (folder / "config.json").write_text('{"architecture": "test_resnet", "mean": "grey", "std": [1], "input_size": 3}')
    with pytest.raises(UserError, match=r"config\.json: .*input_size"):
        load_source(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"has config.json but none of model.safetensors"):
        load_source(folder)
    (folder / "config.json").write_text("[]")
    with pytest.raises(UserError, match="is not a network's configuration"):
        load_source(folder)
    with pytest.raises(UserError, match="is a folder; give the weights file in it; it contains none"):
        load_source(SourceSettings(name="timm/test_resnet", weights=str(tmp_path)))


def sharded(network: nn.Module, folder: Path, kind: str = "model.safetensors") -> Path:
    """Write weights in two files and their index, as Hugging Face libraries do."""
    state = dict(network.state_dict())
    stem, _, suffix = kind.rpartition(".")
    parts = [f"{stem}-0000{number}-of-00002.{suffix}" for number in (1, 2)]
    listed = {name: parts[position % 2] for position, name in enumerate(state)}
    for part in parts:
        held = {name: state[name] for name, place in listed.items() if place == part}
        save_file(held, folder / part) if suffix == "safetensors" else torch.save(held, folder / part)
    index = folder / f"{kind}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": listed}, indent=2))
    return index


@pytest.mark.parametrize("kind", ["model.safetensors", "pytorch_model.bin"])
def test_weights_in_several_files(network: nn.Module, tmp_path: Path, kind: str) -> None:
    index = sharded(network, tmp_path, kind)
    source = load_source(SourceSettings(name="timm/test_resnet", weights=str(index)))
    assert source.identity.digest == tensors_digest(dict(network.state_dict()))
    (tmp_path / "config.json").write_text('{"architecture": "test_resnet", "num_classes": 7}')
    assert load_source(tmp_path).identity.digest == source.identity.digest


def test_shards_that_are_missing_or_elsewhere_are_refused(network: nn.Module, tmp_path: Path) -> None:
    index = sharded(network, tmp_path)
    settings = SourceSettings(name="timm/test_resnet", weights=str(index))
    content = json.loads(index.read_text())
    for place in ("../net.safetensors", "/etc/passwd", "C:\\net.safetensors", "sub\\..\\..\\net.safetensors", ""):
        first = dict.fromkeys(content["weight_map"], place)
        index.write_text(json.dumps({**content, "weight_map": first}))
        with pytest.raises(UserError, match="outside its folder; do not trust it"):
            load_source(settings)
    index.write_text(json.dumps({**content, "weight_map": {**content["weight_map"], "more": index.name}}))
    with pytest.raises(UserError, match="lacks more"):
        load_source(settings)
    index.write_text(json.dumps(content))
    missing = tmp_path / "model-00002-of-00002.safetensors"
    missing.unlink()
    with pytest.raises(UserError, match=r"1 of its 2 files are missing: model-00002-of-00002.safetensors; download"):
        load_source(settings)
    index.write_text('{"a": 1}')
    with pytest.raises(UserError, match="is JSON, not weights"):
        load_source(settings)


class Tied(nn.Module):
    """Two layers that share their weight."""

    preprocessing = {"mean": [0.0], "std": [1.0], "size": 4}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 1, 3, padding=1)
        self.second = nn.Conv2d(1, 1, 3, padding=1)
        self.second.weight = self.first.weight
        self.fc = nn.Linear(1, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.second(self.first(x)).mean((2, 3)))


@pytest.mark.parametrize("metadata", [True, False])
def test_tied_weights_of_safetensors_come_back(tmp_path: Path, metadata: bool) -> None:
    network, path = Tied(), tmp_path / "net.safetensors"
    save_model(network, str(path))
    state = network.state_dict()
    if not metadata:
        save_file({name: tensor for name, tensor in state.items() if name != "second.weight"}, path)
    source = load_source(SourceSettings(name=f"{__name__}:Tied", weights=str(path), head="fc"))
    assert source.identity.digest == tensors_digest(dict(state))
