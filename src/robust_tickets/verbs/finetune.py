"""The dense network finetuned on a draw's data, which the draw then begins with."""

from pathlib import Path

from torch import Tensor

from robust_tickets.data.splits import DataSplits
from robust_tickets.models.network import Network
from robust_tickets.models.sources import Source
from robust_tickets.tasks.task import Task
from robust_tickets.training.settings import Training
from robust_tickets.verbs.pretrain import pretrain


def finetune(
    network: Network,
    source: Source,
    splits: DataSplits,
    training: Training,
    task: Task | None,
    seed: int,
    folder: Path | None,
) -> dict[str, Tensor]:
    """Train a copy of the source, in place, as it is before anything is drawn.

    Args:
        network: the copy, with the head that it is to have.
        source: where it came from.
        splits: the draw's data.
        training: of all weights.
        task: what the draw was told to do; None: what the data imply.
        seed: of the draw.
        folder: keeps the finetuned network; a second call takes it from there.

    Returns:
        The state of the body as it was before: where the source is to be returned to.
    """
    before = network.plain_state()
    start = Source(network, source.identity, source.settings)
    tuned = pretrain(start, splits, training=training, task=task, seed=seed, folder=folder)
    network.body.load_state_dict(tuned.network.plain_state())
    return before
