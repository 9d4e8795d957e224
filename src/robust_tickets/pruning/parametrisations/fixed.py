"""Weights train; masks do not change between events."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar, Literal

from robust_tickets.foundation.lazy import nn
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.parametrisations.parametrisation import Parametrisation
from robust_tickets.pruning.parametrisations.parametrised import Parametrised
from robust_tickets.pruning.select import Selection


class Fixed(Parametrisation):
    """Weights train under a fixed mask. The module is the network itself; the loop holds the mask."""

    changes_weights: ClassVar[bool] = False
    kind: Literal["fixed"] = "fixed"

    def build(
        self,
        network: nn.Module,
        body: nn.Module,
        names: Collection[str],
        *,
        selection: Selection,
        sparsity: float,
        couplings: Sequence[Coupling] = (),
        is_head: Callable[[str], bool] = lambda name: False,
        seed: int = 0,
    ) -> Parametrised:
        """Return the network and all parameters of its body; see `Parametrisation.build` for the rest."""
        return Parametrised(network, dict(body.named_parameters()))
