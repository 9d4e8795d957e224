"""Every kind of task, as recipes name them, and the one that data imply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.tasks.classification import Classification
from robust_tickets.tasks.detection import Detection
from robust_tickets.tasks.masked_language import MaskedLanguage
from robust_tickets.tasks.question_answering import QuestionAnswering
from robust_tickets.tasks.regression import Regression
from robust_tickets.tasks.segmentation import Segmentation
from robust_tickets.tasks.task import Task
from robust_tickets.tasks.token_classification import TokenClassification

if TYPE_CHECKING:
    from robust_tickets.data.splits import DataSplits

AnyTask = Annotated[
    Classification | Segmentation | Detection | MaskedLanguage | Regression | TokenClassification | QuestionAnswering,
    Field(discriminator="kind"),
    Shorthand,
]
"""Settings of any task, distinguished by `kind`."""

IMPLIED: tuple[Task, ...] = (
    *(Classification(), Segmentation(), Detection()),
    *(MaskedLanguage(), Regression(), TokenClassification(), QuestionAnswering()),
)
"""The default for data: the first that learns from their kind of target."""


def task_for(splits: DataSplits, stated: Task | None = None) -> Task:
    """Return the task that is stated, or else the one that the data imply.

    Raises:
        UserError: what is stated needs other data.
    """
    if stated is None:
        return next(task for task in IMPLIED if task.target_kind == splits.target_kind)
    stated.require_data(splits)
    return stated
