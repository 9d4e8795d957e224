"""Optimal Brain Surgeon: by the Fisher matrix of all weights, in blocks, and layer by layer from inputs."""

from collections.abc import Mapping
from itertools import combinations

import pytest
import torch
from torch import Tensor

from robust_tickets.foundation.seeds import generator
from robust_tickets.pruning.empirical_fisher import EmpiricalFisher
from robust_tickets.pruning.least_squares import damped, inverse_diagonal, refitted
from robust_tickets.pruning.scores import LeastSquares, SecondOrder, Wanda
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.statistics import Statistics

SHAPES = {"first": (4, 3), "second": (5, 2)}
DAMPING = 1e-3


class Given(Statistics):
    """Gradients and inputs that a test makes up."""

    def __init__(
        self, gradients: Mapping[str, Tensor] | None = None, moments: Mapping[str, Tensor] | None = None
    ) -> None:
        self.given, self.moments = gradients or {}, moments or {}

    def gradients(self, count: int, together: int = 1) -> Mapping[str, Tensor]:
        return {name: stack[:count] for name, stack in self.given.items()}

    def input_moments(self, examples: int) -> Mapping[str, Tensor]:
        return self.moments


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=generator(seed, "numbers", *shape))


def weights() -> dict[str, Tensor]:
    return {name: numbers(*shape, seed=1) for name, shape in SHAPES.items()}


def gradients(count: int = 6) -> dict[str, Tensor]:
    return {name: numbers(count, *shape, seed=2) for name, shape in SHAPES.items()}


def masks(removed: Mapping[str, list[int]] | None = None) -> dict[str, Tensor]:
    found = {name: torch.ones(shape, dtype=torch.bool) for name, shape in SHAPES.items()}
    for name, places in (removed or {}).items():
        found[name].view(-1)[places] = False
    return found


def flat(values: Mapping[str, Tensor]) -> Tensor:
    return torch.cat([value.flatten() for value in values.values()])


def explicit(block: int | None, there: Tensor, count: int = 6) -> Tensor:
    """Return F in full: l I + GT G / m, without what couples weights of different blocks or removed ones."""
    stack = torch.cat([one.flatten(1) for one in gradients(count).values()], dim=1).double() * there
    fisher = stack.T @ stack / count
    if block is not None:
        sizes = [torch.Size(shape).numel() for shape in SHAPES.values()]
        labels = torch.cat([torch.arange(size) // block + 100 * number for number, size in enumerate(sizes)])
        fisher = fisher * (labels[:, None] == labels[None])
    return fisher + DAMPING * torch.eye(len(fisher), dtype=torch.float64)


@pytest.mark.parametrize("removed", [{}, {"first": [0, 7], "second": [3]}])
@pytest.mark.parametrize("count", [2, 6])
@pytest.mark.parametrize("block", [None, 1, 3, 5, 50])
def test_the_inverse_is_that_of_the_explicit_matrix(
    block: int | None, count: int, removed: dict[str, list[int]]
) -> None:
    there = masks(removed)
    found = flat(EmpiricalFisher(gradients(count), there, DAMPING, block).inverse_diagonal())
    exact = torch.linalg.inv(explicit(block, flat(there), count)).diagonal()
    assert torch.allclose(found, exact, rtol=1e-8)


@pytest.mark.parametrize("block", [None, 3, 5, 50])
def test_survivors_move_to_the_least_squares_fit(block: int | None) -> None:
    """Brute force: minimise d F d over the weights that stay, by solving for them."""
    there, after = masks({"first": [2]}), masks({"first": [2, 3, 4, 9], "second": [0, 8]})
    moved = flat(EmpiricalFisher(gradients(), there, DAMPING, block).compensated(weights(), after))
    fisher, stays = explicit(block, flat(there)), flat(after)
    gone = flat(there) & ~stays
    pull = fisher[stays][:, gone] @ flat(weights()).double()[gone]
    expected = torch.zeros(len(stays), dtype=torch.float64)
    expected[stays] = flat(weights()).double()[stays] + torch.linalg.solve(fisher[stays][:, stays], pull)
    assert torch.allclose(moved.double(), expected, atol=1e-6)


def test_weights_rank_by_the_rise_of_the_loss_after_the_rest_is_refitted() -> None:
    """Remove each weight in turn and refit all others: the cheapest is the one that goes."""
    fisher, values = explicit(None, flat(masks())), flat(weights()).double()
    rises = []
    for place in range(len(values)):
        others = [other for other in range(len(values)) if other != place]
        step = torch.zeros_like(values)
        step[place] = -values[place]
        step[others] = torch.linalg.solve(fisher[others][:, others], -fisher[others, place] * step[place])
        rises.append(float(step @ fisher @ step / 2))
    score = SecondOrder(gradients=6, damping=DAMPING, block=None)
    kept = Selection(score=score).select(weights(), sparsity=0.5, statistics=Given(gradients()))
    cheapest = torch.tensor(rises).argsort()[: len(values) // 2]
    assert set((~flat(kept)).nonzero().flatten().tolist()) == set(cheapest.tolist())


def test_the_damage_is_no_more_than_without_moving_and_that_of_no_other_pair_is_less() -> None:
    score = SecondOrder(gradients=6, damping=DAMPING, block=50)
    (name, shape), *_ = SHAPES.items()
    stack, weight = {name: gradients()[name]}, {name: weights()[name]}
    fisher = explicit(50, flat(masks()))[: torch.Size(shape).numel(), : torch.Size(shape).numel()]
    statistics = Given(stack)

    def damage(after: Tensor) -> float:
        moved = score.compensated(weight, {name: torch.ones_like(after)}, {name: after}, statistics, 0)
        assert moved is not None
        step = (moved[name] - weight[name]).flatten().double()
        return float(step @ fisher @ step / 2)

    worst = []
    for pair in combinations(range(12), 2):
        after = torch.ones(shape, dtype=torch.bool)
        after.view(-1)[list(pair)] = False
        plain = (weight[name] * ~after).flatten().double()
        assert damage(after) <= float(plain @ fisher @ plain / 2) + 1e-9
        worst.append(damage(after))
    assert min(worst) > 0


def test_of_a_diagonal_nothing_moves() -> None:
    score = SecondOrder(block=1)
    assert score.compensated(weights(), masks(), masks({"first": [0]}), Given(gradients()), 0) is None


def moments(size: int = 7, divisions: int = 1) -> Tensor:
    inputs = numbers(divisions, 40, size, seed=3).double()
    return inputs.mT @ inputs / 40


def test_each_row_is_the_exact_least_squares_fit() -> None:
    weight, hessian = numbers(2, 4, 7, seed=4).double(), damped(moments(divisions=2), 0.01)
    stays = numbers(2, 4, 7, seed=5) > 0.3
    found = refitted(weight, stays, hessian)
    for division in range(2):
        for row in range(4):
            keep = stays[division, row]
            target = hessian[division] @ weight[division, row]
            exact = torch.zeros(7, dtype=torch.float64)
            exact[keep] = torch.linalg.solve(hessian[division][keep][:, keep], target[keep])
            assert torch.allclose(found[division, row], exact, atol=1e-7)


def test_a_layers_weights_rank_by_the_error_of_its_outputs_after_the_rest_is_refitted() -> None:
    weight, hessian = numbers(3, 7, seed=6), damped(moments(), 0.01)
    errors = torch.zeros(3, 7, dtype=torch.float64)
    for row in range(3):
        for place in range(7):
            stays = torch.ones(1, 3, 7, dtype=torch.bool)
            stays[0, row, place] = False
            step = (refitted(weight.double()[None], stays, hessian) - weight.double())[0, row]
            errors[row, place] = step @ hessian[0] @ step / 2
    score = (weight.double() ** 2 / (2 * inverse_diagonal(hessian))).flatten()
    assert torch.allclose(score, errors.flatten(), rtol=1e-6)


def test_wanda_is_the_size_of_a_weight_times_that_of_its_input_within_each_row() -> None:
    weight, moment = {"only": numbers(6, 8, seed=7)}, {"only": moments(8)}
    size = weight["only"].abs() * moment["only"][0].diagonal().sqrt()
    kept = Selection.model_validate({"score": "wanda", "scope": "layer"}).select(
        weight, sparsity=0.5, statistics=Given(moments=moment)
    )["only"]
    assert kept.sum(1).tolist() == [4] * 6
    for row in range(6):
        assert size[row][kept[row]].min() >= size[row][~kept[row]].max()
    together = Selection.model_validate({"score": Wanda(per="scope"), "scope": "layer"}).select(
        weight, sparsity=0.5, statistics=Given(moments=moment)
    )["only"]
    assert size[together].min() >= size[~together].max()


def test_least_squares_reads_convolutions_by_their_divisions() -> None:
    """A depthwise kernel sees its own channel alone."""
    weight = {"depthwise": numbers(2, 1, 3, 3, seed=8)}
    moment = {"depthwise": moments(9, divisions=2)}
    after = {"depthwise": torch.ones(2, 1, 3, 3, dtype=torch.bool)}
    after["depthwise"][0, 0, 0] = False
    score = LeastSquares(damping=1e-6)
    moved = score.compensated(weight, after, after, Given(moments=moment), 0)
    assert moved is not None
    assert torch.allclose(moved["depthwise"][1], weight["depthwise"][1], atol=1e-5), "a kernel that loses nothing stays"
    assert not torch.allclose(moved["depthwise"][0, 0, 1:], weight["depthwise"][0, 0, 1:], atol=1e-2)
