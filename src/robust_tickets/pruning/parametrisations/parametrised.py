"""A network made ready for training under a parametrisation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Parametrised:
    """What the loop trains, and what of it learns."""

    module: nn.Module
    """Called and differentiated by the loop; takes the network's inputs."""
    trainable: Mapping[str, nn.Parameter]
    """Parameters for the optimiser, by name inside `module`."""
    scores: Mapping[str, Tensor] = field(default_factory=dict)
    """Learned scores by weight name; empty where weights learn."""
