"""Pretrain: make a source, natural or robust, from an architecture and data."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.ownership import require_apart
from robust_tickets.foundation.settings import changed
from robust_tickets.foundation.steps import Step
from robust_tickets.models.folders import identified, save_source
from robust_tickets.models.gradients import require_gradients
from robust_tickets.models.network import Network
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, Stated, load_source
from robust_tickets.tasks.kinds import task_for
from robust_tickets.tasks.target import Data, require_size, target_data
from robust_tickets.tasks.task import Task
from robust_tickets.training.batch_source import ImageBatches
from robust_tickets.training.job import Job
from robust_tickets.training.loop import fit
from robust_tickets.training.settings import Training
from robust_tickets.training.trainable import Trainable
from robust_tickets.verbs.pretrain_settings import PretrainSettings
from robust_tickets.verbs.teacher import named_teacher, require_trained_head, teachers_facts


def pretrain(
    source: Source | SourceSettings | str | Path | nn.Module,
    data: Data,
    *,
    weights: str | Path | None = None,
    preprocessing: Stated | None = None,
    training: Training | None = None,
    task: Task | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
    **changes: Any,
) -> Source:
    """Train a whole network on `data` and return it as a source.

    Args:
        source: an architecture, with random weights or with weights to start from.
        data: a name, a path, `DataSettings`, a torch `Dataset` or `DataLoader`; images in [0, 1].
        weights, preprocessing: of a source given by name, as in `load_source`; the preprocessing of a module, too.
        training: everything about the training; `changes` are keyword changes to it.
        task: what it learns to do; by default what the data imply.
        seed: of the run.
        folder: keeps the network; a second call with the same settings returns it, or resumes.

    Raises:
        UserError: data that do not fit the network, a folder with other settings or somebody else's files, or
            training that diverged.
    """
    training = changed(training or Training(), changes)
    require_apart(folder, data)
    source = load_source(source, weights=weights, preprocessing=preprocessing)
    splits = target_data(data, source, seed)
    asked = task.model_dump(mode="json") if task is not None else None
    task = task_for(splits, task, training.objective)
    require_gradients(source)
    identity = {
        "verb": "pretrain",
        **source.identity.facts,
        "data": splits.digest,
        "training": training.model_dump(mode="json", exclude={"checkpoint_seconds"}),
        "seed": seed,
        **teachers_facts(training.objective),
        **({"task": asked} if asked is not None else {}),
    }
    step = Step(folder, identity)
    if step.folder is not None and step.result is not None:
        return load_source(step.folder, like=source.network)
    classifier = copy.deepcopy(source.network)
    if not task.has_head_for(classifier, splits):
        require_trained_head(training.objective, True, "head")
    classifier = task.pretrained(classifier, splits, seed, source.identity.name)
    require_size(classifier, splits, source.identity.name)
    job = pretraining(classifier, task, splits, training, seed)
    title = f"pretrain {source.identity.name} on {splits.name} ({training.objective.describe()})"
    with step.claim():
        result = fit(replace(job, folder=step.folder, title=title))
        classifier = task.as_source(classifier, source.network)
        weights = f"pretrained on {splits.name}, {training.objective.describe()}, seed {seed}"
        made = {"weights": weights, "format": "robust-tickets", "num_classes": classifier.num_classes}
        identity = source.identity.model_copy(update=made)
        if step.folder is None:
            return Source(classifier, identified(classifier, identity), source.settings)
        save_source(classifier, identity, step.folder)
        step.finish({"validation": result.validation, "steps": result.steps, **result.found})
    return load_source(step.folder, like=source.network)


def rehearse_pretrain(source: Source, settings: PretrainSettings, seed: int) -> Source:
    """Refuse, without training anything, a pretraining that could not be begun; return the source, not yet trained.

    Raises:
        UserError: see `pretrain`.
    """
    splits = target_data(settings.data, source, seed)
    task = task_for(splits, None, settings.training.objective)
    require_gradients(source)
    network = task.pretrained(copy.deepcopy(source.network), splits, seed, source.identity.name)
    require_size(network, splits, source.identity.name)
    pretraining(network, task, splits, settings.training, seed).require()
    return replace(source, network=task.as_source(network, source.network))


def pretraining(network: Network, task: Task, splits: DataSplits, training: Training, seed: int) -> Job:
    """Return the training of a whole network, without masks or events."""
    batches = ImageBatches(splits, training, seed)
    plan = training.plan(batches.per_epoch)
    teacher = named_teacher(training.objective, network, task, splits)
    return Job(Trainable.of(network), batches, training, plan, seed, task, splits.classes, teacher=teacher)
