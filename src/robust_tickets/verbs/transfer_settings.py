"""How a ticket, or dense, is trained on a target."""

from typing import Any, Literal

from pydantic import Field

from robust_tickets.foundation.settings import Settings
from robust_tickets.models.segmentation_settings import SegmentationSettings
from robust_tickets.training.optimisers import AdamW
from robust_tickets.training.settings import Training

Head = Literal["fresh", "keep"]
"""Whether a network gets a new last layer for the target's classes."""

FINETUNING = Training(epochs=20, batch_size=32, optimiser=AdamW(lr=3e-4, weight_decay=0.01), head_lr=1e-3, warmup=1)
"""What a transfer does unless told otherwise. AdamW, because its steps keep their length whatever a network's scale
and however much of it was removed: one set of rates serves networks with and without batch norm."""


class TransferSettings(Settings):
    """How a network is trained on its target; the same for ticket and dense, or they cannot be compared."""

    mode: Literal["full", "linear"] = Field(
        default="full",
        description="full: all surviving weights train; linear: the head alone, on images not augmented.",
    )
    bn: Literal["source", "recalibrated", "batch"] = Field(
        default="source",
        description="Batch norm under linear: the source's statistics; computed once from the target's training "
        "images; or updated throughout (Salman et al., 2020). Full transfer always updates them.",
    )
    head: Head = Field(
        default="fresh",
        description="fresh: a new last layer for the target's classes; keep: the one that is there.",
    )
    segmentation: SegmentationSettings | None = Field(
        default=None,
        description="Where the data label pixels: head and output stride of the network; absent: a deeplabv3 head.",
    )
    training: Training = Field(default=FINETUNING, description="Epochs, optimiser, objective and the rest.")
    seeds: tuple[int, ...] = Field(
        default=(0, 1, 2),
        min_length=1,
        description="One run for each; decides head, order, fraction and attack noise.",
    )

    @property
    def comparable(self) -> dict[str, Any]:
        """Return what decides the result of a seed, as plain values."""
        return self.model_dump(mode="json", exclude={"seeds": True, "training": {"checkpoint_seconds"}})

    def describe(self) -> str:
        """Return a few words for tables, such as `linear (bn source), standard`."""
        bn = f" (bn {self.bn})" if self.mode == "linear" else ""
        head = f" ({self.segmentation.head})" if self.segmentation is not None else ""
        return f"{self.mode}{bn}{head}, {self.training.objective.describe()}"
