"""What a layout of checkpoints offers: whether it is one's own, and the architecture's bare tensors."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Unwrapped:
    """The bare tensors of an architecture, as found in a checkpoint."""

    state: dict[str, Tensor]
    layout: str
    """The layout recognised, in words."""
    mean: tuple[float, ...] | None = None
    """Mean of the checkpoint's own normaliser, for images in [0, 1]; None if it has none."""
    std: tuple[float, ...] | None = None
    duplicates: frozenset[str] = frozenset()
    """Names, in the checkpoint, of second copies of its tensors."""


class Layout(Protocol):
    """One way to lay out a checkpoint."""

    def unwrap(self, state: State, wanted: Set[str]) -> Unwrapped | None:
        """Return the bare tensors, or None if the keys are not of this layout.

        `wanted` holds the names of the architecture's own tensors.
        """
        ...


def strip(state: State, prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
