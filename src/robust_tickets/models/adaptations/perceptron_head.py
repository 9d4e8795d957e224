"""What a backbone gets to label whole images by two layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from robust_tickets.models.adaptations.adaptation import Adaptation

if TYPE_CHECKING:
    from robust_tickets.models.interface import Interface
    from robust_tickets.models.network import Network


class PerceptronHead(Adaptation):
    """Two linear layers with a ReLU between them in the place of the last layer (Mehta, 2019, arXiv 1905.07785)."""

    kind: Literal["perceptron"] = "perceptron"
    hidden: int = Field(default=512, ge=1, description="Width of the hidden layer.")

    def adapted(self, network: Network, num_classes: int, interface: Interface, seed: int, name: str) -> Network:
        """Return a network with such a head; see `perceptron.py`."""
        from robust_tickets.models.adaptations.perceptron import under_perceptron

        return under_perceptron(network, self, num_classes, interface, seed, name)

    @property
    def classifier(self) -> PerceptronHead:
        """It labels whole inputs as it is."""
        return self
