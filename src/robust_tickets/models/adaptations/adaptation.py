"""What is recorded of an adaptation, so that the network can be rebuilt."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from robust_tickets.foundation.settings import Settings

if TYPE_CHECKING:
    from robust_tickets.models.interface import Interface
    from robust_tickets.models.network import Network


class Adaptation(Settings, ABC):
    """What a backbone gets; a subclass has a literal `kind` and fields that, with classes and size, define it."""

    @abstractmethod
    def adapted(self, network: Network, num_classes: int, interface: Interface, seed: int, name: str) -> Network:
        """Return a network made of the given one's layers, without its head, under a fresh one.

        The weights are those of `network`, which is taken apart; `AdaptedBody.place` says where they are now.

        Args:
            network: of images, or of texts.
            num_classes: number of classes that the new head tells apart.
            interface: what goes in, which takes the place of the network's own: images of another size.
            seed: the head is initialised from its stream `head`.
            name: what messages call the network.

        Raises:
            UserError: the network cannot be adapted; says why.
        """

    @property
    def classifier(self) -> Adaptation | None:
        """What makes of an adapted network one that labels whole inputs; None if nothing does."""
        return None

    def gives(self, num_classes: int) -> str:
        """Return what comes out, for messages."""
        return f"{num_classes} classes"
