"""Weights train; masks stand still between events."""

from collections.abc import Sequence
from typing import Literal

from torch import nn

from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.parametrisations.parametrised import Parametrised
from robust_tickets.pruning.select import Selection


class Fixed(Settings):
    """Weights train under a fixed mask. The module is the network itself; the loop holds the mask."""

    kind: Literal["fixed"] = "fixed"

    def build(
        self,
        network: nn.Module,
        names: Sequence[str],
        selection: Selection,
        sparsity: float,
        *,
        head: Sequence[str] = (),
        couplings: Sequence[Coupling] = (),
        seed: int = 0,
    ) -> Parametrised:
        """Return the network with every parameter that requires a gradient; the other arguments play no part."""
        trainable = {name: value for name, value in network.named_parameters() if value.requires_grad}
        return Parametrised(network, trainable)
