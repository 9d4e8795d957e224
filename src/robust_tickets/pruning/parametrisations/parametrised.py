"""A network made ready for training under a parametrisation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import nn

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Parametrised:
    """What the loop trains, and which parts of it learn. Names are those of the body's parameters."""

    module: nn.Module
    """Called and differentiated by the loop; takes the network's inputs."""
    trainable: Mapping[str, nn.Parameter]
    learned: Mapping[str, nn.Parameter] = field(default_factory=dict)

    def trainable_parameters(self) -> Iterable[tuple[str, nn.Parameter]]:
        """Return names and parameters for the optimiser; the scores of a weight go by the weight's name."""
        return self.trainable.items()

    def scores(self) -> dict[str, Tensor]:
        """Return the learned scores by weight name, detached; empty if weights learn."""
        return {name: score.detach() for name, score in self.learned.items()}
