"""Finds the channels of a network that can be removed exactly, and proves each before returning it.

A set of channels is returned only if, with its producers and followers masked on a copy with random weights,
biases and batch-norm statistics, (1) every layer that reads those channels sees exact zeros there, and
(2) the network without them computes the same function. Everything else is refused, with the reason.
"""

import copy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robust_tickets.foundation.seeds import generator
from robust_tickets.models.dependencies import ChannelSet, Port, channel_sets
from robust_tickets.models.surgery import remove_positions
from robust_tickets.pruning.couplings import Coupling, Member

TOLERANCE = 1e-4
"""Largest difference of outputs, over their standard deviation, that float32 rounding may explain."""


@dataclass(frozen=True)
class Refusal:
    """Channels that cannot be removed exactly."""

    name: str
    """Weight that produces them: the first of its set."""
    channels: int
    reason: str


@dataclass(frozen=True, eq=False)
class ChannelTrace:
    """What a network's channels are, and how to remove them."""

    couplings: tuple[Coupling, ...]
    refusals: tuple[Refusal, ...]
    sets: Mapping[str, ChannelSet]
    """Every port each coupling runs through, by the coupling's name."""

    def cut(self, body: nn.Module, removed: Mapping[str, Tensor]) -> None:
        """Remove channels from `body` in place.

        Args:
            body: the network that was traced, or a copy of it, not yet cut.
            removed: bool [channels] for the names of the couplings to shrink, True = remove. At least one
                channel of each must stay.
        """
        places: dict[Port, list[Tensor]] = {}
        for name, dead in removed.items():
            for port, positions in self.sets[name].positions.items():
                places.setdefault(port, []).append(positions[dead].flatten())
        remove_positions(body, {port: torch.cat(parts) for port, parts in places.items()})


def trace_couplings(body: nn.Module, example: Tensor, prunable: Collection[str]) -> tuple[Coupling, ...]:
    """Return the couplings of `trace_channels`, without the refusals."""
    return trace_channels(body, example, prunable).couplings


def trace_channels(body: nn.Module, example: Tensor, prunable: Collection[str]) -> ChannelTrace:
    """Find the sets of channels whose removal, once they are masked, changes nothing.

    Producers are output slices of prunable weights of convolutions and linear layers, depthwise and grouped
    ones included (a group goes as a whole). Followers are their biases and the scales and shifts of the batch
    norms behind them. `body` itself is not touched.

    Args:
        body: the plain architecture.
        example: an input of the shape it takes, [N, C, H, W] for images; values do not matter.
        prunable: names of the weights that may be pruned, as in `body.named_parameters()`.

    Returns:
        Couplings in the order of the network, and refusals. Every prunable weight is in one or the other.

    Raises:
        UserError: torch-pruning cannot follow the network at all.
    """
    probe = _randomised(body)
    modules = dict(probe.named_modules())
    candidates: dict[str, tuple[Coupling, ChannelSet]] = {}
    refusals: dict[str, Refusal] = {}
    seen: set[str] = set()
    for channels in channel_sets(probe, example.detach().cpu()):
        weights = [f"{port.module}.weight" for port in channels.positions if port.role == "out"]
        if not any(weight in prunable for weight in weights):
            continue
        seen.update(weights)
        name = weights[0]
        if name in candidates or name in refusals:
            first = next(iter(channels.positions.values()))
            name = f"{name}:{int(first.min())}"
        exempt = [weight for weight in weights if weight not in prunable]
        if channels.obstacles:
            refusals[name] = Refusal(name, channels.channels, "; ".join(channels.obstacles))
        elif exempt:
            refusals[name] = Refusal(
                name, channels.channels, f"needs {', '.join(exempt)}, exempt from pruning"
            )
        elif channels.channels == 1:
            refusals[name] = Refusal(name, 1, "is one inseparable channel")
        else:
            candidates[name] = (_coupling(name, channels, modules), channels)

    for name, reason in _refused_by_proof(probe, example, candidates).items():
        refusals[name] = Refusal(name, candidates.pop(name)[0].channels, reason)
    for name in prunable:
        if name not in seen:
            width = probe.get_parameter(name).shape[0]
            refusals[name] = Refusal(name, width, "is not called as a layer, so its readers cannot be traced")
    return ChannelTrace(
        couplings=tuple(coupling for coupling, _ in candidates.values()),
        refusals=tuple(refusals.values()),
        sets={name: channels for name, (_, channels) in candidates.items()},
    )


def mask_channels(body: nn.Module, coupling: Coupling, dead: Tensor) -> None:
    """Set every element of the dead channels (bool [channels]) to zero, producers and followers, in place."""
    with torch.no_grad():
        for member in (*coupling.producers, *coupling.followers):
            parameter = body.get_parameter(member.parameter)
            parameter.index_fill_(member.dim, member.index[dead].flatten().to(parameter.device), 0.0)


def _coupling(name: str, channels: ChannelSet, modules: Mapping[str, nn.Module]) -> Coupling:
    producers, followers = [], []
    for port, index in channels.positions.items():
        if port.role == "out":
            producers.append(Member(f"{port.module}.weight", 0, index))
            affine = ("bias",)
        else:
            affine = ("weight", "bias") if port.role == "norm" else ()
        followers += [
            Member(f"{port.module}.{part}", 0, index)
            for part in affine
            if getattr(modules[port.module], part) is not None
        ]
    return Coupling(name, channels.channels, tuple(producers), tuple(followers))


def _randomised(body: nn.Module) -> nn.Module:
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


def _refused_by_proof(
    probe: nn.Module, example: Tensor, candidates: Mapping[str, tuple[Coupling, ChannelSet]]
) -> dict[str, str]:
    """Mask a random half of each candidate's channels and hold it to the two conditions of this file."""
    random = generator(0, "couplings", "half")
    images = torch.randn((2, *example.shape[1:]), generator=random)
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
        """Halve a set that fails until the culprits stand alone; what passes is proven together."""
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
    images: Tensor,
    candidates: Mapping[str, tuple[Coupling, ChannelSet]],
    dead: Mapping[str, Tensor],
) -> dict[str, str]:
    """Name the candidates whose masked channels arrive somewhere as anything but zero."""
    leaks: dict[str, str] = {}

    def watch(name: str, reader: str, positions: Tensor) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            dim = -1 if isinstance(module, nn.Linear) else 1
            if inputs[0].shape[dim] > int(positions.max()) and inputs[0].index_select(dim, positions).any():
                leaks.setdefault(name, f"is not zero where {reader} reads it, though masked where it is made")

        return look

    hooks = []
    for name, (_, channels) in candidates.items():
        for port, positions in channels.positions.items():
            module = network.get_submodule(port.module)
            if port.role == "in" and getattr(module, "groups", 1) == 1:
                look = watch(name, port.module, positions[dead[name]].flatten())
                hooks.append(module.register_forward_pre_hook(look))
    network(images)
    for hook in hooks:
        hook.remove()
    return leaks


@torch.no_grad()
def _removal_problem(
    masked: nn.Module,
    images: Tensor,
    candidates: Mapping[str, tuple[Coupling, ChannelSet]],
    dead: Mapping[str, Tensor],
    names: list[str],
) -> str | None:
    """Say why the network without the masked channels is not the masked network, or return None."""
    expected = masked(images)
    trace = ChannelTrace((), (), {name: candidates[name][1] for name in names})
    trace.cut(masked, {name: dead[name] for name in names})
    try:
        outputs = masked(images)
    except (RuntimeError, ValueError, AssertionError) as error:
        return f"the network's own code fixes how many channels it has ({' '.join(str(error).split())[:120]})"
    if outputs.shape != expected.shape:
        return "reaches the output of the network"
    difference = relative_difference(outputs, expected)
    if not difference <= TOLERANCE:
        return f"removing it changes the outputs by {difference:.1e} of their spread"
    return None


def relative_difference(outputs: Tensor, expected: Tensor) -> float:
    """Return max |outputs - expected| over the standard deviation of `expected`; nan where not finite."""
    spread = float(expected.double().std())
    return float((outputs.double() - expected.double()).abs().max()) / max(spread, 1e-30)
