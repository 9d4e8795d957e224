"""Physical removal: a network without its zero channels."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from robust_tickets.foundation.batch import sliced
from robust_tickets.foundation.seeds import generator
from robust_tickets.foundation.settings import Settings
from robust_tickets.models.adaptations.adapted_body import architecture_of
from robust_tickets.models.couplings import Refusal, trace_channels
from robust_tickets.models.layers import weights_by_type
from robust_tickets.models.network import tensors_of
from robust_tickets.models.proofs import noise_like, relative_difference
from robust_tickets.models.surgery import cut_channels
from robust_tickets.pruning.applier import MaskApplier
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.masks import Masks
from robust_tickets.shrinking.counts import multiply_adds, parameter_count

ALIGNED = 4
"""Counts of a wide set that are not a multiple of this are worse than more channels: vectors are not full."""

TOLERANCE = 1e-5
"""Largest difference of logits, over their standard deviation, between masked and shrunk network."""


class RemovalCounts(Settings):
    """What a removal changed."""

    channels_before: int = Field(description="Channels of all removable sets; a channel runs through many layers.")
    channels_removed: int
    channels_kept: int = Field(
        default=0, description="Zero channels that were kept to leave each set with a multiple of channels."
    )
    multiple: int = Field(default=1, description="The multiple at which the channels of wide sets were kept.")
    parameters_before: int
    parameters_after: int
    multiply_adds_before: int = Field(description="For one image or text; zeros count.")
    multiply_adds_after: int
    max_difference: float = Field(
        description="Largest |shrunk - masked| over the standard deviation of the logits, on random inputs."
    )


@dataclass(frozen=True, eq=False)
class Removal:
    """A smaller network that computes what the masked one computes."""

    body: nn.Module
    counts: RemovalCounts
    masks: Masks
    """The remaining masks over the smaller network's parameters: zeros that did not go with a channel."""
    couplings: tuple[Coupling, ...]
    """Sets of channels that can be removed from this architecture, as they were in the larger network."""
    refusals: tuple[Refusal, ...]
    """Sets of channels that cannot be removed from this architecture, and why."""


@torch.no_grad()
def remove_channels(
    body: nn.Module, masks: Mapping[str, Tensor], example: Any, *, round_to: int = 1, counted: Any = None
) -> Removal:
    """Remove every channel that is zero wherever it is made, and check that nothing else changed.

    A channel goes if all slices of weights that produce it, their biases, and the scales and shifts of the
    norms behind them are zero once `masks` are applied. Zeros of other shapes stay where they are.

    Args:
        body: the architecture with the ticket's weights; it is copied, not touched.
        masks: parameter name -> bool of its shape, True = kept.
        example: an input of the shape `body` takes, [N, C, H, W], or a mapping of such tensors by name. What `body`
            returns may be a tensor, or a dict, list or tuple of tensors; all are compared.
        round_to: keep channels of each set until every layer that makes them has a multiple of this number of
            outputs; groups of a convolution stay whole, so that one of 4 channels counts as 4. A set whose layers
            are not such a multiple to begin with may keep all its channels. Where that would give back every
            channel of the network, half of the number is tried, and so on: down to 4, which vectors need, for sets
            at least twice as wide as `round_to`, and down to 1 for narrower ones.
        counted: one input on which multiply-adds are counted; by default noise of the example's shape.

    Raises:
        RuntimeError: the shrunk network differs from the masked one by more than 1e-5 of the logits' spread.
    """
    masked = copy.deepcopy(body).cpu().eval()
    parameters = dict(masked.named_parameters())
    MaskApplier(parameters, masks).apply_to_weights()
    trace = trace_channels(masked, example, weights_by_type(masked))

    shrunk, kept = copy.deepcopy(masked), copy.deepcopy(masked)
    zero = {coupling.name: _zero(coupling, parameters) for coupling in trace.couplings}
    multiple, removed = _rounded(trace.couplings, zero, parameters, round_to)
    for name, parameter in kept.named_parameters():
        parameter.copy_(masks[name].to(parameter) if name in masks else torch.ones_like(parameter))
    for network in (shrunk, kept):
        cut_channels(network, trace.sets, {name: dead for name, dead in removed.items() if dead.any()})

    inputs = noise_like(example, 4, generator(0, "removal"))
    difference = difference_of(shrunk, masked, inputs)
    if not difference <= TOLERANCE:
        raise RuntimeError(
            f"the shrunk {architecture_of(body).__name__} differs from the masked one by {difference:.1e} of the "
            f"spread of its logits (allowed: {TOLERANCE:.0e})"
        )
    counted = sliced(inputs, 0, 1) if counted is None else counted
    counts = RemovalCounts(
        channels_before=sum(coupling.channels for coupling in trace.couplings),
        channels_removed=_count(removed),
        channels_kept=_count(zero) - _count(removed),
        multiple=multiple,
        parameters_before=parameter_count(masked),
        parameters_after=parameter_count(shrunk),
        multiply_adds_before=multiply_adds(masked, counted),
        multiply_adds_after=multiply_adds(shrunk, counted),
        max_difference=difference,
    )
    left = {name: parameter != 0 for name, parameter in kept.named_parameters() if name in masks}
    return Removal(shrunk, counts, left, trace.couplings, trace.refusals)


def difference_of(shrunk: nn.Module, masked: nn.Module, inputs: Any) -> float:
    """Return how far two networks are apart, as `relative_difference`, where rounding may explain it in float64."""
    difference = relative_difference(tensors_of(shrunk, inputs), tensors_of(masked, inputs))
    if difference <= TOLERANCE:
        return difference
    finer = tree_map(lambda tensor: tensor.double() if tensor.is_floating_point() else tensor, inputs)
    exact = [tensors_of(copy.deepcopy(network).double(), finer) for network in (shrunk, masked)]
    return relative_difference(*exact)


def _zero(coupling: Coupling, parameters: Mapping[str, Tensor]) -> Tensor:
    """Return bool [channels]: zero in every member; one channel of a set stays in any case."""
    dead = torch.ones(coupling.channels, dtype=torch.bool)
    for member in (*coupling.producers, *coupling.followers):
        slices = parameters[member.parameter].movedim(member.dim, 0)
        nonzero = slices.reshape(len(slices), -1).ne(0).any(1)
        dead &= ~nonzero[member.index].any(1)
    return _less(dead, 1)


def _rounded(
    couplings: Sequence[Coupling], zero: Mapping[str, Tensor], parameters: Mapping[str, Tensor], round_to: int
) -> tuple[int, dict[str, Tensor]]:
    """Return which of the zero channels go, bool [channels] by set, and the multiple that the others are kept to.

    That is `round_to`, or the first of its halves at which anything goes; `round_to` again if nothing ever does.
    """
    multiple = round_to
    while True:
        removed = {
            coupling.name: _less(zero[coupling.name], _target(coupling, zero[coupling.name], parameters, step))
            for coupling in couplings
            for step in [max(multiple, min(ALIGNED, round_to)) if coupling.channels >= 2 * round_to else multiple]
        }
        gone = _count(removed)
        if gone or multiple == 1:
            return multiple if gone else round_to, removed
        multiple //= 2


def _target(coupling: Coupling, zero: Tensor, parameters: Mapping[str, Tensor], multiple: int) -> int:
    """Return how many channels of a set are kept so that each of its layers has a multiple of outputs."""

    def rounded(kept: int) -> bool:
        gone = coupling.channels - kept
        return not any(
            (parameters[member.parameter].shape[member.dim] - gone * member.index.shape[1]) % multiple
            for member in coupling.producers
        )

    enough = range(coupling.channels - int(zero.sum()), coupling.channels + 1)
    return next(filter(rounded, enough), coupling.channels)


def _less(zero: Tensor, kept: int) -> Tensor:
    """Return the zero channels, less the first of them, so that `kept` stay at least."""
    less, surplus = zero.clone(), kept - (len(zero) - int(zero.sum()))
    less[less.nonzero().flatten()[: max(surplus, 0)]] = False
    return less


def _count(channels: Mapping[str, Tensor]) -> int:
    """Return how many channels of all sets are meant."""
    return sum(int(dead.sum()) for dead in channels.values())
