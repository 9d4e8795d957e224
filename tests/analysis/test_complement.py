"""Complements and flips, to the bit."""

import pytest
import torch

from robust_tickets.analysis.complement import complement, flipped
from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.groups import NM, Channel, Element, Kernel
from robust_tickets.pruning.masks import Masks, sparsity


def masks() -> Masks:
    random = torch.Generator().manual_seed(0)
    return {
        "conv": (torch.randperm(8 * 4 * 9, generator=random) < 100).reshape(8, 4, 3, 3),
        "fc": (torch.randperm(60, generator=random) < 55).reshape(6, 10),
    }


def test_a_complement_and_its_ticket_make_the_whole() -> None:
    made = complement(masks())
    for name, mask in masks().items():
        assert bool((mask ^ made[name]).all())
    assert sparsity(made) == pytest.approx(1 - sparsity(masks()))


def test_a_layer_left_whole_has_no_complement() -> None:
    dense = masks() | {"stem": torch.ones(4, 4, dtype=torch.bool)}
    with pytest.raises(UserError, match=r"nothing is removed from stem"):
        complement(dense)


@pytest.mark.parametrize(("share", "moved"), [(0.0, (0, 0)), (0.1, (10, 5)), (0.5, (50, 5)), (1.0, (100, 5))])
def test_flips_move_an_exact_number_in_every_layer(share: float, moved: tuple[int, int]) -> None:
    made = flipped(masks(), Element(), share, seed=0)
    for (name, mask), count in zip(masks().items(), moved, strict=True):
        assert int((mask & ~made[name]).sum()) == count
        assert int((~mask & made[name]).sum()) == count


def test_flips_are_seeded_and_nested() -> None:
    few, more, other = (flipped(masks(), Element(), s, seed)["conv"] for s, seed in ((0.1, 0), (0.3, 0), (0.1, 1)))
    assert torch.equal(few, flipped(masks(), Element(), 0.1, 0)["conv"])
    assert not torch.equal(few, other)
    original = masks()["conv"]
    assert bool(((original ^ more) | ~(original ^ few)).all()), "what few flips is flipped by more too"


def test_groups_are_flipped_whole() -> None:
    kernels = torch.rand(8, 4, generator=torch.Generator().manual_seed(0)) < 0.5
    ticket = {"conv": kernels[:, :, None, None].expand(8, 4, 3, 3).contiguous()}
    made = flipped(ticket, Kernel(), 0.25, seed=0)["conv"].flatten(2)
    assert torch.equal(made.any(2), made.all(2))
    assert int((kernels & ~made.all(2)).sum()) == int(0.25 * int(kernels.sum()) + 0.5)


def test_a_layer_left_whole_stays_whole_under_flips() -> None:
    dense = {"stem": torch.ones(4, 4, dtype=torch.bool)}
    assert bool(flipped(dense, Element(), 0.5, seed=0)["stem"].all())


@pytest.mark.parametrize("group", [NM(), Channel()])
def test_groups_that_flips_would_break_are_refused(group: NM | Channel) -> None:
    with pytest.raises(UserError, match="would break the structure that ties them"):
        flipped(masks(), group, 0.1, seed=0)
