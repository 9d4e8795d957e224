import math

import pytest
import torch

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.composition import require_composable
from robust_tickets.pruning.parametrisations import AnyParametrisation, Fixed, Parametrised, StraightThrough
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.timelines import Alternating, AnyTimeline, DropAndGrowTimeline, Iterative, OneShot
from tests.pruning.small_network import PRUNABLE, small_network

LEARNED = Selection.model_validate({"score": "learned", "scope": "layer"})


def built(settings: StraightThrough | None = None, sparsity: float = 0.5) -> tuple[torch.nn.Module, Parametrised]:
    network = small_network()
    return network, (settings or StraightThrough()).build(
        network,
        network,
        PRUNABLE,
        selection=LEARNED,
        sparsity=sparsity,
        is_head=lambda name: name.startswith("head."),
    )


def test_scores_start_as_a_copy_of_the_weights_and_share_no_memory_with_them() -> None:
    network, parametrised = built()
    for name, score in parametrised.scores().items():
        weight = network.get_parameter(name)
        assert torch.equal(score, weight)
        assert score.untyped_storage().data_ptr() != weight.untyped_storage().data_ptr()


def test_scaled_scores_are_those_of_hydra() -> None:
    network, parametrised = built(StraightThrough(init="scaled"))
    weight = network.get_parameter("pointwise.weight")
    expected = math.sqrt(6 / 8) * weight / weight.abs().max()
    assert torch.allclose(parametrised.scores()["pointwise.weight"], expected)


def test_random_scores_are_bounded_by_the_fan_in_and_reproducible() -> None:
    _, first = built(StraightThrough(init="random"))
    _, second = built(StraightThrough(init="random"))
    for name, score in first.scores().items():
        assert score.abs().max() <= score[0].numel() ** -0.5
        assert torch.equal(score, second.scores()[name])


def test_scores_get_the_straight_through_gradient() -> None:
    """dL/dS = dL/d(masked w) * w * sign(S), for removed weights too (arXiv 1911.13299, eq. 3)."""
    network, parametrised = built(StraightThrough(train_head=False))
    images = torch.randn(4, 4, 6, 6)
    parametrised.module(images).square().mean().backward()
    masks = parametrised.module.masks()
    reference = small_network()
    with torch.no_grad():
        for name, mask in masks.items():
            reference.get_parameter(name).mul_(mask)
    reference(images).square().mean().backward()
    for name, parameter in parametrised.trainable_parameters():
        gradient = reference.get_parameter(name).grad
        assert gradient is not None
        assert parameter.grad is not None
        weight = network.get_parameter(name).detach()
        assert torch.allclose(parameter.grad, gradient * weight * parameter.detach().sign(), atol=1e-6)
    assert any(parameter.grad[~masks[name]].any() for name, parameter in parametrised.trainable_parameters())


def test_the_head_trains_with_the_scores_unless_told_otherwise_or_pruned_too() -> None:
    assert "head.bias" in built()[1].trainable
    network = small_network()
    pruned = StraightThrough().build(
        network,
        network,
        (*PRUNABLE, "head.weight"),
        selection=LEARNED,
        sparsity=0.5,
        is_head=lambda name: name.startswith("head."),
    )
    assert set(pruned.trainable) == set(pruned.learned) == {*PRUNABLE, "head.weight"}
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_signed_constants_have_the_weights_signs_and_kaimings_deviation() -> None:
    network, parametrised = built(StraightThrough(init="random", weights="signed-constant"))
    for name in PRUNABLE:
        weight, before = network.get_parameter(name), small_network().get_parameter(name)
        assert torch.equal(weight.sign(), before.sign())
        assert torch.allclose(weight.abs(), torch.full_like(weight, math.sqrt(2 / weight[0].numel())))
        assert parametrised.scores()[name].abs().unique().numel() > 10
    assert torch.equal(network.get_parameter("head.weight"), small_network().get_parameter("head.weight"))


@pytest.mark.parametrize("train_head", [False, True])
def test_only_scores_and_on_request_the_head_train(train_head: bool) -> None:
    network, parametrised = built(StraightThrough(train_head=train_head))
    trainable = {name for name, _ in parametrised.trainable_parameters()}
    assert trainable == {*PRUNABLE, *(("head.weight", "head.bias") if train_head else ())}
    assert {name for name, p in network.named_parameters() if p.requires_grad} == trainable - set(PRUNABLE)


def test_learned_masks_move_when_scores_do_and_batch_norm_keeps_its_statistics_in_the_network() -> None:
    network, parametrised = built()
    before = parametrised.module.masks()["stem.weight"]
    with torch.no_grad():
        for score in parametrised.learned.values():
            score.copy_(1.0 / score)
    assert not torch.equal(before, parametrised.module.masks()["stem.weight"])
    parametrised.module.train()(torch.randn(8, 4, 6, 6))
    assert network.get_buffer("norm1.running_mean").any()


def test_a_body_inside_a_larger_network_is_found() -> None:
    body = small_network()
    network = torch.nn.Sequential(torch.nn.Identity(), body)
    parametrised = StraightThrough().build(network, body, PRUNABLE, selection=LEARNED, sparsity=0.9)
    images = torch.randn(2, 4, 6, 6)
    assert not torch.equal(parametrised.module.eval()(images), network.eval()(images))


def test_fixed_trains_the_network_itself() -> None:
    network = small_network()
    parametrised = Fixed().build(network, network, PRUNABLE, selection=Selection(), sparsity=0.5)
    assert parametrised.module is network
    assert dict(parametrised.trainable_parameters()) == dict(network.named_parameters())
    assert parametrised.scores() == {}


NM = Selection.model_validate({"group": "n-m", "scope": "layer"})


@pytest.mark.parametrize(
    ("selection", "parametrisation", "timeline", "sparsity", "message"),
    [
        (Selection(), StraightThrough(), OneShot(epochs=1), 0.5, "needs score 'learned'"),
        (LEARNED, Fixed(), OneShot(), 0.5, "needs parametrisation"),
        (LEARNED, StraightThrough(), Iterative(), 0.5, "one sparsity"),
        (LEARNED, StraightThrough(), Alternating(), 0.5, "one sparsity"),
        (LEARNED, StraightThrough(), DropAndGrowTimeline(), 0.5, "one sparsity"),
        (
            Selection.model_validate({"group": "kernel"}),
            Fixed(),
            DropAndGrowTimeline(),
            0.5,
            "single weights",
        ),
        (NM, Fixed(), Iterative(), 0.5, "fixes sparsity"),
        (NM, Fixed(), OneShot(), 0.9, "fixes sparsity"),
    ],
)
def test_contradictions_between_axes_are_refused(
    selection: Selection,
    parametrisation: AnyParametrisation,
    timeline: AnyTimeline,
    sparsity: float,
    message: str,
) -> None:
    with pytest.raises(UserError, match=message):
        require_composable(selection, parametrisation, timeline.plan(sparsity, 10))


@pytest.mark.parametrize(
    ("selection", "parametrisation", "timeline"),
    [
        (LEARNED, StraightThrough(), OneShot(epochs=1)),
        (Selection(), Fixed(), DropAndGrowTimeline()),
        (NM, Fixed(), Alternating()),
        (NM, Fixed(), OneShot()),
    ],
)
def test_what_goes_together_passes(
    selection: Selection, parametrisation: AnyParametrisation, timeline: AnyTimeline
) -> None:
    require_composable(selection, parametrisation, timeline.plan(0.5, 10))
