"""Draw: find the subnetworks of a source, by a score, within a scope, along a timeline."""

import copy
import logging
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.ownership import require_apart, require_ours
from robust_tickets.foundation.settings import changed
from robust_tickets.foundation.steps import Step
from robust_tickets.models.adaptations.adapted_body import AdaptedBody
from robust_tickets.models.layers import prunable_weights, weights_left_out
from robust_tickets.models.network import Network
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, Stated, load_source
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.masks import Masks, full
from robust_tickets.pruning.masks import sparsity as removed
from robust_tickets.pruning.plans import Event
from robust_tickets.tasks.target import Data
from robust_tickets.ticket.cost import Cost
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.ticket.ticket_card import told_emptied
from robust_tickets.training.batch_norm import CALIBRATION_EXAMPLES, batch_norm_statistics, has_batch_norm
from robust_tickets.training.batch_norm import recalibrate as compute_statistics
from robust_tickets.training.drawing import Drawing
from robust_tickets.training.job import Job
from robust_tickets.training.loop import Work, fit
from robust_tickets.training.trainable import Trainable
from robust_tickets.verbs.draw_settings import DrawSettings
from robust_tickets.verbs.finetune import finetune
from robust_tickets.verbs.measure import in_order
from robust_tickets.verbs.pace import BATCH
from robust_tickets.verbs.preparation import Preparation, couplings_of, weights_of
from robust_tickets.verbs.teacher import teachers_facts

_log = logging.getLogger(__name__)

RECALIBRATE = (
    "batch norm has the dense network's statistics: before you use this ticket without training, recompute them on "
    "training images (--recalibrate DATA; recalibrate=DATA in Python). Transfers need no more."
)
"""The warning about a ticket that would run with wrong statistics."""

SAME_SPARSITY = 5e-4
"""Two targets closer than this are one: ladders are written with a few decimals."""


def draw(
    source: Source | SourceSettings | str | Path | nn.Module,
    *,
    weights: str | Path | None = None,
    preprocessing: Stated | None = None,
    settings: DrawSettings | None = None,
    data: Data | None = None,
    recalibrate: Data | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
    **changes: Any,
) -> Ticket:
    """Draw one ticket; one-shot global magnitude at 90 % sparsity by default.

    Once weights are removed, the dense network's batch-norm statistics are wrong: a ticket that is used without
    training needs new ones. `recalibrate` computes them, and so does `data` by default if nothing trains on it.
    Otherwise they are left alone: a draw that trains ends as its paper says, full transfer adapts to the target's
    images from its first step, and linear transfer names its statistics (`bn`), as papers do.

    Args:
        source: a network by name or path, a `Source`, or a torch module.
        weights, preprocessing: of a source given by name, as in `load_source`; the preprocessing of a module, too.
        settings: everything about the draw; `changes` are keyword changes, as in `sparsity=0.8`.
        data: the data to train on, if the timeline trains; overrides `settings.data`.
        recalibrate: data on whose training images batch-norm statistics are computed under the masks, at most 2,048
            of them, balanced over classes and not augmented; overrides `settings.recalibrate`. The ticket stores them.
        seed: of the draw.
        folder: where the ticket is written, with its rungs next to it; a second call returns it or resumes.

    Raises:
        UserError: parts that do not fit each other, the network or the data; a folder with somebody else's files.
    """
    settings = changed(settings or DrawSettings(), changes)
    if len(settings.sparsities) > 1:
        raise UserError("draw gives one ticket: name one sparsity, or use draw_all for several")
    if weights is not None or preprocessing is not None:
        source = load_source(source, weights=weights, preprocessing=preprocessing)
    (ticket,) = draw_all(source, settings=settings, data=data, recalibrate=recalibrate, seed=seed, folder=folder)
    if ticket.network is not None and lacks_statistics(ticket, ticket.network):
        _log.warning(RECALIBRATE)
    return ticket


def draw_all(
    source: Source | SourceSettings | str | Path | nn.Module,
    *,
    settings: DrawSettings,
    data: Data | None = None,
    recalibrate: Data | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
) -> tuple[Ticket, ...]:
    """Draw a ticket for every sparsity asked for, in ascending order.

    The rounds of one draw to the highest sparsity also give the lower ones that they pass through; the others
    are drawn separately. Arguments and errors are those of `draw`.
    """
    folder = Path(folder) if folder is not None else None
    if folder is not None:
        require_ours(folder)
    for read in (data if data is not None else settings.data, recalibrate or settings.recalibrate):
        require_apart(folder, read)
    source = load_source(source)
    found: list[Ticket] = []
    wanted = list(settings.sparsities)
    traced: dict[tuple[str, ...], tuple[Coupling, ...]] = {}
    while wanted:
        target = wanted.pop()
        place = folder / label(target) if folder is not None and len(settings.sparsities) > 1 else folder
        rungs = draw_chain(source, settings, target, data, recalibrate, seed, place, traced)
        found.append(rungs[-1][1])
        for sparsity, ticket in rungs[:-1]:
            matching = [other for other in wanted if other is not None and abs(other - sparsity) < SAME_SPARSITY]
            if matching:
                wanted.remove(matching[0])
                found.append(ticket)
    found.sort(key=lambda ticket: ticket.sparsity)
    for ticket in found:
        if ticket.emptied:
            _log.warning("%.4g %% sparsity:%s", 100 * ticket.sparsity, told_emptied(ticket.emptied))
    return tuple(found)


def rehearse_draw(source: Source, settings: DrawSettings, seed: int) -> None:
    """Refuse, without training anything, a draw that could not be finished.

    Raises:
        UserError: see `draw`.
    """
    prepared, *_ = [Preparation.of(source, settings, sparsity, None, None, seed) for sparsity in settings.sparsities]
    names = prepared.trained_names
    weights, couplings = weights_of(prepared.classifier, names), couplings_of(prepared.classifier, names, settings)
    settings.group.partition(weights, None, couplings)
    if settings.parametrisation.is_coupled:
        parts = (prepared.classifier, prepared.classifier.body, names)
        settings.parametrisation.build(*parts, selection=settings.selection, sparsity=0.0, couplings=couplings)


def bound(folder: Path, source: Source) -> Ticket:
    """Load a ticket that this process drew, or an earlier one of the same step."""
    return Ticket.load(folder).with_network(source)


def stored_weights(
    classifier: Network, source: Source, masks: Masks, places: Mapping[str, str]
) -> dict[str, Tensor] | None:
    """Return the weights a ticket must carry: none if what survives is the source, bit for bit.

    The head does not count: a transfer brings its own, or keeps the source's. Where the draw was on another task, what
    the ticket carries has the source's head.

    Args:
        classifier: as the draw has trained it.
        source: what it was made of.
        masks: by the source's names.
        places: of the source's parameters and buffers in `classifier`.
    """
    state = classifier.plain_state()
    original = source.network.plain_state()
    heads = tuple(f"{path}." for path in classifier.fresh)
    drawn = {name: state[place] for name, place in places.items() if not place.startswith(heads)}
    for name, value in drawn.items():
        expected = original[name] * masks[name].cpu() if name in masks else original[name]
        if not torch.equal(value, expected):
            # The head of a plain network is put into its source with its classes; one under a new task is not.
            alike = state.keys() == original.keys() and (
                not isinstance(source.network.body, AdaptedBody)
                or all(state[name].shape == original[name].shape for name in state)
            )
            return state if alike else {**original, **drawn}
    return None


def left_out(prepared: Preparation, source: Source, settings: DrawSettings) -> dict[str, str]:
    """Return the weights that stay dense, by the source's names, and why."""
    if not prepared.is_moved:
        return weights_left_out(prepared.classifier, settings.prunable)
    lost = set(prunable_weights(source.network, settings.prunable)) - set(prepared.names)
    reasons = dict.fromkeys(sorted(lost), "not in the network that trains")
    return {**weights_left_out(source.network, settings.prunable), **reasons}


def statistics_of(network: Network, source: Source, splits: DataSplits) -> dict[str, Tensor]:
    """Return a network's batch-norm statistics on training images; a head's are the source's own."""
    heads = tuple(f"{path}." for path in network.fresh)
    known = batch_norm_statistics(source.network.body)
    found = recalibrated(network, splits)
    return {name: known[name] if name.startswith(heads) and name in known else one for name, one in found.items()}


def recalibrated(classifier: Network, splits: DataSplits) -> dict[str, Tensor]:
    """Return the network's batch-norm statistics on training images; the network given is not touched."""
    network, count = copy.deepcopy(classifier), min(len(splits.train), CALIBRATION_EXAMPLES)
    # A last batch of a single image has no variance where maps are one pixel large.
    compute_statistics(network, in_order(splits.train, count - (count % BATCH == 1)))
    return batch_norm_statistics(network.body)


def lacks_statistics(ticket: Ticket, source: Source) -> bool:
    """Return whether a ticket, used as it is, would meet batch-norm statistics of the dense network.

    They are right where all that it removes was zero before, as in a shrunken network.
    """
    if ticket.statistics is not None or ticket.stored is not None or not has_batch_norm(source.network.body):
        return False
    weights = {name: weight.detach().cpu() for name, weight in source.network.body.named_parameters()}
    return any(bool(weights[name][~mask].any()) for name, mask in ticket.masks.items())


def label(sparsity: float | None) -> str:
    """Return a folder name for a sparsity, such as `sparsity-0.9`."""
    return "ticket" if sparsity is None else f"sparsity-{sparsity:.6g}"


def draw_chain(
    source: Source,
    settings: DrawSettings,
    sparsity: float | None,
    data: Data | None,
    recalibrate: Data | None,
    seed: int,
    folder: Path | None,
    traced: dict[tuple[str, ...], tuple[Coupling, ...]],
) -> list[tuple[float, Ticket]]:
    """Follow one timeline to its end and return every ticket on the way, as (target sparsity, ticket).

    `traced` keeps couplings by the names of the weights that may go, for the next draw from this source.
    """
    prepared = Preparation.of(source, settings, sparsity, data, recalibrate, seed)
    calibration = prepared.calibration
    classifier, splits, plan, names = prepared.classifier, prepared.splits, prepared.plan, prepared.names
    not_compared = {"training": {"checkpoint_seconds"}, "finetune": {"checkpoint_seconds"}}
    parts = {**settings.model_dump(mode="json", exclude=not_compared), "sparsity": sparsity}
    identity = {
        "verb": "draw",
        **source.identity.facts,
        "data": splits.digest if splits is not None else None,
        "recalibrate": calibration.digest if calibration is not None else None,
        "settings": parts,
        "seed": seed,
        **teachers_facts(settings.training.objective),
    }
    step = Step(folder, identity)
    if step.folder is not None and (result := step.result) is not None:
        return [(rung["sparsity"], bound(step.folder / rung["folder"], source)) for rung in result["rungs"]]
    trained_names = prepared.trained_names
    if trained_names not in traced:
        traced[trained_names] = couplings_of(classifier, trained_names, settings)
    couplings = traced[trained_names]
    names_of = {place: name for name, place in prepared.places.items()}
    target = None if settings.is_open(sparsity) else plan.events[-1].sparsity
    provenance = {
        "robust-tickets": version("robust-tickets"),
        "torch": torch.__version__,
        "seed": seed,
        "data": splits.name if splits is not None else None,
    } | ({"recalibrated": calibration.name} if calibration is not None else {})
    events = [event for event in plan.events if event.ticket]
    places = {event: f"rungs/{label(event.sparsity)}" for event in events[:-1]} | {events[-1]: "."}
    drawn: dict[Event, Ticket] = {}

    def keep(event: Event, trained: Masks, work: Work) -> None:
        masks = {names_of[place]: mask.cpu() for place, mask in trained.items()}
        ticket = Ticket(
            masks=masks,
            prunable=names,
            source=source.identity,
            stored=stored_weights(classifier, source, masks, prepared.places),
            recipe={
                "source": source.settings.model_dump(mode="json"),
                "draw": {**parts, "sparsity": event.sparsity if target is not None else removed(masks, names)},
            },
            provenance=provenance,
            network=source,
            left_out=left_out(prepared, source, settings),
        )
        if calibration is not None:
            # Statistics are of the source: what trained may have frozen its norms, and has others in its head.
            network = ticket.subnetwork(source) if prepared.is_moved else classifier
            ticket = replace(ticket, statistics=statistics_of(network, source, calibration))
        drawn[event] = ticket
        if step.folder is not None:
            ticket.save(step.folder / places[event])
            examples = work.steps * settings.training.batch_size
            Cost(seconds=work.seconds, steps=work.steps, examples=examples).save(step.folder / places[event])

    with step.claim():
        start = None
        if settings.finetune is not None and splits is not None:
            beside = folder.parent if folder is not None and len(settings.sparsities) > 1 else folder
            place = beside / "finetuned" if beside is not None else None
            start = finetune(classifier, source, splits, settings.finetune, settings.task, seed, place)
        job = Job(
            Trainable.of(classifier),
            prepared.batches,
            settings.training,
            plan,
            seed,
            prepared.task,
            classes=splits.classes if splits is not None else (),
            masks=full({name: classifier.body.get_parameter(name) for name in trained_names}),
            drawing=Drawing(settings.selection, couplings, settings.parametrisation, settings.rewind, target),
            teacher=prepared.teacher,
            start=start,
            folder=step.folder,
            title=f"draw from {source.identity.name}",
        )
        result = fit(job, keep)
        if step.folder is not None:
            # A run that was interrupted drew its first rungs in an earlier process.
            drawn = {event: drawn.get(event) or bound(step.folder / places[event], source) for event in events}
        rungs = [{"sparsity": drawn[event].target, "folder": places[event]} for event in events]
        step.finish({"rungs": rungs, **result.found})
    return [(drawn[event].target, drawn[event]) for event in events]
