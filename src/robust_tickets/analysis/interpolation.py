"""Interpolation: the straight line between two networks, and the barrier on it."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from robust_tickets.analysis.loss import Reached, reached
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.network import Network
from robust_tickets.training.batch_norm import recalibrate

Batches = Sequence[Batch | tuple[Tensor, Tensor]]
"""Pairs of float images [N, C, H, W] in [0, 1] and labels [N]."""


@dataclass(frozen=True)
class Path:
    """Loss and error of the networks on a straight line."""

    places: tuple[float, ...]
    """Shares of the second network, ascending from 0 to 1."""
    reached: tuple[Reached, ...]
    """One per point."""

    @property
    def barrier(self) -> float:
        """Return the highest error on the line minus the mean of its ends, in [0, 1].

        Linear mode connectivity's instability (Frankle et al., 2020, arXiv 1912.05671, section 2): two networks
        of a barrier near 0 (theirs: below 2 points) lie in one linearly connected minimum.
        """
        return barrier([place.error for place in self.reached])

    @property
    def rise(self) -> float:
        """Return by how much the error rises above the straight line between those of the ends, at most, in [0, 1].

        For ends that are not alike: where one is worse by itself, the barrier would be half of that without any rise.
        """
        start, end = self.reached[0].error, self.reached[-1].error
        chord = ((1 - place) * start + place * end for place in self.places)
        return max(one.error - level for one, level in zip(self.reached, chord, strict=True))

    @property
    def loss_barrier(self) -> float:
        """Return the highest loss on the line minus the mean of its ends, nats, at least 0."""
        return barrier([place.loss for place in self.reached])


def barrier(values: Sequence[float]) -> float:
    """Return the highest of the values along a path minus the mean of the first and the last."""
    return max(values) - (values[0] + values[-1]) / 2


def interpolate(
    first: Network,
    second: Network,
    images: Batches,
    places: Sequence[float],
    recalibration: Batches | None = None,
) -> Path:
    """Return what (1 - t) first + t second reaches for every t of `places`: all parameters, head included.

    Args:
        first: one end; neither is changed.
        second: the other end, of the same architecture and classes. Weights removed from both are zero all along.
        images: batches on which loss and error are taken.
        places: values of t, in [0, 1]; 0 and 1 give the ends bit for bit.
        recalibration: training batches on which batch-norm statistics are recomputed at every point, ends
            included; None: the statistics too lie on the line between the ends'.

    Raises:
        UserError: parameters of other names or shapes.
    """
    start, end = first.body.state_dict(), second.body.state_dict()
    different = [name for name in start if name not in end or end[name].shape != start[name].shape]
    if different or len(start) != len(end):
        names = different or [name for name in end if name not in start]
        raise UserError(
            f"no line joins networks with different parameters: {names[0]} differs; compare transfers of one ticket"
        )
    moved = copy.deepcopy(first)
    state = moved.body.state_dict()
    found: list[Reached] = []
    for place in places:
        with torch.no_grad():
            for name, value in state.items():
                if value.is_floating_point():
                    value.copy_(torch.lerp(start[name], end[name].to(value.device), place))
        if recalibration is not None:
            recalibrate(moved, recalibration)
        found.append(reached(moved, images))
    return Path(tuple(places), tuple(found))
