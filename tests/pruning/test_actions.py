"""Actions on a trainee that is the protocol and nothing more: tensors in dicts."""

from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from robust_tickets.pruning.actions import CompareDraws, DropAndGrow, Prune, Reactivate, Restore, Rewind
from robust_tickets.pruning.draw_history import DrawHistory
from robust_tickets.pruning.drop_and_grow import drop_and_grow
from robust_tickets.pruning.masks import Masks, full, is_nested, sparsity
from robust_tickets.pruning.select import Selection


@dataclass
class TensorTrainee:
    tensors: dict[str, Tensor]
    slopes: dict[str, Tensor] = field(default_factory=dict)
    seed: int = 0
    step: int = 0
    is_finished: bool = False
    history: DrawHistory = field(default_factory=DrawHistory)
    moves: bool = False

    def __post_init__(self) -> None:
        self.masks: Masks = full(self.tensors)
        self.start = {name: tensor.clone() for name, tensor in self.tensors.items()}

    def weights(self) -> dict[str, Tensor]:
        return self.tensors

    def gradients(self) -> dict[str, Tensor]:
        assert self.slopes, "nobody may ask"
        return self.slopes

    def select(self, sparsity: float) -> Masks:
        return Selection().select(self.tensors, sparsity=sparsity, masks=self.masks, seed=self.seed)

    def compensate(self, masks: Masks) -> None:
        """Halve what stays: weights may move before, and only before, the others are gone."""
        if self.moves:
            for name, mask in masks.items():
                assert self.tensors[name][~mask & self.masks[name]].all(), "what goes is still there"
                self.tensors[name][mask] /= 2

    def set_masks(self, masks: Masks) -> None:
        self.masks = masks
        for name, mask in masks.items():
            self.tensors[name].mul_(mask)

    def set_aside(self, masks: Masks) -> None:
        self.aside = {name: tensor * ~masks[name] for name, tensor in self.tensors.items()}

    def bring_back(self) -> None:
        for name, value in self.aside.items():
            self.tensors[name] += value * self.masks[name]

    def remove_idle(self, threshold: float, frees: float, most: float) -> None:
        raise AssertionError("nobody may ask: there are no channels")

    def finish(self) -> None:
        self.is_finished = True

    def rewind(self) -> None:
        for name, tensor in self.start.items():
            self.tensors[name].copy_(tensor * self.masks[name])


def trainee() -> TensorTrainee:
    random = torch.Generator().manual_seed(0)
    shapes = {"a": (6, 4, 3, 3), "b": (10, 6)}
    return TensorTrainee(
        {name: torch.randn(shape, generator=random) for name, shape in shapes.items()},
        {name: torch.randn(shape, generator=random) for name, shape in shapes.items()},
    )


def test_weights_make_up_for_those_that_go_before_they_are_gone() -> None:
    subject = trainee()
    subject.moves = True
    before = {name: tensor.clone() for name, tensor in subject.tensors.items()}
    Prune(0.5).apply(subject)
    for name, tensor in subject.tensors.items():
        assert torch.equal(tensor, before[name] / 2 * subject.masks[name])


def test_prune_goes_on_from_the_masks_in_force() -> None:
    subject = trainee()
    Prune(0.3).apply(subject)
    first = subject.masks
    Prune(0.6).apply(subject)
    assert is_nested(subject.masks, first)
    assert sparsity(subject.masks) == pytest.approx(0.6, abs=0.002)


def test_restore_lifts_masks_so_that_the_next_prune_may_choose_afresh() -> None:
    subject = trainee()
    Prune(0.5).apply(subject)
    before = {name: mask.clone() for name, mask in subject.masks.items()}
    Restore().apply(subject)
    assert sparsity(subject.masks) == 0.0
    for name, tensor in subject.tensors.items():
        tensor.add_(before[name].logical_not(), alpha=10.0)
    Prune(0.5).apply(subject)
    assert all(not (subject.masks[name] & before[name]).any() for name in before)


def test_what_goes_for_now_comes_back_with_its_values_among_weights_that_trained_on() -> None:
    subject = trainee()
    subject.moves = True  # what comes back needs nobody to make up for it
    before = {name: tensor.clone() for name, tensor in subject.tensors.items()}
    Prune(0.5, for_now=True).apply(subject)
    away = {name: ~mask for name, mask in subject.masks.items()}
    assert sparsity(subject.masks) == pytest.approx(0.5, abs=0.002)
    assert all(not bool(subject.tensors[name][gone].any()) for name, gone in away.items())
    for name, gone in away.items():
        subject.tensors[name][~gone] += 1
    Reactivate().apply(subject)
    assert sparsity(subject.masks) == 0.0
    for name, gone in away.items():
        assert torch.equal(subject.tensors[name], torch.where(gone, before[name], before[name] + 1))


def test_rewind_leaves_masks() -> None:
    subject = trainee()
    Prune(0.5).apply(subject)
    masks = subject.masks
    subject.tensors["a"].add_(1.0)
    Rewind().apply(subject)
    assert subject.masks is masks
    assert torch.equal(subject.tensors["a"], subject.start["a"] * masks["a"])


def test_drop_and_grow_keeps_counts_and_starts_grown_weights_at_zero() -> None:
    subject = trainee()
    Prune(0.6).apply(subject)
    before = subject.masks
    DropAndGrow(0.4).apply(subject)
    moved = {name: int((before[name] & ~subject.masks[name]).sum()) for name in before}
    assert sum(moved.values()) > 0
    for name, mask in subject.masks.items():
        assert mask.sum() == before[name].sum()
        assert not subject.tensors[name][mask & ~before[name]].any()


def test_the_smallest_weights_go_and_the_steepest_come() -> None:
    weights = {"w": torch.tensor([[1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0]])}
    gradients = {"w": torch.tensor([[9.0, 0.1, 0.0, 0.0, 0.2, -5.0, 0.3, 0.4]])}
    masks = {"w": torch.tensor([[True, True, True, True, False, False, False, False]])}
    grown = drop_and_grow(weights, gradients, masks, 0.5)["w"]
    # 1.0 and 2.0 are dropped; 1.0 has the steepest gradient of all and comes back, as the paper allows.
    assert grown.tolist() == [[True, False, True, True, False, True, False, False]]


def test_random_growth_favours_no_place_and_asks_for_no_gradients() -> None:
    subject = TensorTrainee({"w": torch.tensor([0.1, 0.2, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])})
    masks = {"w": subject.tensors["w"] != 0}
    grown = torch.zeros(10)
    for step in range(2000):
        subject.step, subject.masks = step, masks
        subject.tensors["w"] = torch.tensor([0.1, 0.2, 3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
        DropAndGrow(0.5, "random").apply(subject)
        assert subject.masks["w"].sum() == 4
        grown += subject.masks["w"]
    assert grown[2:4].eq(2000).all()
    # Two of eight places each time, the dropped ones among them: 500 of 2000 each, with a deviation of 19.
    assert (grown[[0, 1, 4, 5, 6, 7, 8, 9]] - 500).abs().max() < 80


def test_random_growth_is_the_same_for_a_seed_and_step() -> None:
    found = []
    for seed, step in ((0, 5), (0, 5), (0, 6), (1, 5)):
        subject = trainee()
        Prune(0.6).apply(subject)
        subject.seed, subject.step = seed, step
        DropAndGrow(0.4, "random").apply(subject)
        found.append(torch.cat([mask.flatten() for mask in subject.masks.values()]))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert not torch.equal(found[0], found[3])


def test_a_dense_layer_stays_dense() -> None:
    subject = trainee()
    DropAndGrow(0.3).apply(subject)
    assert sparsity(subject.masks) == 0.0


def test_draws_are_compared_without_removing_anything() -> None:
    one = trainee()
    before = {name: tensor.clone() for name, tensor in one.tensors.items()}
    compare = CompareDraws(0.5, threshold=0.1, times=2)
    for step in range(0, 50, 10):
        one.step = step
        if step == 20:
            one.tensors["a"] = one.tensors["a"].flip(0)
        compare.apply(one)
        compare.apply(one)  # the same step counts once
    assert all(bool(mask.all()) for mask in one.masks.values())
    assert torch.equal(one.tensors["b"], before["b"])
    assert [step for step, _ in one.history.distances] == [10, 20, 30, 40]
    distances = [value for _, value in one.history.distances]
    assert distances[0] == distances[2] == distances[3] == 0.0
    old, new = (Selection().select({**before, "a": a}, sparsity=0.5) for a in (before["a"], before["a"].flip(0)))
    differing = sum(int((old[name] != new[name]).sum()) for name in old)
    assert distances[1] == differing / sum(mask.numel() for mask in old.values()) > 0.1
    assert one.is_finished


@pytest.mark.parametrize(
    ("threshold", "times", "settled"), [(0.1, 1, True), (0.1, 2, False), (0.02, 1, False), (0, 1, False)]
)
def test_draws_have_settled_once_enough_of_them_in_a_row_agree(threshold: float, times: int, settled: bool) -> None:
    history = DrawHistory()
    masks = {"a": torch.arange(50) < 25}
    for step, moved in enumerate((0, 10, 11)):
        history.add(step, {"a": masks["a"].roll(moved)})
    assert [value for _, value in history.distances] == [0.4, 0.04]
    assert history.has_settled(threshold, times) is settled
