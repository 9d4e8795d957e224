import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robust_tickets.pruning.ranking import SAMPLED, exact_count, keep_highest, kth_smallest
from robust_tickets.pruning.scopes.erk import apportioned, largest_remainder
from robust_tickets.pruning.select import select


@given(
    layers=st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=30), min_size=1, max_size=5),
    fraction=st.floats(0, 1),
    seed=st.integers(0, 3),
)
def test_exactly_the_lowest_go_however_many_are_tied(layers: list[list[int]], fraction: float, seed: int) -> None:
    scores = {str(number): torch.tensor(layer, dtype=torch.float32) for number, layer in enumerate(layers)}
    total = sum(map(len, layers))
    removed = int(fraction * total)
    kept = keep_highest(scores, removed, torch.Generator().manual_seed(seed))
    flags = torch.cat(list(kept.values()))
    values = torch.cat(list(scores.values()))
    assert int((~flags).sum()) == removed
    if 0 < removed < total:
        assert values[flags].min() >= values[~flags].max()


@given(
    shares=st.lists(st.tuples(st.floats(0.01, 100), st.integers(1, 1000)), min_size=1, max_size=12),
    fraction=st.floats(0, 1),
)
def test_shares_add_up_exactly_and_respect_their_caps(shares: list[tuple[float, int]], fraction: float) -> None:
    quotas = {str(number): share for number, share in enumerate(shares)}
    total = int(fraction * sum(cap for _, cap in shares))
    counts = largest_remainder(quotas, total)
    assert sum(counts.values()) == total
    assert all(0 <= counts[name] <= cap for name, (_, cap) in quotas.items())


@given(
    shares=st.lists(st.tuples(st.floats(0.01, 100), st.integers(1, 1000)), min_size=1, max_size=12),
    fraction=st.floats(0, 1),
    minimum=st.integers(0, 5),
)
def test_everyone_gets_the_least_and_shares_still_add_up(
    shares: list[tuple[float, int]], fraction: float, minimum: int
) -> None:
    quotas = {str(number): share for number, share in enumerate(shares)}
    least = {name: min(minimum, cap) for name, (_, cap) in quotas.items()}
    total = max(int(fraction * sum(cap for _, cap in shares)), sum(least.values()))
    counts = apportioned(quotas, least, total)
    assert sum(counts.values()) == total
    assert all(least[name] <= counts[name] <= cap for name, (_, cap) in quotas.items())
    free = largest_remainder(quotas, total)
    if all(free[name] >= least[name] for name in free):
        assert counts == free


@settings(max_examples=20, deadline=None)
@given(sparsity=st.floats(0, 0.999), seed=st.integers(0, 5), scope=st.sampled_from(["global", "erk"]))
def test_counts_are_exact_for_any_sparsity(sparsity: float, seed: int, scope: str) -> None:
    weights = {"a": torch.randn(7, 5, 3, 3), "b": torch.randn(11, 7)}
    masks = select(weights, score="magnitude", group="element", scope=scope, sparsity=sparsity, seed=seed)
    total = 7 * 5 * 9 + 77
    most = total if scope == "global" else total - len(weights)
    assert sum(int((~mask).sum()) for mask in masks.values()) == min(exact_count(sparsity, total), most)


@pytest.mark.parametrize("fraction", [1e-6, 0.1, 0.5, 0.9, 0.999999])
@pytest.mark.parametrize("values", ["distinct", "mostly equal", "sorted"])
def test_large_networks_are_ranked_exactly(fraction: float, values: str) -> None:
    array = torch.randn(SAMPLED + 12_345, generator=torch.Generator().manual_seed(0)).abs()
    if values == "mostly equal":
        array[array < 1.5] = 0.0
    if values == "sorted":
        array = array.sort().values
    k = max(1, int(fraction * len(array)))
    assert kth_smallest(list(array.split(300_000)), k) == np.sort(array.numpy())[k - 1]


def test_ties_are_broken_without_bias_towards_layer_or_position() -> None:
    weights = {"small": torch.ones(3, 10), "large": torch.ones(9, 10)}
    draws = 300
    counts = torch.zeros(120)
    for seed in range(draws):
        masks = select(weights, score="magnitude", group="element", scope="global", sparsity=0.5, seed=seed)
        counts += torch.cat([mask.flatten() for mask in masks.values()])
    # Each position is kept with probability 1/2: five standard deviations of a binomial.
    assert (counts - draws / 2).abs().max() < 5 * (draws / 4) ** 0.5
    again = select(weights, score="magnitude", group="element", scope="global", sparsity=0.5, seed=draws - 1)
    assert all(torch.equal(masks[name], again[name]) for name in masks)


def test_ties_within_n_of_m_fall_on_every_position() -> None:
    weights = {"w": torch.ones(500, 4)}
    mask = select(weights, score="magnitude", group="n-m", scope="layer", sparsity=0.5)["w"]
    assert bool((mask.sum(1) == 2).all())
    assert ((mask.sum(0) - 250).abs() < 5 * 125**0.5).all()


def test_half_a_group_is_rounded_up() -> None:
    assert [exact_count(0.5, groups) for groups in (1, 2, 3, 4, 5)] == [1, 1, 2, 2, 3]
