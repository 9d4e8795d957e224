"""What becomes of targets in training: the loss that is minimised, and the mixing of labels before it."""

from typing import get_args

from torchvision.transforms import v2

from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import global_stream
from robust_tickets.objectives import AnyObjective
from robust_tickets.objectives.objective import Criterion
from robust_tickets.tasks.task import Task
from robust_tickets.training.settings import Training

PIXELS = "pixel-inputs"


def from_views() -> str:
    """Return the objectives that learn without labels, for messages: `a, b or c`."""
    (objectives, *_) = get_args(AnyObjective)
    kinds = [one.model_fields["kind"].default for one in get_args(objectives) if one().own_views is not None]
    return f"{', '.join(kinds[:-1])} or {kinds[-1]}"


def criterion_for(
    task: Task, training: Training, lacks: frozenset[str] = frozenset(), where: str = "training"
) -> Criterion:
    """Return the loss that a training minimises.

    Args:
        task: what the network has to do.
        training: its objective, and what it does to labels.
        lacks: what the inputs do not have.
        where: which setting `training` is, for messages.

    Raises:
        UserError: the task lacks what the objective needs, or its targets cannot be mixed as they are to be.
    """
    is_text = PIXELS in lacks and "text-inputs" not in lacks
    for name in ("mixup", "cutmix"):
        if getattr(training, name) and PIXELS in lacks:
            what = "texts" if is_text else task.asks
            raise UserError(f"{where}.{name}: mixes images, but these data are {what}; set it to 0")
        if getattr(training, name) and "image-labels" not in task.provides:
            raise UserError(
                f"{where}.{name}: mixes the labels of whole images, but these data have {task.asks}; set it to 0"
            )
    training.objective.require_installed()
    if training.objective.learns_from_labels and not task.supervised:
        raise UserError(
            f"{where}.objective: {training.objective.describe()} learns from labels, and self-supervision from none; "
            f"use {from_views()}, or for labels put the images of each class into a subfolder of its own"
        )
    if missing := training.objective.required() - (task.provides - lacks):
        raise UserError(
            f"{where}.objective: {training.objective.describe()} needs {' and '.join(sorted(missing))}, which "
            f"{task.model_dump()['kind']} {'of texts ' * is_text}does not have; "
            f"use {'standard or pgd' if 'loss' in task.provides else 'standard'}"
        )
    return task.criterion(training.label_smoothing)


def mix(batch: Batch, classes: int, training: Training, seed: int, step: int) -> Batch:
    """Apply mixup or cutmix by torchvision if the training asks for it; labels become probabilities [N, C]."""
    if training.mixup:
        transform = v2.MixUp(alpha=training.mixup, num_classes=classes)
    elif training.cutmix:
        transform = v2.CutMix(alpha=training.cutmix, num_classes=classes)
    else:
        return batch
    with global_stream(seed, "mix", step):
        return Batch(*transform(*batch))
