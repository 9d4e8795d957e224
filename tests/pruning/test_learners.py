"""What every parametrisation that learns scores promises; a new one is one row in the table here."""

import pytest
import torch
from pydantic import TypeAdapter

from robust_tickets.pruning.parametrisations import (
    AnyParametrisation,
    Bernoulli,
    HardConcrete,
    Movement,
    Parametrisation,
    Parametrised,
    SoftMovement,
    SoftThreshold,
    StraightThrough,
    Thresholded,
)
from robust_tickets.pruning.plans import Moment
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.statistics import LearnedAlone
from tests.pruning.small_network import PRUNABLE, SmallNetwork, small_network, weights_of
from tests.pruning.test_conformance import GROUPS, SCOPES, assert_exact

LEARNERS: dict[str, Parametrisation] = {
    "straight-through": StraightThrough(),
    "hard-concrete": HardConcrete(),
    "bernoulli": Bernoulli(penalty=1e-4, train_head=True),
    "thresholded": Thresholded(every=2),
    "movement": Movement(),
    "soft-movement": SoftMovement(),
    "soft-threshold": SoftThreshold(start=-4),
}
"""Parametrisations that learn scores: one row each."""


def learner(kind: str, seed: int = 0) -> tuple[SmallNetwork, Parametrised]:
    network = small_network()
    selection = Selection.model_validate({"score": "learned", "scope": "layer"})
    built = LEARNERS[kind].build(
        network,
        network,
        PRUNABLE,
        selection=selection,
        sparsity=0.5,
        is_head=lambda name: name.startswith("head."),
        seed=seed,
    )
    return network, built


def learn(built: Parametrised, optimiser: torch.optim.Optimizer, steps: range) -> None:
    """Train as the loop does."""
    built.module.train()
    for step in steps:
        if built.before_step is not None:
            built.before_step(Moment(step, 6, 0.5))
        images = torch.randn(4, 4, 6, 6, generator=torch.Generator().manual_seed(step))
        loss = built.module(images).square().mean()
        optimiser.zero_grad()
        (loss if built.penalty is None else loss + built.penalty()).backward()
        optimiser.step()


def optimiser_of(built: Parametrised) -> torch.optim.Optimizer:
    return torch.optim.SGD([parameter for _, parameter in built.trainable_parameters()], lr=0.5, momentum=0.9)


@pytest.mark.parametrize("kind", LEARNERS)
def test_what_is_learned_moves_and_frozen_weights_do_not(kind: str) -> None:
    network, built = learner(kind)
    before = {name: value.clone() for name, value in network.named_parameters()}
    start = {name: score.clone() for name, score in built.scores().items()}
    learn(built, optimiser_of(built), range(6))
    assert all(not torch.equal(score, start[name]) for name, score in built.scores().items())
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, before[name]) != (built.revives or name.startswith("head.")), name
    assert built.scores().keys() == built.learned.keys() == set(PRUNABLE)
    for name, score in built.ranking().items():
        assert score.untyped_storage().data_ptr() != built.learned[name].untyped_storage().data_ptr()


@pytest.mark.parametrize("kind", LEARNERS)
def test_learning_that_was_cut_off_goes_on_alike(kind: str) -> None:
    _, whole = learner(kind)
    learn(whole, optimiser_of(whole), range(6))
    _, first = learner(kind)
    optimiser = optimiser_of(first)
    learn(first, optimiser, range(3))
    _, second = learner(kind)
    second.module.load_state_dict(first.module.state_dict())
    resumed = optimiser_of(second)
    resumed.load_state_dict(optimiser.state_dict())
    learn(second, resumed, range(3, 6))
    one, other = whole.module.state_dict(), second.module.state_dict()
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("kind", LEARNERS)
def test_what_was_learned_is_drawn_at_the_exact_count(kind: str) -> None:
    network, built = learner(kind)
    learn(built, optimiser_of(built), range(3))
    for scope in SCOPES:
        row, selection = GROUPS["element"], Selection.model_validate({"score": "learned", "scope": scope})
        ranking = built.ranking()
        masks = selection.select(weights_of(network), sparsity=0.7, statistics=LearnedAlone(built.ranking))
        assert_exact(row, scope, masks, 0.7)
        if scope == "global":
            kept = torch.cat([ranking[name][mask] for name, mask in masks.items()])
            gone = torch.cat([ranking[name][~mask] for name, mask in masks.items()])
            assert kept.min() >= gone.max()


@pytest.mark.parametrize("kind", LEARNERS)
def test_every_parametrisation_survives_a_recipe(kind: str) -> None:
    any_of = TypeAdapter(AnyParametrisation)
    assert any_of.validate_json(LEARNERS[kind].model_dump_json()) == LEARNERS[kind]
    assert any_of.validate_python(kind).kind == kind


def test_signed_scores_of_a_group_keep_their_sign() -> None:
    """A row of strongly negative scores goes before one of weak ones, whatever the norm."""
    scores = {"layer": torch.tensor([[-3.0, -3.0], [1.0, -1.0], [0.5, 0.5], [2.0, 2.0]])}
    for norm in ("l1", "l2"):
        selection = Selection.model_validate(
            {"score": {"kind": "learned", "norm": norm}, "group": "filter", "scope": "layer"}
        )
        order = []
        for share in (0.25, 0.5, 0.75):
            masks = selection.select(
                {"layer": torch.ones(4, 2)},
                sparsity=share,
                statistics=LearnedAlone(lambda: {"layer": scores["layer"].clone()}),
            )
            order.append(set((~masks["layer"][:, 0]).nonzero().flatten().tolist()))
        assert order == [{0}, {0, 1}, {0, 1, 2}], norm
