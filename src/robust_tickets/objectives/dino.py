"""DINO: self-distillation without labels, from a slow copy that sees only the large views."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

from pydantic import Field

from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.objectives.from_views import Followed
from robust_tickets.objectives.momentum import Following, MomentumCopy
from robust_tickets.objectives.objective import Criterion, Running
from robust_tickets.objectives.teacher import Teacher
from robust_tickets.objectives.views import DINOViews, Views, in_full_precision

if TYPE_CHECKING:
    from torch import Tensor

LARGE = 2
"""How many of the views the teacher sees: the first ones."""


@final
class DINO(Followed):
    """Minimise the cross-entropy between what a teacher says of the large views and the network of all other views.

    Caron et al., 2021, arXiv 2104.14294, equations 1 to 4. The teacher is a momentum copy; its answers, over
    prototypes, are centred and sharpened, so that it does not say the same of every image. What is kept is the
    network; the paper evaluates the teacher, which is what `ema` keeps. Temperatures do not rise, and no layer waits
    for an epoch.
    """

    whole_batches: ClassVar[str] = "centres each batch as a whole"
    scores_prototypes: ClassVar[bool] = True
    kind: Literal["dino"] = "dino"
    temperature: float = Field(default=0.1, gt=0, description="Of the network.")
    teacher_temperature: float = Field(default=0.04, gt=0, description="Of the teacher; lower than the network's.")
    centre: float = Field(default=0.9, ge=0, lt=1, description="Momentum of the centre of the teacher's answers.")
    momentum: float = Field(
        default=0.99,
        ge=0,
        lt=1,
        description="Of the teacher; the paper, over 100 epochs of ImageNet: 0.996 and rising.",
    )
    views: DINOViews = Field(default=DINOViews(), description="How the views are made.")

    @property
    def own_views(self) -> Views:
        """Return them."""
        return self.views

    def describe(self) -> str:
        """Return `DINO`."""
        return "DINO"

    def build(self, student: nn.Module | None = None, teacher: Teacher | None = None) -> Running:
        """Return the objective with its teacher, and a centre of zero."""
        return SelfDistilling(self, self.copy_of(student, teacher))


@final
class SelfDistilling(Following):
    """DINO under way: the teacher, and the centre of its answers."""

    def __init__(self, settings: DINO, copy: MomentumCopy) -> None:
        super().__init__(copy)
        self.settings = settings
        self.loss: Any = None

    def losses(
        self, network: nn.Module, batch: Batch, criterion: Criterion, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield the one loss of the batch, whose inputs are views [N, V, C, H, W]."""
        views = batch.inputs.unbind(1)
        taught = self.copy(torch.cat(views[:LARGE])).chunk(LARGE)
        said = network(torch.cat(views)).float().chunk(len(views))
        self._prepare(said[0].shape[1])
        with in_full_precision(said[0].device):
            found = self.loss(list(taught), list(said))
        yield found
        self.copy.follow()

    def _prepare(self, prototypes: int) -> None:
        """Make the loss once it is known how many prototypes there are."""
        from lightly.loss.dino_loss import DINOLoss

        if self.loss is None:
            settings = self.settings
            self.loss = DINOLoss(
                prototypes,
                teacher_temp=settings.teacher_temperature,
                student_temp=settings.temperature,
                center_momentum=settings.centre,
            ).to(self.copy.device)

    def after_event(self, *, rewound: bool) -> None:
        """Let the teacher take over what happened; after a rewind its answers have another centre."""
        super().after_event(rewound=rewound)
        if rewound:
            self.loss = None

    def state(self) -> dict[str, Tensor]:
        """Return the teacher, and once there is one the centre."""
        centre = {} if self.loss is None else {"centre": self.loss.center.clone()}
        return {**self.copy.state(), **centre}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take both back."""
        self.copy.load_state(state)
        self.loss = None
        if "centre" in state:
            self._prepare(state["centre"].shape[-1])
            self.loss.center.data.copy_(state["centre"])
