"""What every parametrisation can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from robust_tickets.foundation.lazy import nn
from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.needs import NOTHING
from robust_tickets.pruning.parametrisations.parametrised import Parametrised
from robust_tickets.pruning.select import Selection


class Parametrisation(Settings, ABC):
    """How masks are applied to weights in the forward pass, and what trains."""

    needs: ClassVar[frozenset[str]] = NOTHING
    provides: ClassVar[frozenset[str]] = NOTHING
    learns_once: ClassVar[bool] = False
    """Whether it trains alike whatever the sparsity, so that one training gives tickets of several."""

    is_coupled: ClassVar[bool] = False
    """Whether it reads the couplings of channels, whatever the group."""

    changes_weights: ClassVar[bool] = True
    """Whether the forward pass sees other weights than those that train."""

    says_sparsity: ClassVar[bool] = False
    """Whether training under it decides how much is removed where no target is given."""

    @abstractmethod
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
        """Make a network ready for training.

        Args:
            network: maps inputs to outputs; called in the forward pass.
            body: the plain architecture inside `network`, or `network` itself. Its parameter names are used.
            names: prunable weights.
            selection: how masks are selected.
            sparsity: at which masks are learned, in [0, 1); unused if weights learn.
            couplings: for coupled groups.
            is_head: whether a parameter name belongs to the head.
            seed: of the draw.
        """
