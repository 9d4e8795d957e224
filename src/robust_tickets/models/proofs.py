"""Proof by experiment that masked channels are zero where they are read, and that removing them is exact.

The experiment runs on a copy with random weights, biases and batch-norm statistics: a zero or a one in the
real network could hide a dependence that training would later bring to light.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from robust_tickets.foundation.seeds import generator
from robust_tickets.models.channels import ChannelSet
from robust_tickets.models.network import tensors_of
from robust_tickets.models.plain_attention import plain_attention
from robust_tickets.models.surgery import cut_channels, mask_channels
from robust_tickets.pruning.couplings import Coupling

TOLERANCE = 1e-4
"""Largest difference of outputs, over their standard deviation, that float32 rounding may explain."""

Candidates = Mapping[str, tuple[Coupling, ChannelSet]]


def randomised(body: nn.Module) -> nn.Module:
    """Copy the network with random values everywhere, so that no zero or one in it can hide a dependence."""
    probe = copy.deepcopy(body).cpu().float().eval().requires_grad_(True)
    random = generator(0, "couplings")
    with torch.no_grad():
        for name, parameter in probe.named_parameters():
            if parameter.dim() > 1:
                fan_in = max(1, parameter.numel() // parameter.shape[0])
                parameter.normal_(0.0, fan_in**-0.5, generator=random)
            elif name.endswith("bias"):
                parameter.normal_(0.0, 0.2, generator=random)
            else:
                parameter.uniform_(0.5, 1.5, generator=random)
        for name, buffer in probe.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0.0, 0.2, generator=random)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5, generator=random)
    return probe


def noise_like(example: Any, count: int, random: torch.Generator) -> Any:
    """Return `count` inputs of an example's kind: floats are drawn anew, whole numbers are the example's, repeated."""
    if isinstance(example, Mapping):
        return {name: noise_like(value, count, random) for name, value in example.items()}
    if example.is_floating_point():
        return torch.randn((count, *example.shape[1:]), generator=random)
    return example[torch.arange(count) % len(example)]


def refused_by_proof(probe: nn.Module, example: Any, candidates: Candidates) -> dict[str, str]:
    """Mask a random half of each candidate's channels and hold it to the two conditions of this file."""
    random = generator(0, "couplings", "half")
    images = noise_like(example, 2, random)
    dead: dict[str, Tensor] = {}
    for name, (coupling, _) in candidates.items():
        half = torch.randperm(coupling.channels, generator=random)[: coupling.channels // 2]
        dead[name] = torch.zeros(coupling.channels, dtype=torch.bool).index_fill_(0, half, True)

    def masked(names: list[str]) -> nn.Module:
        network = copy.deepcopy(probe)
        for name in names:
            mask_channels(network, candidates[name][0], dead[name])
        return network

    reasons = _leaks(masked(list(candidates)), images, candidates, dead)
    proven: list[str] = []

    def prove(names: list[str]) -> None:
        """Halve a set that fails until the culprits are isolated; what passes is proven together."""
        if not names:
            return
        problem = _removal_problem(masked(proven + names), images, candidates, dead, proven + names)
        if problem is None:
            proven.extend(names)
        elif len(names) == 1:
            reasons[names[0]] = problem
        else:
            prove(names[: len(names) // 2])
            prove(names[len(names) // 2 :])

    prove([name for name in candidates if name not in reasons])
    return reasons


@torch.no_grad()
def _leaks(
    network: nn.Module,
    images: Any,
    candidates: Candidates,
    dead: Mapping[str, Tensor],
) -> dict[str, str]:
    """Name the candidates whose masked channels arrive somewhere as anything but zero."""
    leaks: dict[str, str] = {}

    def watch(name: str, reader: str, positions: Tensor) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            dim = -1 if isinstance(module, nn.Linear) else 1
            if inputs[0].shape[dim] > int(positions.max()) and inputs[0].index_select(dim, positions).any():
                leaks.setdefault(
                    name, f"is not zero where {reader} reads it, although it is masked where it is produced"
                )

        return look

    hooks = []
    for name, (_, channels) in candidates.items():
        for port, positions in channels.positions.items():
            if port.role == "in" and getattr(module := network.get_submodule(port.module), "groups", 1) == 1:
                look = watch(name, port.module, positions[dead[name]].flatten())
                hooks.append(module.register_forward_pre_hook(look))
    with plain_attention():
        tensors_of(network, images)
    for hook in hooks:
        hook.remove()
    return leaks


@torch.no_grad()
def _removal_problem(
    masked: nn.Module,
    images: Any,
    candidates: Candidates,
    dead: Mapping[str, Tensor],
    names: list[str],
) -> str | None:
    """Say why the network without the masked channels is not the masked network, or return None."""
    expected = tensors_of(masked, images)
    sets = {name: candidates[name][1] for name in names}
    cut_channels(masked, sets, {name: dead[name] for name in names})
    try:
        outputs = tensors_of(masked, images)
    except (RuntimeError, ValueError, AssertionError) as error:
        return f"the network's own code fixes how many channels it has ({' '.join(str(error).split())[:120]})"
    if [tensor.shape for tensor in _tensors(outputs)] != [tensor.shape for tensor in _tensors(expected)]:
        return "reaches the output of the network"
    difference = relative_difference(outputs, expected)
    if not difference <= TOLERANCE:
        return f"removing it changes the outputs by {difference:.1e} of their spread"
    return None


def relative_difference(outputs: Any, expected: Any, *, of_largest: bool = False) -> float:
    """Return max |outputs - expected| over the standard deviation of `expected`; nan where not finite.

    Args:
        outputs: a tensor, or a dict, list or tuple of them as networks of segmentation or detection return.
        expected: the same of equal shapes. Each tensor is held to its own spread; the worst counts.
        of_largest: hold them to their largest value instead. Boxes and scores have a scale of their own, and scores of
            a network that has hardly been trained have next to no spread. Numbers [N, 1], as of regression, may be all
            alike, and a single one has no spread: they are held to the largest of them, or to 1 if that is smaller.
    """
    worst = 0.0
    for output, wanted in zip(_tensors(outputs), _tensors(expected), strict=True):
        largest, numbers = wanted.double().abs().max(), wanted.dim() == 2 and wanted.shape[1] == 1
        scale = largest if of_largest else largest.clamp(min=1) if numbers else wanted.double().std()
        difference = float((output.double() - wanted.double()).abs().max()) / max(float(scale), 1e-30)
        worst = difference if not difference <= worst else worst
    return worst


def _tensors(outputs: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(outputs) if isinstance(leaf, Tensor)]
