from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robust_tickets.data.carving import choose, held_out
from robust_tickets.foundation.errors import UserError

LABELS = torch.tensor([0] * 200 + [1] * 300 + [2] * 100)[
    torch.randperm(600, generator=torch.Generator().manual_seed(0))
]
CLASSES = ("ant", "bee", "cow")


def part(fraction: float = 1.0, per_class: int | None = None, seed: int = 0) -> tuple[set[int], set[int]]:
    kept, held = choose(
        LABELS, CLASSES, fraction=fraction, per_class=per_class, hold_out=0.1, seed=seed, stream="validation"
    )
    return set(kept.tolist()), set(held.tolist())


def counts(indices: set[int]) -> list[int]:
    return LABELS[sorted(indices)].bincount(minlength=3).tolist()


def test_a_fraction_takes_the_rounded_count_of_each_class() -> None:
    train, validation = part(0.1)
    assert counts(train | validation) == [20, 30, 10]
    assert counts(validation) == [2, 3, 1]


def test_per_class_takes_the_same_count_of_each_class() -> None:
    train, validation = part(per_class=20)
    assert counts(train) == [18, 18, 18]
    assert counts(validation) == [2, 2, 2]


def test_train_and_validation_are_disjoint_and_together_the_whole() -> None:
    train, validation = part()
    assert not train & validation
    assert train | validation == set(range(600))


def test_smaller_fractions_lie_inside_larger_ones_on_both_sides() -> None:
    previous_train, previous_validation = part(0.02)
    for fraction in (0.05, 0.1, 0.33, 0.5, 1.0):
        train, validation = part(fraction)
        assert previous_train < train
        assert previous_validation <= validation
        previous_train, previous_validation = train, validation


def test_one_seed_gives_one_choice_and_another_seed_another() -> None:
    assert part(0.1, seed=3) == part(0.1, seed=3)
    assert part(0.1, seed=3) != part(0.1, seed=4)


@given(fraction=st.floats(0.001, 0.999))
@settings(max_examples=50)
def test_what_is_held_out_of_a_class_grows_by_at_most_one_and_leaves_one(fraction: float) -> None:
    sizes = [held_out(count, fraction) for count in range(300)]
    assert all(later - earlier in (0, 1) for earlier, later in pairwise(sizes))
    assert all(1 <= size < count for count, size in enumerate(sizes[2:], start=2))


def test_a_fraction_that_empties_a_class_is_refused_with_one_that_does_not() -> None:
    with pytest.raises(UserError, match=r"fraction 0.001 keeps none of the \d+ training images of class 'ant'.*0.0025"):
        part(0.001)


def test_more_per_class_than_there_are_is_refused() -> None:
    with pytest.raises(UserError, match="per_class 101 is more than the 100 training images of class 'cow'"):
        part(per_class=101)


def test_one_image_cannot_be_on_both_sides() -> None:
    with pytest.raises(UserError, match="cannot be in both parts"):
        part(per_class=1)


@pytest.mark.parametrize(("fraction", "train", "validation"), [(1.0, 4500, 500), (0.1, 450, 50), (0.01, 45, 5)])
def test_a_tenth_and_a_hundredth_of_fifty_thousand_images_are_balanced_and_nested(
    fraction: float, train: int, validation: int
) -> None:
    """The data-limited settings of arXiv 2206.04762, at the size of CIFAR-10."""
    labels = torch.arange(50_000) % 10
    names = tuple("abcdefghij")
    kept, held = choose(labels, names, fraction=fraction, hold_out=0.1, seed=3, stream="validation")
    assert labels[kept].bincount().tolist() == [train] * 10
    assert labels[held].bincount().tolist() == [validation] * 10
    whole, held_of_whole = choose(labels, names, hold_out=0.1, seed=3, stream="validation")
    assert set(kept.tolist()) <= set(whole.tolist())
    assert set(held.tolist()) <= set(held_of_whole.tolist())
    other, _ = choose(labels, names, fraction=fraction, hold_out=0.1, seed=4, stream="validation")
    assert not torch.equal(kept, other)
