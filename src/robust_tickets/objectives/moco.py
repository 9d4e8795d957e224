"""MoCo v2: one view of an image is told from the other views of the last few thousand images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

from pydantic import Field

from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.foundation.seeds import global_stream
from robust_tickets.objectives.from_views import Followed, in_several_processes
from robust_tickets.objectives.momentum import Following, MomentumCopy
from robust_tickets.objectives.objective import Criterion, Running
from robust_tickets.objectives.teacher import Teacher
from robust_tickets.objectives.views import MoCoViews, Views, in_full_precision

if TYPE_CHECKING:
    from torch import Tensor


@final
class MoCo(Followed):
    """Minimise the cross-entropy of a view's partner, seen by a momentum encoder, among the ones it saw before.

    He et al., 2020, arXiv 1911.05722, equation 1, with the views and the projector of version 2 (Chen et al., 2020,
    arXiv 2003.04297). What the momentum encoder said is queued, so that there is much to tell apart in small batches.
    Keys are not shuffled over processes (section 3.3 of the first paper): batch norm sees each process's own part.
    """

    whole_batches: ClassVar[str] = "queues each batch as a whole"
    kind: Literal["moco"] = "moco"
    temperature: float = Field(default=0.2, gt=0, description="By which cosines are divided.")
    queue: int = Field(
        default=4096,
        ge=1,
        description="Views that are remembered: a multiple of the batch size, and fewer than there are images, since "
        "the queue would otherwise hold the image itself among those it is told from. The paper: 65536.",
    )
    momentum: float = Field(
        default=0.99, ge=0, lt=1, description="Of the momentum encoder; the paper, over 200 epochs of ImageNet: 0.999."
    )
    views: MoCoViews = Field(default=MoCoViews(), description="How the two views are made.")

    @property
    def own_views(self) -> Views:
        """Return them."""
        return self.views

    def describe(self) -> str:
        """Return `MoCo v2`."""
        return "MoCo v2"

    def build(self, student: nn.Module | None = None, teacher: Teacher | None = None) -> Running:
        """Return the objective with a momentum encoder and a queue of noise."""
        return Queueing(self, self.copy_of(student, teacher))


@final
class Queueing(Following):
    """MoCo under way: the momentum encoder, and what it said last."""

    def __init__(self, settings: MoCo, copy: MomentumCopy) -> None:
        super().__init__(copy)
        self.settings = settings
        self.loss: Any = None

    def losses(
        self, network: nn.Module, batch: Batch, criterion: Criterion, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield the one loss of the batch, whose inputs are views [N, 2, C, H, W]."""
        query, key = batch.inputs.unbind(1)
        keys = self.copy(key)
        queries = network(query).float()
        self._prepare(queries.shape[1])
        with in_full_precision(queries.device):
            found = self.loss(queries, keys)
        yield found
        self.copy.follow()

    def _prepare(self, width: int) -> None:
        """Make the loss, whose queue is as wide as the projections, once that is known."""
        from lightly.loss.ntx_ent_loss import NTXentLoss

        if self.loss is None:
            with global_stream(0, "queue"):
                self.loss = NTXentLoss(
                    self.settings.temperature,
                    memory_bank_size=(self.settings.queue, width),
                    gather_distributed=in_several_processes(),
                )
            self.loss.to(self.copy.device)

    def after_event(self, *, rewound: bool) -> None:
        """Let the copy take over what happened; what it said before a rewind is forgotten."""
        super().after_event(rewound=rewound)
        if rewound:
            self.loss = None

    def state(self) -> dict[str, Tensor]:
        """Return the momentum encoder, and once there is one the queue, which lightly does not keep in its state."""
        bank = self.loss.memory_bank if self.loss is not None else None
        queued = {} if bank is None else {"queue": bank.bank.clone(), "place": bank.bank_ptr.clone()}
        return {**self.copy.state(), **queued}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take both back."""
        self.copy.load_state(state)
        self.loss = None
        if "queue" in state:
            self._prepare(state["queue"].shape[1])
            self.loss.memory_bank.bank.copy_(state["queue"])
            self.loss.memory_bank.bank_ptr.copy_(state["place"])
