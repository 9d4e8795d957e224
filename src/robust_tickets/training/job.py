"""One training, described before it starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.network import Network
from robust_tickets.objectives.objective import Objective
from robust_tickets.objectives.teacher import Teacher
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.plans import Plan
from robust_tickets.tasks.classification import Classification
from robust_tickets.tasks.task import Task
from robust_tickets.training.batch_source import BatchSource, no_batches
from robust_tickets.training.drawing import Drawing
from robust_tickets.training.kept import require_keepable
from robust_tickets.training.settings import Training
from robust_tickets.training.targets import criterion_for
from robust_tickets.training.trainable import Trainable


@dataclass(frozen=True, eq=False)
class Job:
    """What is trained, on what, how, for how long, and where it is kept; `fit` does it, `require` only looks."""

    trainable: Trainable
    """The network; its weights, buffers and head are changed in place."""
    batches: BatchSource | None
    """Training and validation batches; None if the plan has no steps."""
    training: Training
    """Optimiser, schedule, objective, precision and the rest."""
    plan: Plan
    """How many steps, and which events between them."""
    seed: int
    """Order, noise, dropout and ties have their own streams under it."""
    task: Task = field(default_factory=Classification)
    """What the network has to do: the loss, and the metric that selects epochs."""
    classes: tuple[str, ...] = ()
    """Names of the classes, in the order of labels."""
    masks: Masks = field(default_factory=dict)
    """In force from the start, by parameter name; none are needed without a ticket."""
    drawing: Drawing = field(default_factory=Drawing)
    """Selection, parametrisation and rewind point of the plan's events."""
    teacher: Network | None = None
    """Whom the objective imitates, if it learns from a teacher; None: the network itself, as it is before training."""
    start: Mapping[str, Tensor] | None = None
    """The state of the body to which `rewind: pretrained` returns; None: as it is before training."""
    folder: Path | None = None
    """Keeps `checkpoint.pt` and `metrics.jsonl`; a second `fit` resumes from there, bit for bit (of several processes
    under free training, all go on with the first one's perturbation)."""
    title: str = "training"
    """Its name in the progress display."""

    @property
    def noun(self) -> str:
        """What it trains on, for messages."""
        return self.batches.noun if self.batches is not None else "examples"

    def imitated(self) -> Teacher | None:
        """Return a frozen copy of whom the objective imitates or follows; None if it learns from nobody."""
        if self.training.objective.follows_itself:
            return Teacher.copied(self.trainable.network, self.trainable.body)
        if self.training.objective.teaches_by is None:
            return None
        if self.teacher is not None:
            return Teacher.copied(self.teacher, self.teacher.body)
        return Teacher.copied(self.trainable.network, self.trainable.body)

    def require(self) -> None:
        """Refuse, without training anything, a job that could not start.

        Raises:
            UserError: there are no images to train on, labels are to be mixed that cannot be, epochs are to be selected
                without a validation part, or where events decide, or a batch norm would see one image alone.
        """
        # Epochs of no batches are no steps.
        epochs = self.training.epochs if self.batches is not None and not self.plan.events else 0
        if (self.plan.steps or epochs) and (self.batches is None or not self.batches.per_epoch):
            raise no_batches(self.batches, self.noun)
        if self.plan.steps:
            criterion_for(self.task, self.training, self.batches.lacks if self.batches is not None else frozenset())
        if self.trainable.linear and not self.trainable.heads:
            raise UserError("mode: linear: a generator has no head that could train alone; use mode: full")
        if self.training.keep == "steadiest" and "pictures" not in self.task.provides:
            raise UserError("training.keep: steadiest: is for a single picture; use best or last")
        require_shapes_to_last(self.training.objective, self.plan)
        require_keepable(self.training, self.batches, self.plan)
        if self.batches is not None:
            self.batches.require_for(self.trainable)


def require_shapes_to_last(objective: Objective, plan: Plan) -> None:
    """Refuse an objective that holds a network whose channels go against one that keeps them all.

    Raises:
        UserError: says what it compares.
    """
    compared = "layers" if objective.compares_layers else "weights"
    if plan.removes_channels and (objective.follows_itself or objective.reads_weights or objective.compares_layers):
        raise UserError(
            f"training.objective: {objective.describe()} compares {compared} with those of a whole network, and this "
            "timeline takes channels out of the network; use another timeline"
        )
