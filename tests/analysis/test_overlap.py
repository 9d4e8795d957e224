"""The overlap of masks, and what chance gives."""

import math
import time

import pytest
import torch

from robust_tickets.analysis.overlap import Overlap, overlaps
from robust_tickets.foundation.errors import UserError


def bits(text: str) -> torch.Tensor:
    return torch.tensor([letter == "1" for letter in text])


def test_a_hand_computed_overlap() -> None:
    found = Overlap.of(bits("11110000"), bits("00111100"))
    assert (found.first, found.second, found.both) == (4, 4, 2)
    assert found.jaccard == pytest.approx(2 / 6)
    assert (found.mean, found.variance) == (2.0, pytest.approx(16 * 16 / (64 * 7)))


def test_equal_disjoint_and_empty_masks() -> None:
    assert Overlap.of(bits("1010"), bits("1010")).jaccard == 1
    assert Overlap.of(bits("1010"), bits("0101")).jaccard == 0
    empty = Overlap.of(bits("0000"), bits("0000"))
    assert (empty.jaccard, empty.chance, empty.chance_deviation) == (1, 1, 0)
    whole = Overlap.of(bits("1111"), bits("1111"))
    assert (whole.jaccard, whole.chance, whole.chance_deviation) == (1, 1, 0)


def exact_chance(n: int, a: int, b: int) -> float:
    """The expectation over the hypergeometric distribution, term by term."""
    ways = math.comb(n, b)
    return sum(
        math.comb(a, x) * math.comb(n - a, b - x) / ways * x / (a + b - x)
        for x in range(max(0, a + b - n), min(a, b) + 1)
    )


@pytest.mark.parametrize(("n", "a", "b"), [(100, 10, 10), (100, 50, 30), (400, 40, 200), (1000, 900, 900)])
def test_chance_is_the_expectation_over_independent_masks(n: int, a: int, b: int) -> None:
    first, second = torch.arange(n) < a, torch.arange(n) < b
    assert Overlap.of(first, second).chance == pytest.approx(exact_chance(n, a, b), abs=2 / n**1.5)


def test_random_masks_overlap_as_chance_says_within_its_standard_error() -> None:
    random = torch.Generator().manual_seed(0)
    layers = {"narrow": (600, 0.5), "wide": (4000, 0.1)}
    found, told = [], None
    for _ in range(300):
        pairs = []
        for size, density in layers.values():
            keep = [torch.randperm(size, generator=random) < density * size for _ in range(2)]
            pairs.append(Overlap.of(*keep))
        told = Overlap.total(pairs)
        found.append(told.jaccard)
    assert told is not None
    values = torch.tensor(found, dtype=torch.float64)
    assert abs(values.mean().item() - told.chance) < 3 * told.chance_deviation / math.sqrt(len(found))
    assert values.std().item() == pytest.approx(told.chance_deviation, rel=0.15)
    # One pool of all weights would be another chance: layers of unequal sparsity overlap more.
    pooled = Overlap.of(torch.arange(4600) < 700, torch.arange(4600) < 700)
    assert told.chance > 1.5 * pooled.chance


def test_layers_add_up() -> None:
    first = {"a": bits("1100"), "b": bits("111000")}
    second = {"a": bits("0110"), "b": bits("111000")}
    layers = overlaps(first, second)
    assert [layer.jaccard for layer in layers.values()] == [pytest.approx(1 / 3), 1]
    assert Overlap.total(layers.values()).jaccard == pytest.approx(4 / 6)


def test_masks_of_other_weights_are_refused() -> None:
    with pytest.raises(UserError, match=r"for b one has shape \[4\], the other nothing"):
        overlaps({"a": bits("11"), "b": bits("1111")}, {"a": bits("11")})
    with pytest.raises(UserError, match=r"for a one has shape \[2\], the other shape \[3\]"):
        overlaps({"a": bits("11")}, {"a": bits("111")})


def test_masks_of_the_size_of_a_resnet50_take_less_than_a_second() -> None:
    sizes = [(512, 512, 9)] * 3 + [(2048, 1024)] * 4 + [(1024, 1024)] * 8
    masks = [{str(i): torch.rand(size) < 0.1 for i, size in enumerate(sizes)} for _ in range(2)]
    assert sum(mask.numel() for mask in masks[0].values()) > 23e6
    started = time.process_time()
    overlaps(*masks)
    assert time.process_time() - started < 1
