"""Evaluate: what a network does on test images as it is, without any training."""

import copy
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.digests import tensors_digest
from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.notebook import as_html
from robust_tickets.foundation.of_inputs import OfInputs
from robust_tickets.foundation.ownership import require_apart
from robust_tickets.foundation.steps import Step
from robust_tickets.foundation.unit import PERCENT, Unit
from robust_tickets.measures.evaluation import Evaluation
from robust_tickets.measures.kinds import AnyMeasure
from robust_tickets.models.interface import Interface
from robust_tickets.models.network import Network
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, Stated
from robust_tickets.shrinking.artefact import load_artefact
from robust_tickets.shrinking.places import EXPORTED
from robust_tickets.tasks.kinds import task_for
from robust_tickets.tasks.own_classes import own_names
from robust_tickets.tasks.target import Data, as_evaluated, fitted_data, require_size
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.measure import in_order, in_parts_of, outcomes, part_of
from robust_tickets.verbs.place import RECORD, is_work
from robust_tickets.verbs.predict.subjects import class_names, of_artefact
from robust_tickets.verbs.reopen import load_transfer
from robust_tickets.verbs.stored_network import held
from robust_tickets.verbs.subject import bind, with_stated
from robust_tickets.verbs.transfer import Run, Transfer, subnetwork
from robust_tickets.verbs.verify import Measured, summarise


class Evaluated(OfInputs):
    """What a network does on test data as it is."""

    subject: str
    data: str = Field(description="Name of the data.")
    images: int = Field(description="Test images, or texts.")
    score: str = Field(description="The metric that `standard` gives.")
    unit: Unit = Field(default=PERCENT, description="How it is written.")
    attack: str | None = Field(default=None, description="The attack behind `robust`; absent: none.")
    runs: tuple[Measured, ...] = Field(description="The network; for a transfer, the network of every seed.")
    measures: tuple[AnyMeasure, ...] = Field(default=(), description="Further measurements, see the runs.")
    notes: tuple[str, ...] = Field(default=(), description="Assumptions about data and classes.")

    def sentence(self) -> str:
        """Return the figures in plain words."""
        told = []
        for run in self.runs:
            seed = f"seed {run.seed}: " if len(self.runs) > 1 else ""
            ends = (run.interval.lower, run.interval.upper) if run.interval is not None else ()
            bounds = f" [{', '.join(self.unit.number(end, self.unit.exact) for end in ends)}]" if ends else ""
            robust = f", {self.unit.told(run.robust)} under {self.attack}" if run.robust is not None else ""
            told.append(f"{seed}{self.unit.told(run.standard)} {self.score}{bounds}{robust}")
        return f"{self.subject} on {self.data}, {self.images} test {self.noun}, without training: {'; '.join(told)}."

    def _repr_html_(self) -> str | None:
        """Return what a notebook shows: the figures, and everything that was measured."""
        return as_html(self)


def evaluate(
    subject: Transfer | Ticket | Source | SourceSettings | nn.Module | str | Path,
    data: Data | None = None,
    *,
    weights: str | Path | None = None,
    preprocessing: Stated | None = None,
    robustness: Evaluation | None = None,
    measures: Sequence[AnyMeasure] = (),
    classes: Sequence[str] | None = None,
    source: Source | str | Path | None = None,
    folder: Path | str | None = None,
) -> Evaluated:
    """Measure accuracy and more on test images; nothing is trained, and the head is kept.

    Args:
        subject: a network by name, path or object; a ticket; a run, a transfer or one of its seeds, or what
            `load_transfer` returned; an exported file (.onnx, .rtk), for which only accuracy is measured.
        data: as in `transfer`; an undivided folder is evaluated as a whole. A transfer is evaluated on the test
            part of its own data unless others are given, never on images that it was trained on.
        weights, preprocessing: of a source given by name, as in `load_source`; the preprocessing of a module, too.
        robustness: an attack; None for none.
        measures: further measures.
        classes: names of the network's outputs, in their order, if neither file nor folder gives them: the data may
            then have only some of them.
        source: the network of a ticket or transfer, if it was moved or is the user's own code.
        folder: stores the measurements, so that a second call does not measure again.

    Raises:
        UserError: the head does not fit the classes of the data, or it is not known which outputs they are.
    """
    for asked in (*((robustness,) if robustness is not None else ()), *measures):
        asked.require()
    require_apart(folder, data)
    if weights is not None or preprocessing is not None:
        if isinstance(subject, Transfer):
            raise UserError("weights, preprocessing: a transfer brings its own; leave them out")
        loaded = with_stated(subject, weights, preprocessing)
        assert not isinstance(loaded, Ticket)  # nothing can be stated of one
        subject = loaded
    if isinstance(subject, str | Path) and Path(subject).suffix.lower() in EXPORTED:
        if robustness is not None or measures:
            raise UserError(f"{subject}: of a file, only accuracy is measured; use tickets verify --exported for more")
        return evaluate_file(Path(subject), required(data), classes)
    name, runs = networks(subject, data, classes, source)
    first = runs[0].data
    runs[0].task.require_measures(first, robustness, measures)
    if folder is not None:
        runs = [kept(run, Path(folder)) for run in runs]
    score = runs[0].task.metric(first.classes)
    found = [outcomes(run, robustness) for run in runs]
    return Evaluated(
        subject=name,
        data=first.name,
        noun=first.noun,
        images=len(first.test),
        score=score.name,
        unit=score.unit,
        attack=robustness.describe() if robustness is not None else None,
        runs=summarise(runs, found, tuple(measures), score),
        measures=tuple(measures),
        notes=first.notes,
    )


def networks(
    subject: Transfer | Ticket | Source | SourceSettings | nn.Module | str | Path,
    data: Data | None,
    classes: Sequence[str] | None,
    source: Source | str | Path | None,
) -> tuple[str, list[Run]]:
    """Return the name of what is evaluated, and its networks with their data.

    Raises:
        UserError: see `evaluate`.
    """
    if isinstance(subject, str | Path) and is_transferred(Path(subject)):
        subject = opened(subject, source, data)
    if isinstance(subject, Transfer):
        name = f"{subject.source.identity.name}, {subject.settings.describe()}"
        same = str(getattr(data, "name", data)) == getattr(subject.data, "name", None)
        if data is None or data is subject.data or (same and isinstance(data, str | Path)):
            return name, list(subject.runs)
        runs = []
        for run in subject.runs:
            # Of data of the same name, perhaps prepared in another way, some were trained on.
            splits = fitted_data(data, run.network.interface, name, run.seed, trains=same)
            if splits.digest == run.data.digest:
                runs.append(run)
                continue
            run.task.require_data(splits)
            require_size(run.network, splits, name)
            runs.append(aligned(Run(run.seed, run.network_of, splits, None, None, run.task), name, run.data.classes))
        return name, runs
    ticket, network = bind(subject, source)
    name = network.identity.name if ticket is None else f"the ticket of {network.identity.name}"
    classifier = subnetwork(network, ticket)
    classifier.require_head(f"evaluate {name}")
    splits = unseen(required(data, classifier.interface.noun), classifier.interface, name)
    if not (task := task_for(splits)).does_it(classifier):
        raise UserError(f"{splits.name}: {splits.target_words}, which {name} does not do as it is; transfer it to them")
    require_size(classifier, splits, name)
    known = classes
    if known is None and isinstance(subject, str | Path) and Path(subject).is_dir():
        known = class_names(Path(subject))
    if known is None:
        known = own_names(classifier.class_names, splits.classes)
    return name, [aligned(Run(0, held(classifier), splits, None, None, task), name, known)]


def opened(folder: str | Path, source: Source | str | Path | None, data: Data | None) -> Transfer:
    """Return the transfer in a folder; the data may be its own, which were in memory or have moved, or others.

    Raises:
        UserError: there is none, or its own data are neither where they were nor these.
    """
    try:
        return load_transfer(folder, source=source, data=data)
    except UserError:
        if data is None:
            raise
        with suppress(UserError):
            return load_transfer(folder, source=source)
        raise


def is_transferred(path: Path) -> bool:
    """Return whether a path is the folder of a run or of a transfer, or of one of its seeds."""
    return is_work(path) or (path.parent / RECORD).is_file()


def required(data: Data | None, noun: str = "images") -> Data:
    """Return the data, of what `noun` says.

    Raises:
        UserError: there are none.
    """
    if data is None:
        raise UserError(f"data: give the data to evaluate on, as in data='path/to/{noun}' or --data")
    return data


def unseen(data: Data, interface: Interface, name: str) -> DataSplits:
    """Return data whose test part is all that is not set apart for training."""
    splits = fitted_data(data, interface, name, 0, trains=False)
    part_of(splits, "test")
    return splits


def aligned(run: Run, name: str, known: Sequence[str] | None) -> Run:
    """Return a run whose outputs are in the order of the data's classes.

    Raises:
        UserError: the outputs are not those of the classes, or it is not known which they are.
    """
    if not run.task.supervised:
        return run
    order = order_of(run.network.num_classes, run.task.head_size(run.data), run.data, name, known)
    if order is None:
        return run
    if not run.network.gives_logits:
        raise UserError(
            f"{run.data.name}: has its classes in a different order from {name}, whose answers are not logits and "
            "cannot be reordered; number or name them in the same way"
        )
    return replace(run, network_of=held(Reordered(run.network, order)))


def order_of(outputs: int, needed: int, data: DataSplits, name: str, known: Sequence[str] | None) -> list[int] | None:
    """Return the outputs in the order in which the data have their classes, others last; None: as they are.

    Where the names of outputs are not known their number has to be that of the classes, and they are taken in order.

    Args:
        outputs: how many there are.
        needed: how many the task has: one for each class, or as many as it takes where there are no classes.
        data: what they are measured on.
        name: what messages call the network.
        known: names of the outputs.

    Raises:
        UserError: see `aligned`.
    """
    classes = list(data.classes)
    if not classes and outputs != needed:
        raise UserError(f"{name}: has {outputs} outputs, but {data.name} {data.target_words}, which takes {needed}")
    if not classes:
        return None
    if known is None:
        if outputs != len(classes):
            raise UserError(
                f"{name}: distinguishes {outputs} classes, but {data.name} has {len(classes)}; name the outputs with "
                "classes (--classes FILE, one name per line), or train a head for these data: tickets transfer"
            )
        return None
    if len(known) != outputs or len(set(known)) != outputs:
        raise UserError(
            f"classes: {len(set(known))} names are given for {outputs} outputs; each output needs its own name"
        )
    if missing := [each for each in classes if each not in set(known)]:
        raise UserError(
            f"{data.name}: has classes that {name} does not know ({enumerated(missing)}); name them as it does "
            f"({enumerated(known)})"
        )
    chosen = [list(known).index(each) for each in classes]
    order = chosen + [index for index in range(outputs) if index not in set(chosen)]
    return None if order == list(range(outputs)) else order


class Reordered(Network):
    """A classifier with its outputs in another order."""

    order: Tensor

    def __init__(self, classifier: Network, order: Sequence[int]) -> None:
        """Take the outputs of `classifier`, which is not changed, in this order."""
        super().__init__(copy.deepcopy(classifier.body), classifier.interface, classifier.head)
        self.register_buffer("order", torch.tensor(order), persistent=False)

    def forward(self, inputs: Any) -> Tensor:
        """Return logits [N, C] of what the network takes."""
        return super().forward(inputs).index_select(self.interface.class_dim, self.order)


def kept(run: Run, folder: Path) -> Run:
    """Return a run whose measures are kept in a folder, which is claimed for its network and data."""
    order = getattr(run.network, "order", None)
    identity = {
        "verb": "evaluate",
        "network": tensors_digest(run.network.plain_state()),
        "preprocessing": run.network.interface.model_dump(mode="json"),
        "outputs": order.tolist() if order is not None else None,
        "data": run.data.digest,
    }
    place = folder if not run.seed else folder / f"seed-{run.seed}"
    with Step(place, identity).claim():
        return replace(run, folder=place)


def evaluate_file(path: Path, data: Data, classes: Sequence[str] | None) -> Evaluated:
    """Measure the accuracy of an exported file as it is executed.

    Raises:
        UserError: see `evaluate`.
    """
    artefact = load_artefact(path)
    predictor = of_artefact(artefact)
    splits = unseen(data, predictor.interface, path.name)
    takes, given = (one.shape_words for one in (predictor.interface, as_evaluated(predictor.interface, splits)))
    if given != takes:
        raise UserError(f"{splits.name}: {path.name} takes {takes}, not {given}; leave out the data's `size`")
    task = task_for(splits)
    adapted = predictor.adaptation
    if adapted is not None and not task.done_by(adapted):
        raise UserError(
            f"{splits.name}: {splits.target_words}, but {path.name} gives {adapted.gives(predictor.outputs)}"
        )
    order = order_of(
        predictor.outputs,
        task.head_size(splits),
        splits,
        path.name,
        classes or own_names(predictor.classes, splits.classes),
    )
    dim = predictor.interface.class_dim

    def predict(inputs: Any) -> Tensor:
        logits = artefact.predict(inputs)
        return logits if order is None else logits.index_select(dim, torch.tensor(order))

    score = task.metric(splits.classes)
    # As networks are measured: which words are hidden depends on the batch.
    parts = in_parts_of(splits.test, score.parts)
    measured, _ = score.measured_in_parts(predict, (in_order(part, None) for part in parts))
    run = Measured(seed=0, standard=score.value(measured), interval=score.interval(measured))
    return Evaluated(
        subject=path.name,
        data=splits.name,
        noun=splits.noun,
        images=len(splits.test),
        score=score.name,
        unit=score.unit,
        runs=(run,),
        notes=splits.notes,
    )
