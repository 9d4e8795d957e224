"""The groups of each layer among themselves."""

from collections.abc import Mapping
from typing import Literal

from robust_tickets.foundation.settings import Settings
from robust_tickets.pruning.partitions import Unit
from robust_tickets.pruning.ranking import exact_count
from robust_tickets.pruning.scopes.scope import Pool


class LayerScope(Settings):
    """A pool per layer: floor(s G + 1/2) of the G groups of each are removed."""

    kind: Literal["layer"] = "layer"

    def pools(self, units: Mapping[str, Unit], sparsity: float) -> list[Pool]:
        """Return one pool per unit."""
        return [Pool((name,), exact_count(sparsity, unit.groups)) for name, unit in units.items()]
