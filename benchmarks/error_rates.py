"""How often the verdict is wrong, and how often it is right: both rates, simulated.

    python -m benchmarks.error_rates                # the tables of docs/matching.md, about ten minutes on one core

Every network is right on an example where a normal variable stays below a threshold: a share of its variance belongs to
the example and is the same for ticket and dense in every seed (`shared`), another to the example and the one of the two
(`own`), and the rest to chance within a seed. Seeds shift the threshold (`spread`). Ticket and dense are `difference`
apart in expectation, exactly.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from math import sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import torch

from robust_tickets.foundation.unit import PERCENT
from robust_tickets.measures.accuracy import accuracy
from robust_tickets.measures.chance import Crossed, crossed
from robust_tickets.measures.matching import conclusion_of, interval_over_seeds

SEEDS = (2, 3, 5, 10)
EXAMPLES = (40, 150, 500, 2000, 10000)
ACCURACIES = (0.6, 0.9, 0.985)
CORRELATIONS = ((0.0, 0.0), (0.5, 0.0), (0.9, 0.0), (1.0, 0.0), (0.5, 0.5), (0.9, 0.05), (0.7, 0.2))
"""Shares of variance: of the example alike for both networks, and of the example in each."""
SPREADS = (0.0, 0.03, 0.15)
"""Deviation between seeds, of the threshold: the largest moves an accuracy of 90 % by 2.6 points."""
BATCH = 2_000_000
TINY = 1e-9


class Cell(NamedTuple):
    """One case of the grid."""

    seeds: int
    examples: int
    accuracy: float
    """Dense's."""
    shared: float
    own: float
    spread: float


class Rates(NamedTuple):
    """Shares of verdicts: by this rule, and by Student's interval over seeds alone."""

    matches: float
    does_not_match: float
    matches_over_seeds: float
    does_not_match_over_seeds: float


def rates(cell: Cell, difference: float, margin: float, level: float, repetitions: int, seed: int) -> Rates:
    """Return how often each verdict is reached where the ticket is truly `difference` better than dense."""
    chance = np.random.default_rng([seed, *(round(1000 * value) for value in cell)])
    counts = dict.fromkeys(Rates._fields, 0)
    for found, of_seeds in layouts(cell, difference, repetitions, chance):
        verdict = conclusion_of(found.interval(level), margin)
        alone = interval_over_seeds([one - other for one, other in zip(*of_seeds, strict=True)], level)
        counts["matches"] += verdict == "matches"
        counts["does_not_match"] += verdict == "does not match"
        counts["matches_over_seeds"] += alone.lower + margin > TINY
        counts["does_not_match_over_seeds"] += alone.upper + margin < -TINY
    return Rates(**{name: count / repetitions for name, count in counts.items()})


def layouts(
    cell: Cell, difference: float, repetitions: int, chance: np.random.Generator
) -> Iterator[tuple[Crossed, tuple[list[float], list[float]]]]:
    """Yield the variances of simulated differences, and the accuracies of ticket and dense, seed by seed."""
    seeds, examples = cell.seeds, cell.examples
    at_once = max(1, BATCH // (seeds * examples))
    for start in range(0, repetitions, at_once):
        count = min(at_once, repetitions - start)
        ticket, dense = correctness(cell, difference, count, chance)
        each = (ticket.astype(np.int8) - dense).astype(np.float32)
        mean = each.mean((1, 2), dtype=np.float64)
        of_seeds, of_examples = each.mean(2, dtype=np.float64), each.mean(1, dtype=np.float64)
        whole = (each**2).sum((1, 2), dtype=np.float64) - seeds * examples * mean**2
        between_seeds, between_examples = of_seeds.var(1, ddof=1), of_examples.var(1, ddof=1)
        rest = whole - examples * (seeds - 1) * between_seeds - seeds * (examples - 1) * between_examples
        rest = np.maximum(rest, 0) / ((seeds - 1) * (examples - 1))
        accuracies = [part.mean(2, dtype=np.float64) for part in (ticket, dense)]
        for one in range(count):
            yield (
                Crossed(
                    float(mean[one]), seeds, examples, *(float(v[one]) for v in (between_seeds, between_examples, rest))
                ),
                (accuracies[0][one].tolist(), accuracies[1][one].tolist()),
            )


def correctness(
    cell: Cell, difference: float, count: int, chance: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return what ticket and dense get right, bool [count, seeds, examples] each."""
    both = _normal(chance, cell.shared, count, 1, cell.examples)
    found = []
    for expected in (cell.accuracy + difference, cell.accuracy):
        level = _normal(chance, cell.spread**2, count, cell.seeds, 1) + np.float32(_threshold(cell, expected))
        latent = both + _normal(chance, cell.own, count, 1, cell.examples)
        latent = latent + _normal(chance, 1 - cell.shared - cell.own, count, cell.seeds, cell.examples)
        found.append(np.broadcast_to(latent < level, (count, cell.seeds, cell.examples)))
    return found[0], found[1]


class SearchRates(NamedTuple):
    """Shares of searches that confirm a ticket although none is better than the margin."""

    same_seeds: float
    fresh_seeds: float


def search_rates(
    cell: Cell, tickets: int, validation: int, margin: float, level: float, repetitions: int, seed: int
) -> SearchRates:
    """Return how often a search over tickets at the margin confirms one: by the seeds it chose, and by fresh ones.

    Args:
        cell: its examples are those of the test part.
        tickets: number of tickets; the first one that matches on validation is taken.
        validation: number of validation examples.
        margin, level: of the decisions.
        repetitions: number of searches.
        seed: of the simulation.
    """
    chance = np.random.default_rng(seed)
    counts = dict.fromkeys(SearchRates._fields, 0)
    examples = validation + cell.examples
    thresholds = [_threshold(cell, accuracy) for accuracy in (cell.accuracy, *[cell.accuracy - margin] * tickets)]
    for _ in range(repetitions):
        shared = _normal(chance, cell.shared, examples)
        # Of dense and of each ticket; it is the same network for all seeds.
        of_images = [shared + _normal(chance, cell.own, examples) for _ in thresholds]
        right = [_trained(cell, own, one, chance) for own, one in zip(of_images, thresholds, strict=True)]
        on_validation = [[one[:validation] for one in torch.from_numpy(each)] for each in right]
        chosen = next(
            (
                place
                for place in range(1, tickets + 1)
                if _decided(on_validation[place], on_validation[0], margin, level, over_examples=False) == "matches"
            ),
            None,
        )
        if chosen is None:
            continue
        fresh = [_trained(cell, of_images[place], thresholds[place], chance) for place in (chosen, 0)]
        for name, (ticket, dense) in (("same_seeds", (right[chosen], right[0])), ("fresh_seeds", fresh)):
            of_ticket, of_dense = ([one[validation:] for one in torch.from_numpy(each)] for each in (ticket, dense))
            counts[name] += _decided(of_ticket, of_dense, margin, level) == "matches"
    return SearchRates(**{name: count / repetitions for name, count in counts.items()})


def _threshold(cell: Cell, accuracy: float) -> float:
    """Return the threshold that is right in expectation; over seeds it is normal, too."""
    return NormalDist().inv_cdf(accuracy) * sqrt(1 + cell.spread**2)


def _normal(chance: np.random.Generator, share: float, *shape: int) -> np.ndarray:
    """Return normal numbers of this variance; not drawn where it is 0."""
    if share <= TINY:
        return np.zeros((), np.float32)
    return chance.standard_normal(shape, dtype=np.float32) * np.float32(sqrt(share))


def _trained(cell: Cell, of_images: np.ndarray, threshold: float, chance: np.random.Generator) -> np.ndarray:
    """Return what a network gets right in each seed, bool [seeds, examples]."""
    level = _normal(chance, cell.spread**2, cell.seeds, 1) + np.float32(threshold)
    rest = _normal(chance, 1 - cell.shared - cell.own, cell.seeds, of_images.shape[-1])
    return of_images + rest < level


def _decided(
    ticket: Sequence[torch.Tensor],
    dense: Sequence[torch.Tensor],
    margin: float,
    level: float,
    over_examples: bool = True,
) -> str:
    if over_examples:
        return conclusion_of(crossed(ticket, dense).interval(level), margin)
    differences = [accuracy(one) - accuracy(other) for one, other in zip(ticket, dense, strict=True)]
    return conclusion_of(interval_over_seeds(differences, level), margin)


def repetitions_of(examples: int) -> int:
    """Return how often a cell is simulated: what a minute or so allows."""
    return 4000 if examples <= 500 else 2000 if examples <= 2000 else 1000


def cells(seeds: int, examples: int) -> list[Cell]:
    """Return every case of this many seeds and examples."""
    return [
        Cell(seeds, examples, accuracy, *correlation, spread)
        for accuracy, correlation, spread in product(ACCURACIES, CORRELATIONS, SPREADS)
    ]


def main(margin: float = 0.01, level: float = 0.05) -> None:
    """Print both tables in Markdown."""
    print(
        f"Wrong verdicts at the margin (%), the largest of {len(cells(2, 40))} cases; nominal {PERCENT.number(level)}\n"
    )
    print(_row("seeds", "test examples", "repetitions", "matches", "does not match", "over seeds alone"))
    print(_row(*["---:"] * 6))
    for seeds, examples in product(SEEDS, EXAMPLES):
        repetitions = repetitions_of(examples)
        found = [rates(cell, -margin, margin, level, repetitions, 0) for cell in cells(seeds, examples)]
        wrong = (max(one.matches for one in found), max(one.does_not_match for one in found))
        before = max(max(one.matches_over_seeds, one.does_not_match_over_seeds) for one in found)
        print(_row(seeds, f"{examples:,}", f"{repetitions:,}", *map(PERCENT.number, (*wrong, before))), flush=True)
    print("\nRight verdicts where the ticket is as good as dense (%): `matches`, and over seeds alone\n")
    print(_row("seeds", *(f"{examples:,} examples" for examples in EXAMPLES)))
    print(_row(*["---:"] * (len(EXAMPLES) + 1)))
    for seeds in SEEDS:
        print(_row(seeds, *(_power(seeds, examples, margin, level) for examples in EXAMPLES)), flush=True)
    case = Cell(seeds=3, examples=5000, accuracy=0.9, shared=0.7, own=0.1, spread=0.1)
    found = search_rates(case, tickets=8, validation=2000, margin=margin, level=level, repetitions=2000, seed=2)
    print("\nSearches over eight tickets at the margin that confirm one (%)\n")
    print(_row("the seeds it was chosen by", "fresh seeds"))
    print(_row(*["---:"] * 2))
    print(_row(*map(PERCENT.number, found)))


def _power(seeds: int, examples: int, margin: float, level: float) -> str:
    """Return the share that matches in a common case, by this rule and over seeds alone."""
    case = Cell(seeds, examples, accuracy=0.9, shared=0.7, own=0.1, spread=0.03)
    found = rates(case, 0.0, margin, level, 1000, 1)
    return f"{PERCENT.number(found.matches)} / {PERCENT.number(found.matches_over_seeds)}"


def _row(*values: object) -> str:
    return f"| {' | '.join(map(str, values))} |"


if __name__ == "__main__":
    main()
