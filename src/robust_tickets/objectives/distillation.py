"""Distillation: the network learns from a dense teacher, besides its task or in its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, final

from pydantic import Field, model_validator

from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.objectives.hidden_states import caught, distance, named_layers
from robust_tickets.objectives.objective import Criterion, Objective, Running
from robust_tickets.objectives.teacher import SOURCE, Teacher

if TYPE_CHECKING:
    from torch import Tensor


@final
class Distillation(Objective):
    """Minimise task * criterion + soft_labels * T^2 KL(teacher || network) + hidden * mean over layers of (1 - cosine).

    Soft labels at temperature T are those of Hinton, Vinyals and Dean (2015, arXiv 1503.02531, section 2), of whatever
    the task classifies; where it gives numbers, the mean squared difference of both takes the place of T^2 KL. Hidden
    states are compared as in TAMT-KD (Liu et al., 2022, arXiv 2204.11218). The teacher is in evaluation mode and does
    not train. It sees the inputs as the network sees them, augmented alike.
    """

    kind: Literal["distillation"] = "distillation"
    teacher: str = Field(
        default=SOURCE,
        min_length=1,
        description="source: the dense network as it is before this training (of a draw with `finetune`, the finetuned "
        "one). Otherwise a network by name or folder, such as the folder of a finished run's seed.",
    )
    task: float = Field(default=1.0, ge=0, description="Weight of the task's own loss; 0 leaves it out.")
    soft_labels: float = Field(
        default=1.0, ge=0, description="Weight of T^2 KL(teacher || network) over classes, or of squares of numbers."
    )
    temperature: float = Field(default=2.0, gt=0, description="T, which divides the logits of both.")
    hidden: float = Field(default=0.0, ge=0, description="Weight of the hidden states' mean 1 - cosine.")
    layers: tuple[str, ...] = Field(
        default=(),
        description="Whose outputs are hidden states: glob patterns over module paths of the body, such as "
        "`encoder.layer.*` or `layer[1-4]`; empty: its repeated blocks, or, if it has none, all layers but the last.",
    )

    @model_validator(mode="after")
    def _teaches(self) -> Distillation:
        if not self.soft_labels and not self.hidden:
            raise ValueError(
                "distillation with soft_labels 0 and hidden 0 learns nothing from its teacher; use standard"
            )
        return self

    @property
    def teaches_by(self) -> str:
        """Return the teacher by name."""
        return self.teacher

    @property
    def reads_teachers_logits(self) -> bool:
        """Return whether the teacher's head matters."""
        return self.soft_labels > 0

    @property
    def compares_layers(self) -> bool:
        """Whether hidden states have a weight."""
        return self.hidden > 0

    @property
    def learns_from_labels(self) -> bool:
        """Whether the task's own loss has a weight."""
        return self.task > 0

    def required(self) -> frozenset[str]:
        """Return `imitation` where there are soft labels; hidden states need nothing."""
        return frozenset({"imitation"} if self.soft_labels else ())

    def describe(self) -> str:
        """Return for example `distillation of soft labels (T 2) and the task, from source`."""
        parts = [
            *([f"soft labels (T {self.temperature:g})"] if self.soft_labels else []),
            *(["hidden states"] if self.hidden else []),
            *(["the task"] if self.task else []),
        ]
        return f"distillation by {' and '.join(parts)}, from {self.teacher}"

    def build(self, student: nn.Module | None = None, teacher: Teacher | None = None) -> Running:
        """Return the objective with its teacher.

        Raises:
            UserError: layers whose outputs are to be compared are missing in one of the two.
        """
        if student is None or teacher is None:
            raise ValueError("distillation needs a network and a teacher")
        layers = named_layers(student, self.layers) if self.hidden else []
        known = {path for path, _ in teacher.body.named_modules()}
        if missing := [path for path in layers if path not in known]:
            raise UserError(
                f"hidden states: the teacher {self.teacher} has no layer {missing[0]}; use a teacher of the same "
                "architecture, or soft labels alone"
            )
        return Imitation(self, student, teacher, layers)


@final
class Imitation(Running):
    """Distillation under way; it keeps nothing from batch to batch."""

    def __init__(self, settings: Distillation, student: nn.Module, teacher: Teacher, layers: list[str]) -> None:
        self.settings, self.student, self.teacher, self.layers = settings, student, teacher, layers

    def losses(
        self, network: nn.Module, batch: Batch, criterion: Criterion, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield the one loss of the batch."""
        settings = self.settings
        with torch.no_grad(), caught(self.teacher.body, self.layers) as theirs:
            taught = self.teacher.network(batch.inputs)
        with caught(self.student, self.layers) as ours:
            outputs = network(batch.inputs)
        terms = []
        if settings.task:
            terms.append(settings.task * criterion(outputs, batch.targets))
        if settings.soft_labels:
            apart = criterion.imitation(outputs, taught, batch.targets, settings.temperature)
            terms.append(settings.soft_labels * apart)
        if settings.hidden:
            terms.append(settings.hidden * distance(ours, theirs, batch.counted))
        yield torch.stack(terms).sum()
