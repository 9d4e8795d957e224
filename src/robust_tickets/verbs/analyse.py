"""Analyse: what tickets have in common, and what the loss looks like around and between their transfers."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from robust_tickets.analysis.apart import Apart
from robust_tickets.analysis.landscape import Landscape, landscape, random_direction
from robust_tickets.analysis.landscape_settings import LandscapeSettings
from robust_tickets.analysis.layers import LayerCounts, layer_counts
from robust_tickets.analysis.loss import Reached
from robust_tickets.analysis.overlap import TicketOverlaps
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.notebook import as_html
from robust_tickets.foundation.settings import changed
from robust_tickets.foundation.steps import Step
from robust_tickets.pruning.masks import Masks
from robust_tickets.tasks.task import Task
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.analyse_settings import AnalyseSettings
from robust_tickets.verbs.angles import Angles, angles
from robust_tickets.verbs.run_pairs import held, look_between, pairs_of
from robust_tickets.verbs.stability import Stabilities, stabilities
from robust_tickets.verbs.succession import Successions, successions
from robust_tickets.verbs.transfer import Transfer

_log = logging.getLogger(__name__)

OF_LOSSES = ("landscape", "interpolation", "instability", "rounds")
"""Settings of the analyses that compute losses."""


@dataclass(frozen=True)
class Analysis:
    """Analyses of tickets and transferred networks; all by the names that tables show."""

    settings: AnalyseSettings
    layers: Mapping[str, Mapping[str, LayerCounts]]
    """For each ticket, what is left of every layer."""
    overlaps: tuple[TicketOverlaps, ...]
    """For each set of two or more tickets over the same weights."""
    landscapes: Mapping[str, Landscape]
    """The loss around networks."""
    between: Mapping[str, Apart]
    """What lies between two networks that one ticket became."""
    noun: str = "images"
    """What losses were computed on."""
    stability: Stabilities | None = None
    """Which starts are stable to training noise; None: not asked for."""
    succession: Successions | None = None
    """What lies between successive tickets of each draw; None: not asked for."""
    angles: tuple[Angles, ...] = ()
    """How far apart networks are, for each set of transfers over the same weights."""

    def __repr__(self) -> str:
        parts = {"tickets": self.layers, "landscapes": self.landscapes, "pairs of transfers": self.between}
        told = [f"{len(found)} {name}" for name, found in parts.items() if found]
        return f"Analysis({', '.join(told) or 'of nothing'})"

    def _repr_html_(self) -> str | None:
        """Return what a notebook shows: the tables."""
        return as_html(self)


def analyse(
    tickets: Mapping[str, Ticket] | None = None,
    transfers: Mapping[str, Transfer] | None = None,
    *,
    settings: AnalyseSettings | None = None,
    partial: bool = False,
    **changes: Any,
) -> Analysis:
    """Look inside tickets and transferred networks; nothing is trained, and none of them is changed.

    For tickets: sparsity, all-zero kernels and filters by layer; the overlap of any two over the same weights. For
    transfers: the loss around the first seed's network; angle, distance and loss between two seeds of one ticket,
    and between two transfers of it with different settings. Slow results are stored in the runs' folders.

    Args:
        tickets: by the name that tables show.
        transfers: likewise; their tickets are used if no `tickets` are given.
        settings: what is analysed; `changes` are keyword changes to it, as in `landscape=None`.
        partial: whether more is to come, as in a run that is not full yet, so that an analysis may find nothing.

    Raises:
        UserError: the data have nothing in the part asked for, or they do not label whole inputs; an analysis that was
            asked for has nothing to look at.
    """
    settings = changed(settings or AnalyseSettings(), changes)
    transfers = transfers or {}
    for result in transfers.values():
        require_analysable(result.runs[0].task, result.runs[0].data, settings)
    masks = {name: {key: ticket.masks[key] for key in ticket.prunable} for name, ticket in distinct(tickets, transfers)}
    compared = alike(dict(list(masks.items())[: settings.tickets]))
    stability = stabilities(transfers, settings, settings.instability) if settings.instability is not None else None
    succession = successions(transfers, settings, settings.rounds) if settings.rounds is not None else None
    for name, one in (("instability", stability), ("rounds", succession)):
        if one is not None and one.why_none and not partial:
            raise UserError(f"{name}: {one.why_none}")
    landscapes: dict[str, Landscape] = {}
    if (grid := settings.landscape) is not None:
        seen = list(transfers.items())[: grid.most]
        landscapes = {name: look_around(name, transfer, settings, grid) for name, transfer in seen}
    between: dict[str, Apart] = {}
    if (line := settings.interpolation) is not None:
        between = {pair.name: look_between(pair, settings, line) for pair in pairs_of(transfers, line.pairs)}
    return Analysis(
        settings,
        {name: layer_counts(one) for name, one in masks.items()},
        tuple(TicketOverlaps.of(same) for same in compared if len(same) > 1),
        landscapes,
        between,
        next((result.runs[0].data.noun for result in transfers.values()), "images"),
        stability,
        succession,
        angles(transfers, settings.angles),
    )


def alike(tickets: Mapping[str, Masks]) -> list[dict[str, Masks]]:
    """Return tickets in sets that mask the same weights."""
    found: dict[tuple[object, ...], dict[str, Masks]] = {}
    for name, masks in tickets.items():
        weights = tuple((key, tuple(mask.shape)) for key, mask in masks.items())
        found.setdefault(weights, {})[name] = masks
    return list(found.values())


def require_analysable(task: Task, splits: DataSplits, settings: AnalyseSettings) -> None:
    """Refuse what is not defined for networks that do not label whole inputs, before anything is trained.

    Raises:
        UserError: losses are to be looked at, which are of whole inputs.
    """
    asked = [name for name in OF_LOSSES if getattr(settings, name) is not None]
    if asked and "image-logits" not in task.provides:
        does = splits.target_words if task.supervised else "is learned from without labels"
        raise UserError(
            f"{splits.name}: {does}, but analyse computes losses of whole {splits.noun}; set "
            f"{' and '.join(f'{name}: null' for name in asked)}"
        )


def distinct(tickets: Mapping[str, Ticket] | None, transfers: Mapping[str, Transfer]) -> Iterator[tuple[str, Ticket]]:
    """Yield every ticket once, under the first of its names."""
    carried = {name: transfer.ticket for name, transfer in transfers.items() if transfer.ticket is not None}
    seen = set()
    for name, ticket in (tickets or carried).items():
        if (digest := ticket.digest) not in seen:
            seen.add(digest)
            yield name, ticket


def look_around(name: str, transfer: Transfer, settings: AnalyseSettings, grid: LandscapeSettings) -> Landscape:
    """Return the loss around the first seed's network, computed now or taken from its run's folder."""
    run = transfer.runs[0]
    identity = {
        "part": settings.part,
        "images": settings.images,
        "landscape": grid.model_dump(mode="json", exclude={"most"}),
    }
    step = Step.named(run.folder, "landscape", identity)
    if step.result is None:
        passes, noun = len(grid.places) ** 2, run.data.noun
        _log.info("loss landscape of %s: %d passes over %d %s", name, passes, settings.images, noun)
        parameters = {name: value.detach() for name, value in run.network.body.named_parameters()}
        masks = transfer.ticket.masks if transfer.ticket is not None else {}
        first, second = (random_direction(parameters, masks, grid.seed, name) for name in ("first", "second"))
        with step.claim():
            images = held(run, settings)
            found = landscape(run.network, "body", (first, second), images, grid.places)
            step.finish({"reached": [[vars(place) for place in row] for row in found.reached]})
        return found
    rows = tuple(tuple(Reached(**place) for place in row) for row in step.result["reached"])
    return Landscape(grid.places, rows)
