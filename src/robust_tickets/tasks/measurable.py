"""Whether what is to be measured fits a task and its data, tested before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from robust_tickets.measures.evaluation import Evaluation
from robust_tickets.measures.measure import Measure
from robust_tickets.tasks.task import Task

if TYPE_CHECKING:
    from robust_tickets.data.splits import DataSplits


def require_measurable(
    task: Task,
    splits: DataSplits,
    robustness: Evaluation | None,
    measures: Sequence[Measure],
    classes: int | None = None,
) -> None:
    """Refuse what cannot be measured on these data, before anything is trained.

    Args:
        task: what the network has to do.
        splits: the target, at the network's size and channels.
        robustness: the attack that is decided on; None for none.
        measures: further measures.
        classes: how many classes the network has; None: as many as the data.

    Raises:
        UserError: an attack or a measure that does not fit task or data: their labels, classes, channels or size.
    """
    classes = len(splits.classes) if classes is None else classes
    if robustness is not None:
        robustness.require_for(splits, task.provides, classes)
    for measure in measures:
        # An attack that is decided on may be for pixels; as a further measure it has figures of whole images.
        Measure.require_for(measure, splits, task.provides, classes)
        measure.require_for(splits, task.provides, classes)
