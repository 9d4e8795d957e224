"""The content of `ticket.json`: everything about a ticket but its tensors."""

from typing import Any, Literal

from pydantic import Field

from robust_tickets.foundation.settings import Settings
from robust_tickets.models.identity import SourceIdentity

FORMAT = 1


class TicketFile(Settings):
    """The content of `ticket.json`."""

    format: int = Field(default=FORMAT, description="Version of this layout.")
    source: SourceIdentity
    init: Literal["source", "stored"] = Field(description="Where the surviving weights start from.")
    recalibrated: bool = Field(
        default=False, description="Whether batch-norm statistics computed under the masks are stored with them."
    )
    sparsity: float = Field(ge=0, le=1, description="Fraction of prunable weights removed.")
    prunable: tuple[str, ...] = Field(description="Parameters that sparsity counts.")
    left_out: dict[str, str] = Field(
        default_factory=dict,
        description="Weights of layers that were left dense, and why; absent in tickets of older versions.",
    )
    shapes: dict[str, tuple[int, ...]] = Field(description="Shape of every masked parameter.")
    digest: str = Field(description="sha256 over masks, stored weights, source hash and preprocessing.")
    recipe: dict[str, Any] = Field(description="Settings the ticket was drawn with.")
    provenance: dict[str, Any] = Field(description="Versions and data that were used.")
