"""Weights that a file holds in parts: put together bit for bit as the library does."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.ao.pruning.sparsifier.weight_norm_sparsifier import WeightNormSparsifier
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.convert import convert
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, load_source


class Net(nn.Module):
    """Layers of every kind that has a weight of more than one dimension."""

    preprocessing: ClassVar = {"mean": [0.0] * 3, "std": [1.0] * 3, "size": 8}

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 6, 3)
        self.deep = nn.Conv2d(6, 6, 3, groups=2)
        self.up = nn.ConvTranspose2d(6, 4, 2)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.up(self.deep(self.conv(x).relu()).relu()).mean((2, 3)))


def layers(network: Net) -> list[nn.Module]:
    return [network.conv, network.deep, network.up, network.fc]


def loaded(state: dict[str, Tensor], folder: Path) -> Source:
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}, folder / "net.pt")
    return load_source(SourceSettings(name=f"{__name__}:Net", weights=str(folder / "net.pt"), head="fc"))


def same_outputs(source: Source, network: Net) -> None:
    images = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        expected = network.eval()(images)
        assert torch.equal(source.network.body.eval()(images), expected)


def old_weight_norm(network: Net) -> None:
    for layer in layers(network):
        weight_norm(layer)  # pyright: ignore[reportDeprecated]
    network.fc.weight_g.data *= 1.5  # type: ignore[operator]


def weight_norm_over_everything(network: Net) -> None:
    weight_norm(network.conv, dim=None)  # type: ignore[arg-type]  # pyright: ignore
    weight_norm(network.up, dim=1)  # pyright: ignore[reportDeprecated]


def new_weight_norm(network: Net) -> None:
    for layer in layers(network):
        parametrizations.weight_norm(layer)
    parametrize.remove_parametrizations(network.deep, "weight")
    parametrizations.weight_norm(network.deep, dim=1)


def old_spectral_norm(network: Net) -> None:
    for layer in layers(network):
        spectral_norm(layer)  # pyright: ignore[reportDeprecated]
    network.train()(torch.rand(2, 3, 8, 8))


def new_spectral_norm(network: Net) -> None:
    for layer in layers(network):
        parametrizations.spectral_norm(layer)
    network.train()(torch.rand(2, 3, 8, 8))


def pruned(network: Net) -> None:
    for layer in layers(network):
        prune.l1_unstructured(layer, "weight", amount=0.5)
    prune.random_structured(network.deep, "weight", amount=2, dim=0)
    prune.l1_unstructured(network.fc, "bias", amount=1)


def pruned_below_weight_norm(network: Net) -> None:
    weight_norm(network.conv)  # pyright: ignore[reportDeprecated]
    prune.l1_unstructured(network.conv, "weight_v", amount=0.5)


class Masked(nn.Module):
    """A parametrisation that saves its mask, unlike torch.ao's own."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask


def masked(network: Net) -> None:
    parametrizations.weight_norm(network.conv)
    for layer in (network.conv, network.fc):
        parametrize.register_parametrization(layer, "weight", Masked(torch.rand_like(layer.weight) > 0.5))
    parametrize.register_parametrization(network.deep, "weight", Masked((torch.rand(6, 1, 1, 1) > 0.5).float()))


@pytest.mark.parametrize(
    "change",
    [
        old_weight_norm,
        weight_norm_over_everything,
        new_weight_norm,
        old_spectral_norm,
        new_spectral_norm,
        pruned,
        masked,
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_weights_in_parts_are_the_weights_that_the_library_computes(
    tmp_path: Path, change: Callable[[Net], None]
) -> None:
    network = Net()
    change(network)
    source = loaded(network.state_dict(), tmp_path)
    network.eval()
    same_outputs(source, network)
    for name in ("conv", "deep", "up", "fc"):
        weight = source.network.plain_state()[f"{name}.weight"]
        assert torch.equal(weight, network.get_submodule(name).weight.detach()), name  # type: ignore[union-attr]


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_pruning_below_weight_norm(tmp_path: Path) -> None:
    network = Net()
    pruned_below_weight_norm(network)
    source = loaded(network.state_dict(), tmp_path)
    same_outputs(source, network)
    assert torch.equal(source.masks["conv.weight"], network.conv.weight_v_mask != 0)  # type: ignore[arg-type]


def test_masks_of_prune_are_offered_as_a_ticket(tmp_path: Path) -> None:
    network = Net()
    pruned(network)
    source = loaded(network.state_dict(), tmp_path)
    assert source.masks.keys() == {"conv.weight", "deep.weight", "up.weight", "fc.weight", "fc.bias"}
    for name, mask in source.masks.items():
        layer, _, leaf = name.rpartition(".")
        assert torch.equal(mask, getattr(network.get_submodule(layer), f"{leaf}_mask") != 0)
        # no weight of the network is zero by itself: its zeros are the mask, exactly
        assert torch.equal(source.network.plain_state()[name] != 0, mask)
    assert source.identity.format == "DataParallel state dict (module.*), torch.nn.utils.prune of 5 tensors"
    (note,) = [note for note in source.identity.notes if note.startswith("pruned")]
    total = sum(mask.numel() for mask in source.masks.values())
    removed = sum(int((~mask).sum()) for mask in source.masks.values())
    assert note == (
        f"pruned: 5 masks came with the weights, which make {100 * removed / total:.1f} % of those weights zero; "
        "`tickets draw --score zeros` takes them as the ticket"
    )


def test_the_masks_of_torch_ao_lie_in_its_sparsifier(tmp_path: Path) -> None:
    network = Net()
    sparsifier = WeightNormSparsifier(sparsity_level=0.5, sparse_block_shape=(1, 1), zeros_per_block=1)
    sparsifier.prepare(network, [{"tensor_fqn": "fc.weight"}])
    sparsifier.step()
    assert "fc.parametrizations.weight.original" in network.state_dict()
    torch.save({"model": network.state_dict(), "sparsifier": sparsifier.state_dict()}, tmp_path / "ao.pt")
    settings = SourceSettings(name=f"{__name__}:Net", weights=str(tmp_path / "ao.pt"), head="fc")
    with pytest.raises(UserError, match=r"tickets convert .*ao.pt"):  # its state is a defaultdict
        load_source(settings)
    convert(tmp_path / "ao.pt", tmp_path / "ao.safetensors", allow_pickle=True)
    source = load_source(settings.model_copy(update={"weights": str(tmp_path / "ao.safetensors")}))
    same_outputs(source, network)
    assert torch.equal(source.masks["fc.weight"], network.fc.weight != 0)

    with pytest.raises(UserError, match=r"fc\.weight.*torch\.ao\.pruning.*squash_mask"):
        loaded(network.state_dict(), tmp_path)


def test_a_parametrisation_that_is_code_is_refused(tmp_path: Path) -> None:
    network = Net()
    parametrizations.orthogonal(network.fc)
    with pytest.raises(UserError, match=r"fc\.weight.*parametrisation.*remove_parametrizations"):
        loaded(network.state_dict(), tmp_path)


def nncf_layout(network: Net) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return a state dict as nncf 3.4 writes it after `nncf.prune`, and its masks."""
    masks = {name: torch.rand_like(network.get_parameter(name)) > 0.5 for name in ("conv.weight", "fc.weight")}
    hooks = {f"__nncf_hooks.post_hooks.{n.replace('.', ':')}__0.0.binary_mask": m for n, m in masks.items()}
    return dict(network.state_dict()) | hooks, masks


def test_masks_of_nncf(tmp_path: Path) -> None:
    network = Net()
    state, masks = nncf_layout(network)
    source = loaded(state, tmp_path)
    for name, mask in masks.items():
        assert torch.equal(source.masks[name], mask)
        assert torch.equal(source.network.plain_state()[name], network.get_parameter(name).detach() * mask)
    assert any("StripFormat.IN_PLACE" in note for note in source.identity.notes)


def test_learned_masks_of_nncf_are_logits(tmp_path: Path) -> None:
    network = Net()
    logits = torch.randn_like(network.fc.weight)
    state = OrderedDict(network.state_dict()) | {"__nncf_hooks.post_hooks.fc:weight__0.0.mask": logits}
    source = loaded(state, tmp_path)
    assert torch.equal(source.masks["fc.weight"], logits > 0)


class Parametrised(Net):
    """An architecture that is itself weight-normalised, with buffers named as those of pruning."""

    def __init__(self) -> None:
        super().__init__()
        parametrizations.weight_norm(self.fc)
        self.conv.register_buffer("weight_mask", torch.ones(1))
        self.conv.register_buffer("weight_orig", torch.ones(1))


def test_names_of_the_architectures_own_are_not_taken_for_parts(tmp_path: Path) -> None:
    network = Parametrised()
    with torch.no_grad():
        network.conv.get_buffer("weight_orig").add_(1)
        network.fc.parametrizations.weight.original0.mul_(2)  # type: ignore[union-attr]
    torch.save(network.state_dict(), tmp_path / "net.pt")
    source = load_source(SourceSettings(name=f"{__name__}:Parametrised", weights=str(tmp_path / "net.pt"), head="fc"))
    assert source.network.plain_state()["conv.weight_orig"] == 2
    assert not source.masks
    same_outputs(source, network)
