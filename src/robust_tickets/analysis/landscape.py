"""Landscape: the loss around a network, over two directions (Li et al., 2018, arXiv 1712.09913)."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robust_tickets.analysis.loss import Reached, reached
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.seeds import generator

Direction = dict[str, Tensor]
"""Parameter name -> what a step of length 1 adds to it; parameters that do not move are absent."""


@dataclass(frozen=True)
class Landscape:
    """Loss and error of the network at every point of the grid."""

    places: tuple[float, ...]
    """Along both axes, ascending, in steps of the directions."""
    reached: tuple[tuple[Reached, ...], ...]
    """One row per point along the second direction, with one entry per point along the first."""


def random_direction(parameters: Mapping[str, Tensor], masks: Mapping[str, Tensor], seed: int, name: str) -> Direction:
    """Return a filter-normalised random direction inside a ticket's subspace.

    Every weight [out, ...] gets Gaussian entries, 0 where the mask has removed it; each filter (or neuron) d_j is
    then scaled to the length of the network's own: d_j <- d_j |w_j| / |d_j|. Biases and the scale and shift of
    norms do not move, as in the paper. Filters without a surviving weight do not move either.

    Args:
        parameters: of the network, by name.
        masks: True = kept; parameters without one move freely.
        seed: of the landscape; every parameter has its own stream under it.
        name: which of several directions.
    """
    direction: Direction = {}
    for parameter, weight in parameters.items():
        if weight.dim() < 2:
            continue
        drawn = torch.randn(weight.shape, generator=generator(seed, "landscape", name, parameter)).to(weight.device)
        if parameter in masks:
            drawn.masked_fill_(~masks[parameter].to(drawn.device), 0)
        length = lengths(drawn)
        direction[parameter] = drawn * torch.where(length > 0, lengths(weight) / length, 0)
    return direction


def lengths(weight: Tensor) -> Tensor:
    """Return the L2 length of every filter of [out, ...], shaped to broadcast over it."""
    length = torch.linalg.vector_norm(weight.detach().flatten(1), dim=1)
    return length.view(-1, *[1] * (weight.dim() - 1))


def landscape(
    network: nn.Module,
    body: str,
    directions: tuple[Direction, Direction],
    images: Sequence[Batch | tuple[Tensor, Tensor]],
    places: Sequence[float],
) -> Landscape:
    """Return loss and error of network + a first + b second, for all a and b of `places`.

    The running statistics of batch norm stay the network's own everywhere, as in the paper's code: what is seen
    is the function as deployed, not as it would be recalibrated.

    Args:
        network: is copied, not changed.
        body: module path inside `network` whose parameter names the directions use; empty: itself.
        directions: see `random_direction`.
        images: batches of (float images [N, C, H, W] in [0, 1], labels [N]), seen once a place.
        places: steps along each direction.
    """
    moved = copy.deepcopy(network)
    parameters = dict(moved.get_submodule(body).named_parameters())
    start = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    first, second = directions

    def at(a: float, b: float) -> Reached:
        with torch.no_grad():
            for name in first.keys() | second.keys():
                value = parameters[name].copy_(start[name])
                for step, direction in ((a, first), (b, second)):
                    # Adding nothing must leave every bit as it is, also where a direction is not finite.
                    if step and name in direction:
                        value.add_(direction[name], alpha=step)
        return reached(moved, images)

    return Landscape(tuple(places), tuple(tuple(at(a, b) for a in places) for b in places))
