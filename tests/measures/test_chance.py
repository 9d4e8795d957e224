"""Chance in mean differences: of seeds, of examples, of both; the rates at which the interval errs."""

from math import sqrt

import numpy as np
import pytest
import torch
from benchmarks.error_rates import Cell, correctness, layouts, rates, search_rates

from robust_tickets.measures.chance import Crossed, crossed, crossed_parts
from robust_tickets.measures.mean_iou import MeanIoU


def bits(*values: tuple[bool, int]) -> torch.Tensor:
    """Return correctness, told as runs."""
    return torch.tensor([value for value, count in values for _ in range(count)])


def test_one_seed_errs_as_mcnemars_test_does_but_for_one_more_image():
    # 8 images only the ticket gets right, 20 only dense, 972 alike.
    ticket, dense = bits((True, 8), (False, 20), (True, 972)), bits((False, 8), (True, 20), (True, 972))
    interval = crossed([ticket], [dense]).interval(0.05)
    mcnemar = sqrt(8 + 20 - (8 - 20) ** 2 / 1000) / 1000
    assert (interval.upper + interval.lower) / 2 == pytest.approx(-0.012, abs=1e-4)
    assert (interval.upper - interval.lower) / 2 == pytest.approx(1.645 * mcnemar + 1.57 / 1000, rel=0.03)


def test_variances_are_those_of_a_two_way_layout():
    """Cornfield and Tukey's mean squares, by numpy."""
    chance = torch.Generator().manual_seed(0)
    ticket, dense = ([torch.rand(40, generator=chance) < share for _ in range(4)] for share in (0.6, 0.8))
    found = crossed(ticket, dense)
    each = torch.stack(ticket).double().numpy() - torch.stack(dense).double().numpy()
    assert found.mean == pytest.approx(each.mean())
    assert found.between_seeds == pytest.approx(each.mean(1).var(ddof=1))
    assert found.between_units == pytest.approx(each.mean(0).var(ddof=1))
    left = each - each.mean(1, keepdims=True) - each.mean(0) + each.mean()
    assert found.rest == pytest.approx((left**2).sum() / (3 * 39))
    # Of the three mean squares and the mean, the sum of squares is the whole.
    whole = 40 * 3 * found.between_seeds + 4 * 39 * found.between_units + 3 * 39 * found.rest
    assert whole == pytest.approx(((each - each.mean()) ** 2).sum())


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_no_error_in_n_images_is_consistent_with_three_in_n(seeds):
    """The rule of three: Clopper and Pearson's limit for no event in N is -log(level) / N."""
    correct = torch.rand(300, generator=torch.Generator().manual_seed(0)) < 0.7
    interval = crossed([correct] * seeds, [correct] * seeds).interval(0.05)
    assert interval.lower == pytest.approx(-3.0 / 300, rel=0.1)
    assert interval.lower <= np.log(0.05) / 300
    assert interval.upper == -interval.lower


@pytest.mark.parametrize("lost", [1, 3, 8, 20])
def test_rare_losses_have_the_limits_of_a_rare_event(lost):
    """Garwood's exact limits of a Poisson mean, from its chi-squared quantiles; never narrower, hardly wider."""
    from scipy.stats import chi2

    ticket, dense = bits((False, lost), (True, 4000 - lost)), bits((True, 4000))
    interval = crossed([ticket] * 3, [dense] * 3).interval(0.05)
    limit = chi2.ppf(0.95, 2 * lost + 2) / 2
    assert limit <= -4000 * interval.lower <= 1.04 * limit


def test_parts_of_one_example_are_the_examples():
    """In a mean over examples, what the jackknife says of each is its own value."""
    chance = torch.Generator().manual_seed(0)
    ticket, dense = ([torch.rand(60, generator=chance) < share for _ in range(3)] for share in (0.6, 0.8))

    def in_parts(some: list[torch.Tensor]) -> list[tuple[float, torch.Tensor]]:
        each = [one.double() for one in some]
        return [(one.mean().item(), (one.sum() - one) / 59) for one in each]

    by_parts, by_examples = crossed_parts(in_parts(ticket), in_parts(dense), 60), crossed(ticket, dense)
    for name in ("mean", "between_seeds", "between_units", "rest"):
        assert getattr(by_parts, name) == pytest.approx(getattr(by_examples, name)), name
    assert by_parts.examples == 60
    assert by_parts.size == 1


def test_of_a_set_the_interval_covers_over_draws_of_images_and_seeds():
    """mIoU of two networks that err on the same images, 3 seeds, 200 images in 50 parts; the truth from 200,000."""
    chance = np.random.default_rng(0)
    metric = MeanIoU(["sky", "road", "car"])
    base = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]]) * np.array([[0.5], [0.4], [0.1]])

    def confusions(images: int, better: float, hard: np.ndarray, shift: float) -> np.ndarray:
        right = np.eye(3) * np.array([0.5, 0.4, 0.1])
        mixed = np.clip(better + shift + 0.3 * hard, 0.05, 0.95)[:, None, None]
        share = mixed * right + (1 - mixed) * base
        return chance.multinomial(400, share.reshape(images, 9)).reshape(images, 3, 3)

    def value(counts: np.ndarray) -> float:
        return metric.value(torch.from_numpy(counts.sum(0)))

    def truth(better: float) -> float:
        hard = chance.standard_normal(200_000)
        return value(confusions(200_000, better, hard, 0.0))

    wanted, inside = truth(0.5) - truth(0.55), 0
    for _ in range(200):
        hard = chance.standard_normal(200)
        found = []
        for better in (0.5, 0.55):
            seeds = []
            for _ in range(3):
                counts = confusions(200, better, hard, 0.01 * chance.standard_normal())
                parts = counts.reshape(50, 4, 3, 3).sum(1)
                without = [value(np.delete(parts, part, 0)) for part in range(50)]
                seeds.append((value(counts), torch.tensor(without)))
            found.append(seeds)
        interval = crossed_parts(found[0], found[1], 200).interval(0.05)
        inside += interval.lower <= wanted <= interval.upper
    assert inside / 200 == pytest.approx(0.93, abs=0.05)


def test_with_many_examples_it_is_students_interval_over_seeds():
    of_seeds = 0.004**2
    found = Crossed(-0.002, 4, 10**7, between_seeds=of_seeds, between_units=0.05, rest=0.15)
    interval = found.interval(0.05)
    assert (interval.upper - interval.lower) / 2 == pytest.approx(2.3534 * 0.004 / 2, rel=0.01)


def test_with_equal_seeds_it_is_the_interval_over_examples():
    chance = torch.Generator().manual_seed(1)
    ticket, dense = torch.rand(500, generator=chance) < 0.8, torch.rand(500, generator=chance) < 0.8
    alone = crossed([ticket], [dense])
    several = crossed([ticket] * 5, [dense] * 5)
    assert several.interval(0.05).lower == pytest.approx(alone.interval(0.05).lower)
    assert several.over_examples(0.05).upper == pytest.approx(alone.interval(0.05).upper)


def test_what_is_foreseen_is_what_more_seeds_and_examples_bring():
    """Of 4 seeds on 400 images, on average over repetitions, the variances at 8 seeds and at 1,600 images."""
    chance = np.random.default_rng(0)

    def drawn(seeds: int, examples: int) -> Crossed:
        each = (
            0.05 * chance.standard_normal((seeds, 1))
            + 0.3 * chance.standard_normal((1, examples))
            + 0.2 * chance.standard_normal((seeds, examples))
        )
        return crossed([torch.tensor(row) for row in each], [torch.zeros(examples)] * seeds)

    foreseen = [drawn(4, 400) for _ in range(200)]
    for seeds, examples in ((8, 400), (4, 1600)):
        seen = [drawn(seeds, examples) for _ in range(100)]
        for part in ("between_seeds", "between_units", "rest"):
            expected = np.mean([getattr(one, part) for one in seen])
            told = np.mean([getattr(one.foreseen(seeds, examples), part) for one in foreseen])
            assert told == pytest.approx(expected, rel=0.1), part


@pytest.mark.parametrize(
    ("cell", "before"),
    [
        (Cell(seeds=2, examples=40, accuracy=0.6, shared=1.0, own=0.0, spread=0.0), 0.6),
        (Cell(seeds=2, examples=500, accuracy=0.985, shared=1.0, own=0.0, spread=0.15), 0.05),
        (Cell(seeds=3, examples=150, accuracy=0.9, shared=0.5, own=0.5, spread=0.0), 0.4),
        (Cell(seeds=5, examples=500, accuracy=0.9, shared=0.5, own=0.3, spread=0.0), 0.1),
    ],
    ids=str,
)
def test_at_the_margin_wrong_verdicts_are_no_more_frequent_than_they_may_be(cell, before):
    """Seeds alone, as decisions were made before, err in up to two thirds of these."""
    found = rates(cell, difference=-0.01, margin=0.01, level=0.05, repetitions=1500, seed=0)
    assert found.matches <= 0.05 + 3 * sqrt(0.05 * 0.95 / 1500)
    assert found.does_not_match <= 0.05 + 3 * sqrt(0.05 * 0.95 / 1500)
    assert max(found.matches_over_seeds, found.does_not_match_over_seeds) > before


def test_what_is_simulated_together_is_what_is_crossed_one_by_one():
    case = Cell(seeds=3, examples=60, accuracy=0.8, shared=0.4, own=0.2, spread=0.1)
    found = [one for one, _ in layouts(case, -0.05, 5, np.random.default_rng(0))]
    for one, ticket, dense in zip(found, *correctness(case, -0.05, 5, np.random.default_rng(0)), strict=True):
        other = crossed(*([torch.from_numpy(seed.copy()) for seed in each] for each in (ticket, dense)))
        for name in ("mean", "seeds", "units", "between_seeds", "between_units", "rest"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-4), name


def test_a_search_confirms_a_wrong_ticket_rarely_by_fresh_seeds_and_often_by_those_that_chose_it():
    """Eight tickets at the margin, seeds 1.8 points apart: whoever is chosen was lucky in its seeds."""
    case = Cell(seeds=3, examples=3000, accuracy=0.9, shared=0.7, own=0.1, spread=0.1)
    found = search_rates(case, tickets=8, validation=1000, margin=0.01, level=0.05, repetitions=300, seed=0)
    assert found.fresh_seeds <= 0.05
    assert found.same_seeds > 0.05 + 2 * sqrt(0.05 * 0.95 / 300)
