"""What a network gets to learn from views without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from robust_tickets.foundation.settings import Settings
from robust_tickets.models.adaptations.adaptation import Adaptation

if TYPE_CHECKING:
    from torch import Tensor

    from robust_tickets.models.interface import Interface
    from robust_tickets.models.network import Network


class ProjectionHead(Adaptation):
    """A projector in the place of the last layer, for training; in evaluation the network gives its features.

    That is a hidden layer and a linear one, as in SimCLR (Chen et al., 2020, arXiv 2002.05709) and MoCo v2; with
    `prototypes` two hidden layers, a bottleneck, and cosines with prototypes, as in DINO (Caron et al., 2021).
    """

    kind: Literal["projection"] = "projection"
    hidden: int | None = Field(default=None, ge=1, description="Width of hidden layers; absent: that of the features.")
    prototypes: bool = Field(default=False, description="Whether the outputs are scores of prototypes.")

    def adapted(self, network: Network, num_classes: int, interface: Interface, seed: int, name: str) -> Network:
        """Return a network with such a projector, `num_classes` wide; see `projection.py`."""
        from robust_tickets.models.adaptations.projection import under_projector

        return under_projector(network, self, num_classes, interface, seed, name)

    def gives(self, num_classes: int) -> str:
        """Return what comes out, for messages."""
        return "features"


class ProjectorRecord(Settings):
    """What is recorded of the projector that a network was pretrained under."""

    head: ProjectionHead
    outputs: int = Field(ge=2, description="Width of its outputs.")
    digest: str = Field(description="`sha256:...` over the names, shapes and bytes of its tensors.")


@dataclass(frozen=True, eq=False)
class Projector:
    """The projector that a network was pretrained under, kept beside it: it is no part of the architecture."""

    head: ProjectionHead
    outputs: int
    """Width of its outputs."""
    state: dict[str, Tensor]
    """Its tensors by name, on the CPU."""
