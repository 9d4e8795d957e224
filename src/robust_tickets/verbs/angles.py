"""Angles: how far apart the solutions are that tickets were trained to, on the weights that both have."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement
from statistics import fmean, stdev

from torch import Tensor

from robust_tickets.analysis.distance import angular_distance, shared_masks, survivors
from robust_tickets.pruning.masks import Masks
from robust_tickets.verbs.run_pairs import full_masks, surviving, weights_at
from robust_tickets.verbs.succession import origin_of
from robust_tickets.verbs.transfer import Transfer

_log = logging.getLogger(__name__)

States = dict[int, dict[str, Tensor]]
"""Of one transfer, by seed: prunable weights by name."""


@dataclass(frozen=True)
class Distances:
    """Angular distances between two transfers' networks."""

    values: tuple[float, ...]
    """2 angle / pi, in [0, 2]: of every seed that both have, or of all pairs of seeds of one transfer."""

    @property
    def mean(self) -> float | None:
        """Return the mean; None of no values: a single seed, or masks that have nothing in common."""
        return fmean(self.values) if self.values else None

    @property
    def spread(self) -> float | None:
        """Return the standard deviation; None of fewer than two."""
        return stdev(self.values) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Angles:
    """Angular distances between the networks of several transfers over the same weights, on their common masks."""

    names: tuple[str, ...]
    pairs: Mapping[tuple[str, str], Distances]
    """Of each pair in the order of the names, each with itself among them: there between seeds."""
    left_out: int = 0
    """Transfers that were not looked at, because they are too many."""


def angles(transfers: Mapping[str, Transfer], most: int) -> tuple[Angles, ...]:
    """Return the angular distances between transferred networks, seed by seed.

    Args:
        transfers: by the name that tables show; drawn tickets and dense come before controls.
        most: at most this many transfers of one architecture are compared; 0: none.

    Returns:
        One matrix for each set of transfers of one architecture that have more than one network; transfers of the head
        alone, whose bodies are all the source's, are left out.
    """
    if not most:
        return ()
    sets: dict[object, dict[str, Transfer]] = {}
    for name, transfer in in_order(transfers):
        if transfer.settings.is_linear:
            continue
        weights = full_masks(transfer.source.network)
        key = tuple((name, tuple(mask.shape)) for name, mask in weights.items())
        sets.setdefault(key, {})[name] = transfer
    found = []
    for alike in sets.values():
        shown = dict(list(alike.items())[:most])
        if len(shown) > 1 or any(len(transfer.runs) > 1 for transfer in shown.values()):
            found.append(between(shown, len(alike) - len(shown)))
    return tuple(found)


def in_order(transfers: Mapping[str, Transfer]) -> list[tuple[str, Transfer]]:
    """Return transfers draw by draw, the densest first, dense before all and controls behind; by name."""
    draws: list[str] = []

    def place(named: tuple[str, Transfer]) -> tuple[bool, int, float]:
        ticket = named[1].ticket
        if ticket is None:
            return False, -1, 0.0
        draw = origin_of(named[1])
        if draw not in draws:
            draws.append(draw)
        return ticket.is_control, draws.index(draw), ticket.sparsity

    return sorted(transfers.items(), key=place)


def between(transfers: Mapping[str, Transfer], left_out: int) -> Angles:
    """Return the angular distances between transfers of one architecture, on the weights that both of a pair have."""
    _log.info("angles between %d transfers", len(transfers))
    masks = {name: surviving(transfer) for name, transfer in transfers.items()}
    states = {name: states_of(transfer, masks[name]) for name, transfer in transfers.items()}
    pairs: dict[tuple[str, str], Distances] = {}
    for one, other in combinations_with_replacement(transfers, 2):
        seeds = combinations(states[one], 2) if one == other else ((seed, seed) for seed in states[one])
        both = [(states[one][first], states[other][second]) for first, second in seeds if second in states[other]]
        distances = []
        for first, second in both:
            there = [name for name in first if name in second]
            shared = shared_masks(*({name: masks[of][name] for name in there} for of in (one, other)))
            distances.append(angular_distance(survivors(first, shared), survivors(second, shared)))
        pairs[one, other] = Distances(tuple(found for found in distances if found is not None))
    return Angles(tuple(transfers), pairs, left_out)


def states_of(transfer: Transfer, masks: Masks) -> States:
    """Return the prunable weights of every seed's network by the source's names, as far as its task has them."""
    return {run.seed: weights_at(transfer, run.network, masks) for run in transfer.runs}
