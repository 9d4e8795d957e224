"""What an attack may move of a network's inputs: the pixels of images, the word embeddings of texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

    from robust_tickets.foundation.lazy import nn


@dataclass(frozen=True, eq=False)
class Space:
    """Where the points of an attack may lie, besides the ball."""

    box: tuple[float, float] | None = (0.0, 1.0)
    """The least and the greatest value of a coordinate; None: any value."""
    movable: Tensor | None = None
    """1 where a coordinate may move and 0 where not, broadcastable to the points; None: all may."""

    def inside(self, points: Tensor) -> Tensor:
        """Return the nearest points in the box."""
        return points if self.box is None else points.clamp(*self.box)

    def of(self, indices: Tensor) -> Space:
        """Return the space of some of the points."""
        return self if self.movable is None else Space(self.box, self.movable[indices])

    def allowed(self, moves: Tensor) -> Tensor:
        """Return moves without those of coordinates that stay."""
        return moves if self.movable is None else moves * self.movable


PIXELS = Space()
"""Images in [0, 1], all of whose pixels may move."""


@dataclass(frozen=True, eq=False)
class Perturbable:
    """Inputs, as an attack sees them.

    Attributes:
        point: float [N, ...]: what may be moved; gradients flow to the table that it was looked up in.
        inputs: from points of this shape to what the network takes.
        space: where points may lie.
    """

    point: Tensor
    inputs: Callable[[Tensor], Any]
    space: Space = PIXELS

    def trained_on(self, points: Tensor) -> Any:
        """Return attacked inputs to train on: what `point` was looked up in still learns from them."""
        if not self.point.requires_grad:
            return self.inputs(points)
        return self.inputs(self.point + (points - self.point).detach())


@runtime_checkable
class HasPerturbable(Protocol):
    """A network that says itself what may be moved of its inputs."""

    def perturbable(self, inputs: Any) -> Perturbable:
        """Return what an attack may move."""
        ...


def perturbable(network: nn.Module, inputs: Any) -> Perturbable:
    """Return what an attack may move of the inputs of a network, which may be wrapped: by default all of images.

    Args:
        network: which the inputs go into.
        inputs: of a batch.
    """
    owner = next((module for module in network.modules() if isinstance(module, HasPerturbable)), None)
    return owner.perturbable(inputs) if owner is not None else Perturbable(inputs, same)


def same(point: Tensor) -> Tensor:
    """Return the points: they are what the network takes."""
    return point
