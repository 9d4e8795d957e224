"""Coupled groups of several kinds in one draw."""

from typing import ClassVar, Literal

from pydantic import Field

from robust_tickets.pruning.groups.coupled_group import CoupledGroup, CoupledKind


class Several(CoupledGroup):
    """Heads and hidden neurons together, or other kinds; scope `each` has every kind compete by itself."""

    scopes: ClassVar[tuple[str, ...]] = ("global", "layer", "each")
    kind: Literal["several"] = "several"
    of: tuple[CoupledKind, ...] = Field(
        default=("head", "neuron"), min_length=1, description="What is removed: channel, neuron, head."
    )

    @property
    def kinds(self) -> tuple[CoupledKind, ...]:
        """Return which couplings it takes."""
        return self.of
