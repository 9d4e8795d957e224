"""Copies of a head that train side by side on the same features, each at its own learning rate."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from robust_tickets.measures.figure import goodness
from robust_tickets.tasks.task import Task
from robust_tickets.training.batch_source import FeatureBatches
from robust_tickets.training.job import Job
from robust_tickets.training.loop import fit
from robust_tickets.training.result import TrainingResult
from robust_tickets.training.trainable import Trainable


class HeadsTogether(nn.Module):
    """Calls all heads on the same features; they share batches, and nothing else."""

    def __init__(self, head: nn.Module, count: int) -> None:
        """Copy a head so many times."""
        super().__init__()
        self.heads = nn.ModuleList(copy.deepcopy(head) for _ in range(count))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [N, C, heads] of features [N, ...].

        The loss is their mean over heads; each head's gradient is that of its own loss all the same.
        """
        logits = torch.stack([head(features) for head in self.heads], dim=-1)
        return logits + (len(self.heads) - 1) * (logits - logits.detach())


@dataclass(frozen=True, eq=False)
class HeadSearch:
    """Which learning rates a head is trained at, and the features it is trained and compared on."""

    rates: Sequence[float]
    train: tuple[Tensor, Tensor]
    """Features [N, ...] and class indices [N]."""
    validation: tuple[Tensor, Tensor]

    def run(self, job: Job, head: nn.Module) -> TrainingResult:
        """Train a copy of the head at each rate; `head` gets the weights of the one that is best on validation.

        Of equal ones, that of the rate named first is taken.

        Args:
            job: how; its network, batches and plan are replaced. Its masks are those of the head.
            head: maps features to logits.
        """
        features, labels = self.train
        together, numbers = HeadsTogether(head, len(self.rates)), range(len(self.rates))
        batches = FeatureBatches(
            (features, labels[:, None].expand(-1, len(self.rates))), None, job.training.batch_size, job.seed, job.noun
        )
        rates = {place(number, name): self.rates[number] for number in numbers for name, _ in head.named_parameters()}
        masks = {place(number, name): mask for number in numbers for name, mask in job.masks.items()}
        trainable = replace(Trainable.of_head(together), rates=rates)
        result = fit(
            replace(job, trainable=trainable, batches=batches, plan=job.training.plan(batches.per_epoch), masks=masks)
        )
        scores = [self.score(job, one) for one in together.heads]
        metric = job.task.metric(job.classes)
        best = max(range(len(scores)), key=lambda number: goodness(metric, scores[number]))
        head.load_state_dict(together.heads[best].state_dict())
        return replace(result, validation=scores[best], rate=self.rates[best])

    def score(self, job: Job, head: nn.Module) -> float:
        """Return what a head reaches on validation."""
        metric = job.task.metric(job.classes)
        device = next(head.parameters()).device  # where it was trained; features may lie elsewhere
        with evaluation_mode(head, device) as predict:
            return metric.value(metric.measured(predict, [self.validation])[0])


def place(number: int, name: str) -> str:
    """Return where a parameter of one of the heads is among all of them."""
    return f"heads.{number}.{name}"


def require_comparable(task: Task, splits: DataSplits) -> None:
    """Refuse rates that could not be compared.

    Raises:
        UserError: labels are not one class each, or there is no validation part.
    """
    if "image-labels" not in task.provides:
        raise UserError(
            f"{splits.name}: rates are for one class per input, but has {splits.target_words}; leave them out"
        )
    if not len(splits.validation):
        raise UserError(f"{splits.name}: rates are compared on validation; set data.validation above 0")
