"""All groups of the network against each other."""

from collections.abc import Mapping
from typing import Literal

from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.partitions import PruningUnit
from robust_tickets.pruning.ranking import exact_count
from robust_tickets.pruning.scopes.scope import PruningPool


class GlobalScope(Settings):
    """One pool: floor(s G + 1/2) of all G groups are removed, wherever they are."""

    kind: Literal["global"] = "global"

    def pools(self, units: Mapping[str, PruningUnit], sparsity: float) -> list[PruningPool]:
        """Return the one pool of all units."""
        return [PruningPool(tuple(units), exact_count(sparsity, sum(unit.groups for unit in units.values())))]
