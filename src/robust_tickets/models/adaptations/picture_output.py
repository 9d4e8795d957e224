"""What is recorded of a generator: that pictures come out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, final

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adaptation import Adaptation

if TYPE_CHECKING:
    from robust_tickets.models.interface import Interface
    from robust_tickets.models.network import Network


@final
class PictureOutput(Adaptation):
    """A network from whose layers a picture comes out; no other network can be made one."""

    kind: Literal["picture"] = "picture"

    def adapted(self, network: Network, num_classes: int, interface: Interface, seed: int, name: str) -> Network:
        """Refuse.

        Raises:
            UserError: says which networks are generators.
        """
        raise UserError(f"{name}: takes {network.interface.noun}, and only a generator restores a picture: prior/unet6")

    def gives(self, num_classes: int) -> str:
        """Return that a picture comes out."""
        return f"a picture of {num_classes} channel{'s' * (num_classes > 1)}"
