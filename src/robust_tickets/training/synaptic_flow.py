"""What flows through a network along all paths together, and how much of it each weight passes."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.generator import ToPicture
from robust_tickets.models.outputs import logits_of

START = (1.0, 1e-100, 1e-200)
"""Inputs of the flow, and what its backward pass starts from, tried in turn until no product overflows: the result is
proportional to either."""

SCALES = (2.0, 1e-100)
"""Factors of the input that have to be those of the output. A sigmoid is about 1 at large inputs, 1/2 at tiny ones."""

HOMOGENEOUS = 1e-6
"""Relative error up to which they are to be the same."""

TINY = 1e-290
"""Below it float64 gets inexact."""

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Hardtanh, nn.ELU, nn.Mish, ToPicture)
FUNCTIONS = {F.relu6, F.hardtanh, F.gelu, F.silu, F.hardswish, F.mish}
"""Those that are no identity where inputs are positive, as functions."""
LAYER_NORMS = {F.layer_norm, torch.layer_norm}
NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


def synaptic_flow(body: nn.Module, example: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """Return the derivative of the summed outputs by |w| for inputs of ones; see `Statistics.flow`.

    Args:
        body: the network; a copy is changed.
        example: of its inputs, whose values do not matter.
        names: of the weights.

    Raises:
        UserError: outputs are no sums over paths, or too large even so.
    """
    ones = torch.ones_like(example, dtype=torch.float64)
    paths = sum_over_paths(body, names)
    # No path leads through a bias.
    passed = [name for name in names if not name.endswith("bias")]
    weights = [paths.get_parameter(name) for name in passed]
    with ActivationsPass():
        for start in START:
            total = summed(paths, start * ones)
            others = [(scale * total, summed(paths, scale * start * ones)) for scale in SCALES]
            if not all(bool(one.isfinite()) for pair in others for one in pair):
                continue
            if any(abs(found - expected) > HOMOGENEOUS * abs(expected) + TINY for expected, found in others):
                raise UserError(
                    "score 'synflow' needs outputs that are sums over paths; this network has gates or attention, "
                    "which multiply activations: choose another score"
                )
            found = torch.autograd.grad(total, weights, torch.full_like(total, start))
            if all(bool(one.isfinite().all()) for one in found):
                flows = dict(zip(passed, found, strict=True))
                none = {name: torch.zeros_like(body.get_parameter(name)) for name in names if name not in flows}
                return {name: flows[name] if name in flows else none[name] for name in names}
    raise UserError("score 'synflow': products along the paths of this network overflow; choose another score")


def summed(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the sum of a network's outputs."""
    return logits_of(network(inputs)).sum()


class ActivationsPass(TorchFunctionMode):
    """While it is entered, activations that are called as functions pass what comes in, and layer norms only scale it.

    A layer norm knows by itself along which dimension: some networks have their channels last.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Do a call of torch, or leave it out."""
        kwargs = kwargs or {}
        if func in FUNCTIONS:
            return args[0] if args else kwargs["input"]
        if func in LAYER_NORMS:
            given = dict(zip(("input", "normalized_shape", "weight"), args, strict=False)) | kwargs
            return given["input"] if given.get("weight") is None else given["input"] * given["weight"]
        return func(*args, **kwargs)


class NormScale(nn.Module):
    """What is left of a norm over channels whose scale may be pruned: a factor for each."""

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        """Multiply the channels of [N, C, ...]."""
        return x * self.weight.view(-1, *(1,) * (x.ndim - 2))


def sum_over_paths(body: nn.Module, names: Sequence[str]) -> nn.Module:
    """Return a float64 copy with |w| for weights, no biases, and neither norms nor activations.

    Of norms whose own parameters are among `names` the scales stay.
    """
    paths = copy.deepcopy(body).double().eval()
    for path, module in list(paths.named_modules()):
        if isinstance(module, (*NORMS, *ACTIVATIONS)) and path:
            parent, _, leaf = path.rpartition(".")
            is_kept = f"{path}.weight" in names
            if is_kept and isinstance(module, nn.LayerNorm):
                continue
            kept = NormScale(module.weight) if is_kept else nn.Identity()  # pyright: ignore[reportArgumentType]
            setattr(paths.get_submodule(parent), leaf, kept)
    with torch.no_grad():
        for name, parameter in paths.named_parameters():
            parameter.zero_() if name.endswith("bias") else parameter.abs_()
            parameter.requires_grad_(True)
    return paths
