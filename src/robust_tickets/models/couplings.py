"""Finds the channels of a network that can be removed exactly, and proves each before returning it.

A set of channels is returned only if, with its producers and followers masked on a copy with random weights,
biases and batch-norm statistics, (1) every layer that reads those channels sees exact zeros there, and
(2) the network without them computes the same function. Everything else is refused, with the reason.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from robust_tickets.foundation.batch import moved
from robust_tickets.models.channels import ChannelSet, channel_dim, left_of
from robust_tickets.models.dependencies import channel_sets
from robust_tickets.models.proofs import randomised, refused_by_proof
from robust_tickets.pruning.couplings import Coupling, Member

PRODUCERS = {"out": "weight", "packed": "in_proj_weight"}
"""Role of a port -> the weight whose slices along dimension 0 make the channels there."""

FOLLOWERS = {"out": ("bias",), "packed": ("in_proj_bias",), "norm": ("weight", "bias"), "bare": ("",)}
"""Role of a port -> the vectors that are masked with the channels there; empty for the parameter itself."""


@dataclass(frozen=True)
class Refusal:
    """Channels or heads that cannot be removed exactly."""

    name: str
    """Weight that produces them: the first of its set."""
    channels: int
    reason: str


@dataclass(frozen=True, eq=False)
class ChannelTrace:
    """What a network's channels are. `surgery.cut_channels` removes them by their `sets`."""

    couplings: tuple[Coupling, ...]
    refusals: tuple[Refusal, ...]
    sets: Mapping[str, ChannelSet]
    """Every port each coupling runs through, by the coupling's name."""

    def after(self, removed: Mapping[str, Tensor], body: nn.Module) -> "ChannelTrace":
        """Return what the channels are once some are removed: the same couplings, down to a single channel.

        Tracing the smaller network anew would give them other names, and find nothing to remove where one is left.

        Args:
            removed: bool [channels] by the names of couplings, as `cut_channels` took it.
            body: the network after that.
        """
        sets = left_of(self.sets, removed)
        couplings = tuple(_coupling(one.name, sets[one.name], body) for one in self.couplings)
        return ChannelTrace(couplings, self.refusals, sets)


def trace_couplings(body: nn.Module, example: Any, prunable: Collection[str]) -> tuple[Coupling, ...]:
    """Return the couplings of `trace_channels`, without the refusals."""
    return trace_channels(body, example, prunable).couplings


def trace_channels(body: nn.Module, example: Any, prunable: Collection[str]) -> ChannelTrace:
    """Find the sets of channels whose removal, once they are masked, changes nothing.

    Producers are output slices of prunable weights of convolutions and linear layers, depthwise and grouped
    ones included (a group goes as a whole), or the rows of query, key and value of attention heads. Followers are their
    biases and the scales and shifts of the batch norms behind them. `body` itself is not touched.

    Args:
        body: the plain architecture.
        example: an input of the shape it takes, [N, C, H, W] for images, or a mapping of such tensors by name. Values
            of floats do not matter; whole numbers are used as they are.
        prunable: names of the weights that may be pruned, as in `body.named_parameters()`.

    Returns:
        Couplings in the order of the network, and refusals. Every prunable weight is in one or the other.

    """
    probe = randomised(body)
    candidates: dict[str, tuple[Coupling, ChannelSet]] = {}
    refusals: dict[str, Refusal] = {}
    seen: set[str] = set()
    example = moved(example, "cpu")
    for channels in channel_sets(probe, example):
        weights = [f"{port.module}.{PRODUCERS[port.role]}" for port in channels.positions if port.role in PRODUCERS]
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
            refusals[name] = Refusal(name, channels.channels, f"needs {', '.join(exempt)}, exempt from pruning")
        elif channels.channels == 1:
            wide = sum(index.shape[1] for port, index in channels.positions.items() if port.role in PRODUCERS)
            refusals[name] = Refusal(name, 1, f"is one inseparable channel of {wide} filters")
        else:
            candidates[name] = (_coupling(name, channels, probe), channels)

    for name, reason in refused_by_proof(probe, example, candidates).items():
        refusals[name] = Refusal(name, candidates.pop(name)[0].channels, reason)
    for name in prunable:
        if name not in seen:
            width = probe.get_parameter(name).shape[0]
            refusals[name] = Refusal(
                name, width, "is not called as a layer, so the layers that read it cannot be traced"
            )
    return ChannelTrace(
        couplings=tuple(coupling for coupling, _ in candidates.values()),
        refusals=tuple(refusals.values()),
        sets={name: channels for name, (_, channels) in candidates.items()},
    )


def _coupling(name: str, channels: ChannelSet, body: nn.Module) -> Coupling:
    producers, followers, readers = [], [], []
    for port, index in channels.positions.items():
        if port.role in PRODUCERS:
            producers.append(Member(f"{port.module}.{PRODUCERS[port.role]}", 0, index))
        if port.role == "in":
            readers.append(Member(f"{port.module}.weight", 1, index))
        for leaf in FOLLOWERS.get(port.role, ()):
            part = f"{port.module}.{leaf}" if leaf else port.module
            path, _, last = part.rpartition(".")
            if (parameter := getattr(body.get_submodule(path), last)) is not None:
                followers.append(Member(part, channel_dim(parameter), index, tuple(parameter.shape)))
    if any(getattr(body.get_submodule(reader.parameter.rpartition(".")[0]), "groups", 1) > 1 for reader in readers):
        readers = []  # of a grouped convolution, only some rows read a channel
    return Coupling(
        name, channels.channels, tuple(producers), tuple(followers), tuple(readers), are_heads=channels.are_heads
    )
