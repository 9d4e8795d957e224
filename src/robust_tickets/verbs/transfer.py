"""Transfer: train a ticket, or the dense source, on a target; once for each seed."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import Field
from torch import nn

from robust_tickets.data.settings import DataSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_json, write_json
from robust_tickets.foundation.ownership import require_apart
from robust_tickets.foundation.run_folder import movable
from robust_tickets.foundation.settings import Settings, changed, cut
from robust_tickets.foundation.steps import Step
from robust_tickets.measures.figure import goodness
from robust_tickets.measures.metric import Metric
from robust_tickets.models.adaptations.adapted_body import placed
from robust_tickets.models.compact import compacted
from robust_tickets.models.folders import save_source
from robust_tickets.models.gradients import require_gradients
from robust_tickets.models.network import Network
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, Stated
from robust_tickets.pruning.masks import masks_inside
from robust_tickets.tasks.kinds import task_for
from robust_tickets.tasks.target import Data, as_evaluated, require_size, target_data
from robust_tickets.tasks.task import Task
from robust_tickets.ticket.ticket import Ticket, is_ticket
from robust_tickets.training.batch_norm import recalibrate
from robust_tickets.training.batch_source import FeatureBatches, ImageBatches
from robust_tickets.training.features import cached_features
from robust_tickets.training.heads_together import HeadSearch, require_comparable
from robust_tickets.training.job import Job
from robust_tickets.training.loop import fit
from robust_tickets.training.result import TrainingResult
from robust_tickets.training.trainable import Trainable
from robust_tickets.verbs.stored_network import StoredNetwork, held
from robust_tickets.verbs.subject import bind, with_stated
from robust_tickets.verbs.teacher import named_teacher, require_trained_head, teachers_facts
from robust_tickets.verbs.transfer_settings import TransferSettings


@dataclass(frozen=True, eq=False)
class Run:
    """One seed's transferred network and what it reached on validation."""

    seed: int
    network_of: Callable[[], Network] = field(repr=False)
    """Returns the network: see `stored_network.py`."""
    data: DataSplits
    validation: float | None
    """The task's metric on validation (under an adversarial objective: that under attack); None without that part."""
    folder: Path | None
    task: Task

    def __repr__(self) -> str:
        told = self.metric.unit.told
        validation = f"{told(self.validation)} on validation" if self.validation is not None else "no validation"
        return f"Run(seed {self.seed}, {self.data.name}, {validation}{f', in {self.folder}' if self.folder else ''})"

    @property
    def network(self) -> Network:
        """Return the network; one that is kept in a folder is read from there while nobody uses it."""
        return self.network_of()

    @property
    def metric(self) -> Metric:
        """Return the task's metric."""
        return self.task.metric(self.data.classes)


@dataclass(frozen=True, eq=False)
class Transfer:
    """A ticket, or the dense network if `ticket` is None, trained on a target once per seed."""

    source: Source
    ticket: Ticket | None
    settings: TransferSettings
    data: Data = field(repr=False)
    runs: tuple[Run, ...] = field(repr=False)
    folder: Path | None = None
    described: str | None = None
    """How it was trained, where that was not here; None: as the settings say."""

    def __repr__(self) -> str:
        what = f"{100 * self.sparsity:.4g} % sparsity" if self.ticket is not None else "dense"
        unit = self.runs[0].metric.unit
        values = [unit.number(run.validation, unit.exact) for run in self.runs if run.validation is not None]
        reached = f", {' / '.join(values)} {unit.sign}".rstrip() + " on validation" if values else ""
        seeds = f"{len(self.runs)} seed{'s' * (len(self.runs) > 1)}"
        place = f", in {self.folder}" if self.folder is not None else ""
        return cut(f"Transfer({self.source.identity.name}, {what}, {self.describe()}, {seeds}{reached}{place})")

    def describe(self) -> str:
        """Return a few words for tables: how it was trained."""
        return self.described if self.described is not None else self.settings.describe()

    @property
    def sparsity(self) -> float:
        """Return the ticket's sparsity; 0 for dense."""
        return self.ticket.sparsity if self.ticket is not None else 0.0

    def dense(self, folder: Path | None = None) -> "Transfer":
        """Return the same source's dense transfer under the same settings, data and seeds; dense is its own.

        It is looked for in the folder `dense` of the transfer, in the folders next to it, and in its run. Only where
        none is finished is it trained, in the folder `dense`; a line in the log says so first.

        Args:
            folder: where it is, or is to be; None: looked for as above.

        Raises:
            UserError: it was trained in the user's own loop, which nothing here can repeat.
        """
        from robust_tickets.verbs.dense import dense_transfer

        return dense_transfer(self, folder)

    @property
    def best(self) -> Run:
        """Return the run that is best on validation; the first if none is, or if nothing may be chosen."""
        if not self.runs[0].data.train.targets.selects:
            return self.runs[0]
        return max(self.runs, key=lambda run: goodness(run.metric, run.validation))


def transfer(
    subject: Ticket | Source | SourceSettings | nn.Module | str | Path,
    data: Data,
    *,
    weights: str | Path | None = None,
    preprocessing: Stated | None = None,
    settings: TransferSettings | None = None,
    source: Source | str | Path | None = None,
    folder: Path | str | None = None,
    **changes: Any,
) -> Transfer:
    """Train a ticket, or a dense source, on a target data set.

    Args:
        subject: a ticket or its folder, or a source (an object, a name or a path) to be transferred dense.
        data: a name, a path, `DataSettings`, a torch `Dataset` or `DataLoader`; images in [0, 1]. If every pixel
            has its own label, the network becomes one that labels pixels.
        weights, preprocessing: of a source given by name, as in `load_source`; the preprocessing of a module, too.
        settings: everything about the training; `changes` are keyword changes to it, as in `mode="linear"`.
        source: the network the ticket was drawn from, or where it is now; needed if the ticket does not lead
            to it: a module in memory, the user's own function, a folder that was moved.
        folder: where runs are kept; a second call with the same settings resumes, or returns what is there.

    Raises:
        UserError: data that do not fit the network, a ticket of another source, a folder of other settings or with
            another's files.
    """
    settings = changed(settings or TransferSettings(), changes)
    require_apart(folder, data)
    ticket, source = bind(with_stated(subject, weights, preprocessing), source)
    if ticket is not None and ticket.statistics is not None:
        require_named_statistics(settings)
    folder = Path(folder) if folder is not None else None
    require_gradients(source, linear=settings.is_linear)
    step = Step(folder, claim_for(source, ticket))
    splits = {seed: target_data(data, source, seed) for seed in settings.seeds}
    # Runs of other settings are refused before the record of these is written over theirs.
    steps = {seed: run_step(source, ticket, splits[seed], settings, seed, folder) for seed in settings.seeds}
    with step.claim():
        if folder is not None:
            remember(folder, source, ticket, data, settings)
        runs = tuple(
            transfer_once(source, ticket, splits[seed], settings, seed, steps[seed]) for seed in settings.seeds
        )
    return Transfer(source, ticket, settings, data, runs, folder)


def require_named_statistics(settings: TransferSettings) -> None:
    """Refuse to call a recalibrated ticket's statistics the source's.

    Raises:
        UserError: says what would be right.
    """
    if settings.is_linear and settings.bn == "source":
        raise UserError(
            "bn: source: this ticket's batch-norm statistics were recalibrated and are not the source's; use bn: "
            "recalibrated (computed on the target) or batch, or draw without recalibrate"
        )


def rehearse_transfer(source: Source, data: Data, settings: TransferSettings) -> tuple[Network, DataSplits]:
    """Refuse a transfer that could not start, before anything trains; return network and data of its first seed.

    Raises:
        UserError: see `transfer`.
    """
    seed, name = settings.seeds[0], source.identity.name
    splits = target_data(data, source, seed)
    task = task_for(splits, settings.task, settings.training.objective)
    network = task.adapt(subnetwork(source, None), splits, settings.head, seed, name)
    require_size(network, splits, name)
    require_gradients(source, linear=settings.is_linear)
    named_teacher(settings.training.objective, source.network, task, splits)
    job_of(network, task, splits, settings, seed).require()
    return network, splits


class TransferRecord(Settings):
    """`transfer.json`: what a folder of runs was made from, besides the ticket in `ticket/`."""

    source: SourceSettings
    dense: bool = Field(description="Whether the source itself was transferred.")
    data: DataSettings | None = Field(description="Absent if the data were objects in memory.")
    settings: TransferSettings


def remember(folder: Path, source: Source, ticket: Ticket | None, data: Data, settings: TransferSettings) -> None:
    """Write down what the runs are made from, so that `load_transfer` can take them up."""
    if isinstance(data, str | Path):
        data = DataSettings(name=str(data))
    place = {name: movable(getattr(source.settings, name), folder) for name in ("name", "weights")}
    record = TransferRecord(
        source=source.settings.model_copy(update=place),
        dense=ticket is None,
        data=data if isinstance(data, DataSettings) else None,
        settings=settings,
    )
    if ticket is not None and not is_ticket(folder / "ticket"):
        ticket.save(folder / "ticket")
    values, path = record.model_dump(mode="json"), folder / "transfer.json"
    if not path.exists() or read_json(path) != values:
        write_json(path, values)


def taken_up(
    source: Source,
    ticket: Ticket | None,
    data: Data,
    settings: TransferSettings,
    folder: Path,
    splits: Mapping[int, DataSplits],
) -> Transfer:
    """Return the finished runs in a folder; nothing is written.

    Args:
        source: the network that was transferred.
        ticket: its ticket; None for dense.
        data: what the splits are of.
        settings: of the runs; the runs of its seeds are returned.
        folder: as given to `transfer`.
        splits: the data of each seed.

    Raises:
        UserError: the folder holds work of another source, ticket, data or settings.
    """
    Step(folder, claim_for(source, ticket))
    runs = []
    for seed in settings.seeds:
        step = run_step(source, ticket, splits[seed], settings, seed, folder)
        if step.result is None:
            raise UserError(f"{folder}: seed {seed} has not finished; rerun the command that made it to resume")
        runs.append(transfer_once(source, ticket, splits[seed], settings, seed, step))
    return Transfer(source, ticket, settings, data, tuple(runs), folder)


def claim_for(source: Source, ticket: Ticket | None) -> dict[str, Any]:
    """Return what a transfer's folder is claimed for."""
    digest = ticket.digest if ticket is not None else None
    return {"verb": "transfers", "ticket": digest, **source.identity.facts}


def run_step(
    source: Source,
    ticket: Ticket | None,
    splits: DataSplits,
    settings: TransferSettings,
    seed: int,
    folder: Path | None,
) -> Step:
    """Return one seed's step, which refuses a folder of other settings."""
    identity = {
        "verb": "transfer",
        **source.identity.facts,
        "ticket": ticket.digest if ticket is not None else None,
        "data": splits.digest,
        "settings": settings.comparable,
        "seed": seed,
        **teachers_facts(settings.training.objective),
    }
    return Step(folder / f"seed-{seed}" if folder is not None else None, identity)


def transfer_once(
    source: Source, ticket: Ticket | None, splits: DataSplits, settings: TransferSettings, seed: int, step: Step
) -> Run:
    """Do one seed's run, go on with it, or take it from its folder."""
    task = task_for(splits, settings.task, settings.training.objective)
    if step.folder is not None and step.result is not None:
        stored = StoredNetwork(step.folder, source.network)
        return Run(seed, stored, splits, step.result["validation"], step.folder, task)
    classifier = task.adapt(subnetwork(source, ticket), splits, settings.head, seed, source.identity.name)
    require_size(classifier, splits, source.identity.name)
    classifier.interface = as_evaluated(classifier.interface, splits)
    with step.claim():
        teacher = teacher_in(source, task, splits, settings, seed)
        result = train(classifier, task, ticket, splits, settings, seed, step.folder, teacher)
        if step.folder is not None:
            save_source(classifier, source.identity, step.folder)
        told = {"validation": result.validation, "steps": result.steps, "classes": list(splits.classes)}
        if not task.metric(splits.classes).higher_is_better:
            told["lower_is_better"] = True
        step.finish({**told, **result.found})
    found = held(classifier) if step.folder is None else StoredNetwork(step.folder, source.network, classifier)
    return Run(seed, found, splits, result.validation, step.folder, task)


def teacher_in(source: Source, task: Task, splits: DataSplits, settings: TransferSettings, seed: int) -> Network | None:
    """Return whom a transfer imitates: the network named, or the dense source adapted alike; None if nobody."""
    objective = settings.training.objective
    if objective.teaches_by is None:
        return None
    if (named := named_teacher(objective, source.network, task, splits)) is not None:
        return named
    return task.adapt(subnetwork(source, None), splits, settings.head, seed, source.identity.name)


def subnetwork(source: Source, ticket: Ticket | None) -> Network:
    """Return a copy of the source, with the ticket applied if there is one."""
    if ticket is not None:
        return ticket.subnetwork(source)
    return copy.deepcopy(source.network)


def job_of(network: Network, task: Task, splits: DataSplits, settings: TransferSettings, seed: int) -> Job:
    """Return the training of one seed, through the whole network and without masks."""
    training = settings.training
    require_trained_head(training.objective, settings.head == "fresh", "head")
    if settings.rates:
        require_comparable(task, splits)
    batches = ImageBatches(splits, training, seed, augment=not settings.is_linear)
    return Job(
        Trainable.of(network, linear=settings.is_linear, batch_norm=settings.batch_norm),
        batches,
        training,
        training.plan(batches.per_epoch),
        seed,
        task,
        splits.classes,
    )


def train(
    classifier: Network,
    task: Task,
    ticket: Ticket | None,
    splits: DataSplits,
    settings: TransferSettings,
    seed: int,
    folder: Path | None,
    teacher: Network | None = None,
) -> TrainingResult:
    """Train the classifier in place; the ticket's masks stay in force."""
    training = settings.training
    what = f"{100 * ticket.sparsity:.1f} % ticket" if ticket is not None else "dense"
    masks = placed(ticket.masks, classifier.body) if ticket is not None else {}
    job = replace(
        job_of(classifier, task, splits, settings, seed),
        masks=masks,
        folder=folder,
        title=f"{what} on {splits.name}, seed {seed}",
        teacher=teacher,
    )
    if settings.is_linear and settings.bn == "recalibrated":
        recalibrate(classifier, ImageBatches(splits, training, seed, augment=False).once())
    if settings.batch_norm == "frozen" and training.objective.leaves_inputs and not training.mixup + training.cutmix:
        cached = cached_features(classifier, splits)
        if cached is not None:
            head, train_part, validation = cached
            job = replace(job, masks=masks_inside(masks, classifier.head))
            if settings.rates and validation is not None:
                return HeadSearch(settings.rates, train_part, validation).run(job, head)
            features = FeatureBatches(train_part, validation, training.batch_size, seed, splits.noun)
            plan = training.plan(features.per_epoch)
            job = replace(job, trainable=Trainable.of_head(head), batches=features, plan=plan)
        elif settings.rates:
            raise UserError(
                "rates: heads share features that are computed once, but this network's are too large to keep, or its "
                "head is not its last layer; leave rates out"
            )
    if settings.compact and (compact := compacted(classifier.body, masks, classifier.interface.example(1))) is not None:
        smaller = Network(compact.body, classifier.interface, classifier.head, classifier.idle)
        result = fit(replace(job, trainable=Trainable.of(smaller), masks=compact.masks))
        compact.restore(classifier.to(next(smaller.parameters()).device).eval().body)
        return replace(result, masks=masks)
    return fit(job)
