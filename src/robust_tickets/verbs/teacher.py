"""The network that a training's objective imitates, or keeps away from."""

from pathlib import Path

from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path
from robust_tickets.models.folders import FACTS, read_identity
from robust_tickets.models.network import Network
from robust_tickets.models.sources import load_source
from robust_tickets.objectives.objective import Objective
from robust_tickets.objectives.teacher import SOURCE
from robust_tickets.tasks.task import Task


def named_teacher(objective: Objective, like: Network, task: Task, splits: DataSplits) -> Network | None:
    """Return the teacher that an objective names; None if it has none, or the source is its teacher.

    Args:
        objective: of a training.
        like: the network that trains, for a folder whose architecture is the user's own code.
        task: of the training.
        splits: its data.

    Raises:
        UserError: there is no such network, or it has no head for these classes and its logits are to be learned.
    """
    if objective.teaches_by in (None, SOURCE):
        return None
    found = load_source(str(objective.teaches_by), like=like).network
    if objective.reads_teachers_logits:
        found.require_head(f"teacher {objective.teaches_by}")
        if not task.does_it(found):
            raise UserError(
                f"teacher {objective.teaches_by}: does another task; use a network finetuned on such data, or "
                "soft_labels: 0"
            )
        if found.num_classes != (outputs := task.head_size(splits)):
            raise UserError(
                f"teacher {objective.teaches_by}: has {found.num_classes} classes, but the data {outputs}; use a "
                "network finetuned on them, or soft_labels: 0"
            )
    return found


def require_trained_head(objective: Objective, is_fresh: bool, where: str) -> None:
    """Refuse soft labels of a source whose head is fresh: they say nothing.

    Args:
        objective: of a training.
        is_fresh: whether that training begins with a fresh head.
        where: the setting that says so.

    Raises:
        UserError: says what would be right.
    """
    if is_fresh and objective.reads_teachers_logits and objective.teaches_by == SOURCE:
        raise UserError(
            f"objective.teacher: source has a fresh head ({where}: fresh), whose soft labels say nothing; name a "
            "finetuned network as teacher, keep the head, or set soft_labels: 0 and hidden: 1"
        )


def teachers_facts(objective: Objective) -> dict[str, str]:
    """Return the digest of a teacher in a folder, on which the result rests besides the settings; otherwise nothing."""
    if objective.teaches_by in (None, SOURCE):
        return {}
    folder = Path(given_path(str(objective.teaches_by)))
    return {"teacher": read_identity(folder).digest} if (folder / FACTS).is_file() else {}
