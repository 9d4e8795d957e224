"""The groups of each layer among themselves."""

from collections.abc import Mapping
from typing import Literal

from robust_tickets.pruning.partitions import PruningUnit
from robust_tickets.pruning.ranking import exact_count
from robust_tickets.pruning.scopes.scope import Minimum, PruningPool, Scope, least_kept


class LayerScope(Scope):
    """A pool per layer: floor(s G + 1/2) of the G groups of each are removed, but never the last `minimum`.

    So a layer of 8 filters keeps one at a sparsity of 0.97, where rounding alone would remove all 8; the ticket's
    sparsity then says what it really is.
    """

    kind: Literal["layer"] = "layer"
    minimum: Minimum = None

    def pools(self, units: Mapping[str, PruningUnit], sparsity: float) -> list[PruningPool]:
        """Return one pool per unit."""
        return [
            PruningPool((name,), min(exact_count(sparsity, unit.groups), unit.groups - least_kept(unit, self.minimum)))
            for name, unit in units.items()
        ]
