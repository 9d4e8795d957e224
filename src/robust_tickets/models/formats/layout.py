"""The bare tensors of an architecture, as found in a checkpoint, and what else the checkpoint says."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
    normaliser: str = "the checkpoint"
    """Who says so: the checkpoint, or the code that its names are known from."""
    duplicates: frozenset[str] = frozenset()
    """Names, in the checkpoint, of second copies of its tensors."""
    masks: dict[str, Tensor] = field(default_factory=dict)
    """Weight name -> bool tensor of its shape, True = kept, of weights that were pruned before they were saved."""
    reparametrised: Mapping[str, int] = field(default_factory=dict)
    """How many weights were put together from parts, by the name of what they were in parts for."""
    code: str = ""
    """Whose names the tensors had, if they are another code's than the architecture's, or whose training wrote them."""
    instead_of_head: str = ""
    """What the last layer is, in words, if self-supervised training left no classifier there; it may look like one."""
    unknown: tuple[str, ...] = ()
    """Weights under a parametrisation whose code is not known."""
    notes: tuple[str, ...] = ()
    """What was chosen, assumed or left out."""


def strip(state: State, prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
