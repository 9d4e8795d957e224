"""Every kind of task, as recipes name them, and the one that data imply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.tasks.classification import Classification
from robust_tickets.tasks.detection import Detection
from robust_tickets.tasks.image_prior import ImagePrior
from robust_tickets.tasks.masked_language import MaskedLanguage
from robust_tickets.tasks.question_answering import QuestionAnswering
from robust_tickets.tasks.regression import Regression
from robust_tickets.tasks.segmentation import Segmentation
from robust_tickets.tasks.self_supervision import SelfSupervision
from robust_tickets.tasks.task import Task
from robust_tickets.tasks.token_classification import TokenClassification

if TYPE_CHECKING:
    from robust_tickets.data.splits import DataSplits
    from robust_tickets.objectives.objective import Objective

AnyTask = Annotated[
    Classification
    | Segmentation
    | Detection
    | MaskedLanguage
    | Regression
    | TokenClassification
    | QuestionAnswering
    | SelfSupervision
    | ImagePrior,
    Field(discriminator="kind"),
    Shorthand,
]
"""Settings of any task, distinguished by `kind`."""

IMPLIED: tuple[Task, ...] = (
    *(Classification(), Segmentation(), Detection()),
    *(MaskedLanguage(), Regression(), TokenClassification(), QuestionAnswering()),
    SelfSupervision(),
    ImagePrior(),
)
"""The default for data: the first that learns from their kind of target."""


def task_for(splits: DataSplits, stated: Task | None = None, objective: Objective | None = None) -> Task:
    """Return the task that is stated, or else the one that the objective or the data imply.

    Args:
        splits: the data.
        stated: by the user.
        objective: what training minimises; one that learns from views implies self-supervision, under the projector
            that it needs. None: nothing trains.

    Raises:
        UserError: what is stated needs other data.
    """
    if stated is None and objective is not None and objective.own_views is not None:
        stated = SelfSupervision()
    if stated is None:
        return next(task for task in IMPLIED if task.target_kind == splits.target_kind)
    stated.require_data(splits)
    return stated.under(objective) if objective is not None else stated
