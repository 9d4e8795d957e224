"""Succession: whether tickets of successive rounds of one draw are trained into one linearly connected minimum."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

from robust_tickets.analysis.barrier_settings import BarrierSettings
from robust_tickets.analysis.barriers import Barriers
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.grouping import grouped
from robust_tickets.measures.matching import Decision
from robust_tickets.pruning.masks import is_nested
from robust_tickets.training.batch_norm import has_batch_norm
from robust_tickets.verbs.analyse_settings import AnalyseSettings
from robust_tickets.verbs.draw_settings import DrawSettings
from robust_tickets.verbs.run_pairs import RunPair, look_between, surviving
from robust_tickets.verbs.stability import dense_of, rewind_of, verdict_on
from robust_tickets.verbs.transfer import Transfer
from robust_tickets.verbs.transfer_settings import TransferSettings
from robust_tickets.verbs.verify import compared

NO_ROUNDS = (
    "no two tickets are of successive rounds of one draw; iterative rounds are tickets of one way of drawing at "
    "several sparsities (timeline: iterative, sparsity: [0.2, 0.36, 0.488]), each inside the one before"
)


@dataclass(frozen=True)
class Succession:
    """What lies between the networks of a ticket and of the next sparser one of the same draw."""

    draw: str
    """What the draw is called."""
    first: str
    """The denser ticket's transfer, or dense's, as tables call it."""
    second: str
    sparsities: tuple[float, float]
    """Of the two, ascending."""
    barriers: Barriers
    """Of every seed that both have, on the straight line between the two networks as they are."""
    distance: float | None
    """Angular distance, 2 angle / pi, on the weights that both keep; the mean over seeds."""
    decision: Decision | None
    """Whether the sparser ticket matches dense; None: dense was not transferred."""
    has_batch_norm: bool


@dataclass(frozen=True)
class Successions:
    """What lies between successive tickets of every draw."""

    settings: BarrierSettings
    found: tuple[Succession, ...]

    @property
    def why_none(self) -> str:
        """Why there is nothing, for messages; empty if there is something."""
        return "" if self.found else NO_ROUNDS


def successions(transfers: Mapping[str, Transfer], settings: AnalyseSettings, asked: BarrierSettings) -> Successions:
    """Measure the barriers between the networks of every two tickets that follow each other in one draw, by seed.

    Whether such networks are linearly connected is asked by Paul et al. (2022, arXiv 2210.03044). The line is that
    between the two networks as they are: weights that only the denser one has go to zero on it, so that all of it lies
    in the denser ticket's mask, which is the union of both. Dense is the first of a draw whose tickets start from the
    source.

    Args:
        transfers: by the name that tables show.
        settings: the part whose examples are used.
        asked: how lines are walked, and which barriers are low.
    """
    chains = chains_of(transfers)
    steps = [(chain, pair) for chain in chains for pair in pairwise(chain)]
    names = names_of(chains, transfers)
    looked_at = settings.model_copy(update={"images": asked.images})
    found = []
    for chain, (one, other) in steps:
        first, second = transfers[one], transfers[other]
        seeds = {run.seed: run for run in second.runs}
        between = [
            look_between(
                RunPair(f"{one} and {other}, seed {run.seed}", first, second, run, seeds[run.seed]),
                looked_at,
                asked.line,
            )
            for run in first.runs
            if run.seed in seeds
        ]
        angles = [apart.angle / 90 for apart in between if apart.angle is not None]
        verdict = verdict_on(second, transfers.values(), settings)
        found.append(
            Succession(
                names[chain],
                one,
                other,
                (first.sparsity, second.sparsity),
                Barriers(tuple(apart.path.rise for apart in between), asked.limit),
                fmean(angles) if angles else None,
                verdict.standard if verdict is not None else None,
                has_batch_norm(second.source.network.body),
            )
        )
    return Successions(asked, tuple(found))


def chains_of(transfers: Mapping[str, Transfer]) -> list[tuple[str, ...]]:
    """Return the names of transfers of nested tickets of one draw, the densest first; chains of two or more.

    Dense comes first where the tickets start from the source as it does.
    """
    drawn = {
        name: one
        for name, one in transfers.items()
        if one.ticket is not None and not one.ticket.is_control and not one.settings.is_linear
    }
    chains: list[tuple[str, ...]] = []
    for names in grouped(drawn, lambda name: origin_of(drawn[name])).values():
        ordered = sorted(names, key=lambda name: drawn[name].sparsity)
        first = drawn[ordered[0]]
        dense = dense_of(first, transfers.values())
        begins = next((name for name, one in transfers.items() if one is dense), None)
        ticket = first.ticket
        if begins is not None and ticket is not None and ticket.stored is None and first.sparsity:
            ordered.insert(0, begins)
        chains += [chain for chain in cut_where_not_nested(ordered, transfers) if len(chain) > 1]
    return chains


def origin_of(transfer: Transfer) -> str:
    """Return what tickets of one draw that were trained alike have in common."""
    ticket = transfer.ticket
    assert ticket is not None
    draw: dict[str, Any] = {key: value for key, value in ticket.recipe["draw"].items() if key != "sparsity"}
    return json.dumps([compared(transfer), draw], sort_keys=True)


def cut_where_not_nested(names: list[str], transfers: Mapping[str, Transfer]) -> list[tuple[str, ...]]:
    """Return the names in pieces, in each of which every ticket lies inside the one before."""
    pieces: list[tuple[str, ...]] = []
    for name in names:
        masks = surviving(transfers[name])
        before = surviving(transfers[pieces[-1][-1]]) if pieces else {}
        if before.keys() >= masks.keys() and masks and is_nested(masks, before):
            pieces[-1] = (*pieces[-1], name)
        else:
            pieces.append((name,))
    return pieces


def names_of(chains: Sequence[tuple[str, ...]], transfers: Mapping[str, Transfer]) -> dict[tuple[str, ...], str]:
    """Return what each chain is called: by its rewinding point, or where that is not its own, by its last ticket."""
    points = {chain: point for chain in chains if (point := rewind_of(transfers[chain[-1]])) is not None}
    told = {chain: f"rewound to {point.describe()}" for chain, point in points.items()}
    alone = Counter(told.values())
    return {chain: told[chain] if alone[told.get(chain, "")] == 1 else f"to {chain[-1]}" for chain in chains}


def require_rounds(draws: Mapping[str, DrawSettings], transfers: Mapping[str, TransferSettings]) -> None:
    """Refuse, before anything is trained, to look between rounds of recipes that have none.

    Raises:
        UserError: no way of drawing has two sparsities, or only heads are trained.
    """
    if all(settings.is_linear for settings in transfers.values()):
        raise UserError("analyse.rounds: transfers train the head alone, whatever the round; use mode: full")
    if all(len(settings.sparsities) < 2 for settings in draws.values()):
        raise UserError(f"analyse.rounds: {NO_ROUNDS}")
