"""Modules as people have them: wrapped, in half precision, pruned, quantised; plain afterwards, or refused."""

import copy
import warnings
from collections.abc import Callable

import pytest
import torch
from timm.utils.model_ema import ModelEma, ModelEmaV3
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.layers import prunable_weights
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.plain_modules import pruned_masks
from robust_tickets.models.sources import load_source

GREY = Pixels(mean=(0.5,), std=(0.5,), size=(8, 8))
IMAGES = torch.rand(2, 1, 8, 8)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(64, 3)
    )


@pytest.mark.parametrize(
    "wrap",
    [torch.compile, nn.DataParallel, torch.optim.swa_utils.AveragedModel, ModelEma, ModelEmaV3],
    ids=["compile", "DataParallel", "AveragedModel", "ModelEma", "ModelEmaV3"],
)
def test_wrappers_are_taken_off(wrap: Callable[[nn.Module], nn.Module]) -> None:
    source = load_source(wrap(network()), preprocessing=GREY)
    assert source.identity == load_source(network(), preprocessing=GREY).identity


def test_parts_that_are_wrapped_are_unwrapped_in_a_copy() -> None:
    wrapped = network()
    wrapped[3] = torch.compile(wrapped[3])  # pyright: ignore[reportArgumentType]
    source = load_source(wrapped, preprocessing=GREY)
    assert source.identity.digest == load_source(network(), preprocessing=GREY).identity.digest
    assert any("_orig_mod" in name for name in wrapped.state_dict())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32_in_a_copy_and_are_noted(dtype: torch.dtype) -> None:
    given = network().to(dtype)
    source = load_source(given, preprocessing=GREY)
    assert source.identity.notes == (f"weights: cast to float32 from {str(dtype)[6:]}",)
    assert {parameter.dtype for parameter in source.network.parameters()} == {torch.float32}
    assert {parameter.dtype for parameter in given.parameters()} == {dtype}
    assert source.network.eval()(IMAGES).dtype == torch.float32


def pruned(net: nn.Sequential) -> None:
    prune.l1_unstructured(net[3], "weight", 0.5)


COMPUTED: dict[str, Callable[[nn.Sequential], object]] = {
    "prune": pruned,
    "weight_norm": lambda net: weight_norm(net[3]),
    "spectral_norm": lambda net: spectral_norm(net[3]),
    "weight_norm of parametrizations": lambda net: parametrizations.weight_norm(net[3]),
    "spectral_norm of parametrizations": lambda net: parametrizations.spectral_norm(net[3]),
}


@pytest.mark.parametrize("name", COMPUTED)
def test_weights_that_are_computed_become_plain_ones(name: str) -> None:
    given = network()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about the older of the two forms
        COMPUTED[name](given)
    given(IMAGES)  # leaves a weight with a gradient behind it, which cannot be copied
    keys = set(given.state_dict())
    source = load_source(given, preprocessing=GREY)
    assert prunable_weights(source.network) == ("0.weight", "3.weight")
    torch.testing.assert_close(source.network.eval()(IMAGES), given.eval()((IMAGES - 0.5) / 0.5))
    assert set(given.state_dict()) == keys
    copy.deepcopy(source.network)


def test_masks_of_torchs_pruning_are_applied_told_and_at_hand() -> None:
    given = network()
    pruned(given)
    (note,) = load_source(given, preprocessing=GREY).identity.notes
    assert "torch.nn.utils.prune were applied; 50.0 % of the weights in 1 tensors are zero" in note
    masks = pruned_masks(given)
    assert list(masks) == ["3.weight"]
    assert int(masks["3.weight"].sum()) == 72
    assert masks["3.weight"].dtype == torch.bool


def sparse() -> nn.Module:
    net = network()
    net[5].weight = nn.Parameter(net[5].weight.detach().to_sparse())
    return net


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(3)), "0.weight has no values yet"),
        (lambda: network().to("meta"), r"0.weight has no values \(device meta\)"),
        (sparse, r"5.weight is sparse \(torch.sparse_coo\)"),
        (lambda: torch.ao.quantization.quantize_dynamic(network(), {nn.Linear}), "5 is quantised"),
        (lambda: torch.jit.script(network()), "is TorchScript"),
    ],
    ids=["lazy", "meta", "sparse", "quantised", "TorchScript"],
)
@pytest.mark.filterwarnings("ignore")
def test_what_has_no_ordinary_weights_is_refused_in_one_line(make: Callable[[], nn.Module], problem: str) -> None:
    with pytest.raises(UserError, match=problem) as caught:
        load_source(make(), preprocessing=GREY)
    assert "\n" not in str(caught.value)
