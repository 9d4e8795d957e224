"""Distance: how far apart two networks are, over the weights that survive in both."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

Weights = dict[str, Tensor]
"""Parameter name -> surviving weights, float64 [K]."""


def shared_masks(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what two sets of masks both keep, of the weights that both mask; True = kept."""
    return {name: mask & second[name].to(mask.device) for name, mask in first.items() if name in second}


def survivors(state: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> Weights:
    """Return the weights that `masks` keep, as one float64 vector for each mask."""
    return {name: state[name].detach().cpu()[mask.cpu()].double() for name, mask in masks.items()}


def displacement(start: Weights, end: Weights) -> Weights:
    """Return what training added: end - start."""
    return {name: end[name] - value for name, value in start.items()}


def length(weights: Weights) -> float:
    """Return the L2 length of all weights together."""
    return math.hypot(*(torch.linalg.vector_norm(value).item() for value in weights.values()))


def distance(first: Weights, second: Weights) -> float:
    """Return the L2 distance between two networks' weights."""
    return length(displacement(first, second))


def angle(first: Weights, second: Weights) -> float | None:
    """Return the angle between two vectors of weights in degrees, in [0, 180]; None if one of them is zero.

    Kahan's formula 2 atan2(|u - v|, |u + v|) of the unit vectors u and v, which is exact for small angles, where
    the arc cosine of their product is not.
    """
    one, other = length(first), length(second)
    if not one or not other:
        return None
    u = {name: value / one for name, value in first.items()}
    v = {name: value / other for name, value in second.items()}
    apart = length({name: value - v[name] for name, value in u.items()})
    together = length({name: value + v[name] for name, value in u.items()})
    return math.degrees(2 * math.atan2(apart, together))


def angular_distance(first: Weights, second: Weights) -> float | None:
    """Return d = 2 angle / pi of two vectors of weights, in [0, 2]: 0 of one direction, 1 if orthogonal; None as above.

    The distance between solutions of Maene et al. (2021, arXiv 2106.06955), who take it on the intersection of masks.
    """
    found = angle(first, second)
    return found / 90 if found is not None else None
