"""Every kind of group by itself."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from robust_tickets.foundation.settings import Settings, Sparsity
from robust_tickets.pruning.partitions import PruningUnit
from robust_tickets.pruning.scopes.global_ import GlobalScope
from robust_tickets.pruning.scopes.layer import LayerScope
from robust_tickets.pruning.scopes.scope import PruningPool, Scope


class Within(Settings):
    """Where the groups of one kind compete, and how many of them go."""

    scope: Literal["global", "layer"] = Field(
        default="layer", description="global: all of the kind together. layer: those of each layer among themselves."
    )
    sparsity: Sparsity | None = Field(
        default=None, description="Fraction of the kind's groups removed, in [0, 1); absent: that of the draw."
    )

    def pools(self, units: Mapping[str, PruningUnit], sparsity: float) -> list[PruningPool]:
        """Return the pools of the units of one kind; none if there are no units."""
        scope = GlobalScope() if self.scope == "global" else LayerScope()
        return scope.pools(units, sparsity if self.sparsity is None else self.sparsity) if units else []


class EachScope(Scope):
    """Heads against heads and neurons against neurons: scores of different kinds of groups do not compare.

    EarlyBERT ranks heads within layers and removes a third of them, neurons globally (Chen et al., 2021,
    arXiv 2101.00063).
    """

    kind: Literal["each"] = "each"
    head: Within = Field(default=Within(), description="Attention heads.")
    neuron: Within = Field(default=Within(scope="global"), description="Hidden neurons.")
    channel: Within = Field(default=Within(), description="Channels of convolutions.")

    def pools(self, units: Mapping[str, PruningUnit], sparsity: float) -> list[PruningPool]:
        """Return the pools of each kind."""
        return [
            pool
            for kind, within in (("head", self.head), ("neuron", self.neuron), ("channel", self.channel))
            for pool in within.pools({name: unit for name, unit in units.items() if unit.kind == kind}, sparsity)
        ]
