"""Masks by thresholds (TAMT, arXiv 2204.11218): where they start, what they learn from, and their exact counts."""

import pytest
import torch
from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.composition import require_composable
from robust_tickets.pruning.parametrisations import Parametrised, Thresholded
from robust_tickets.pruning.plans import Moment
from robust_tickets.pruning.ranking import exact_count
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.timelines import AnyTimeline, Gradual, OneShot
from tests.pruning.small_network import PRUNABLE, small_network, weights_of

BY_MATRIX = Selection.model_validate({"score": "learned", "scope": "layer"})


def built(
    settings: Thresholded | None = None, sparsity: float = 0.6, selection: Selection = BY_MATRIX
) -> tuple[nn.Module, Parametrised]:
    network = small_network()
    return network, (settings or Thresholded()).build(
        network,
        network,
        PRUNABLE,
        selection=selection,
        sparsity=sparsity,
        is_head=lambda name: name.startswith("head."),
    )


def before(parametrised: Parametrised, step: int) -> None:
    assert parametrised.before_step is not None
    parametrised.before_step(Moment(step, 100, 0.0))


def removed(parametrised: Parametrised) -> dict[str, int]:
    return {name: int((~mask).sum()) for name, mask in parametrised.module.masks().items()}


def exact(sparsity: float) -> dict[str, int]:
    return {name: exact_count(sparsity, weight.numel()) for name, weight in weights_of(small_network()).items()}


def test_scores_start_at_twice_the_threshold_where_one_shot_magnitude_keeps_and_at_zero_elsewhere() -> None:
    network, parametrised = built(Thresholded(threshold=0.01))
    kept = Selection.model_validate({"score": "magnitude", "scope": "layer"}).select(weights_of(network), sparsity=0.6)
    for name, score in parametrised.scores().items():
        assert torch.equal(score, torch.where(kept[name], 0.02, 0.0))
        assert torch.equal(parametrised.module.masks()[name], kept[name])
    images = torch.randn(2, 4, 6, 6)
    reference = small_network().eval()
    with torch.no_grad():
        for name, mask in kept.items():
            reference.get_parameter(name).mul_(mask)
    assert torch.equal(parametrised.module.eval()(images), reference(images))


def test_scores_get_the_masks_gradient_as_it_is() -> None:
    """dL/dS = dL/d(masked w) * w, for removed weights too and without a sign, worked out by hand on one output."""
    body = nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        body.weight.copy_(torch.tensor([[2.0, -3.0, 0.5, -0.25]]))
    parametrised = Thresholded().build(body, body, ("weight",), selection=BY_MATRIX, sparsity=0.5)
    inputs = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    output = parametrised.module(inputs)
    assert output.item() == 2 * 1 - 3 * 2
    output.square().backward()
    gradient = parametrised.learned["weight"].grad
    assert gradient is not None
    assert gradient.tolist() == [[2 * -4.0 * x * w for x, w in zip([1.0, 2.0, 3.0, 4.0], [2.0, -3.0, 0.5, -0.25],
                                                                    strict=True)]]  # fmt: skip
    assert body.weight.grad is None


def test_thresholds_are_held_between_resets_and_each_reset_restores_the_count_of_every_matrix() -> None:
    _, parametrised = built(Thresholded(every=5))
    assert removed(parametrised) == exact(0.6)
    chance = torch.Generator().manual_seed(0)
    drifted = False
    for step in range(21):
        before(parametrised, step)
        if step % 5 == 0:
            assert removed(parametrised) == exact(0.6)
        kept = parametrised.module.masks()
        thresholds = {name: value.clone() for name, value in parametrised.module.named_buffers() if "threshold" in name}
        with torch.no_grad():
            for score in parametrised.learned.values():
                score += 0.004 * torch.randn(score.shape, generator=chance)
        drifted |= removed(parametrised) != exact(0.6)
        assert any(not torch.equal(mask, kept[name]) for name, mask in parametrised.module.masks().items())
        assert all(torch.equal(value, parametrised.module.get_buffer(name)) for name, value in thresholds.items())
    assert drifted


def test_a_mask_flips_only_when_its_score_crosses_the_threshold() -> None:
    _, parametrised = built(Thresholded(threshold=0.01))
    first = {name: mask.clone() for name, mask in parametrised.module.masks().items()}
    with torch.no_grad():
        for score in parametrised.learned.values():
            score.copy_(torch.where(score > 0.01, 0.0101, 0.0099))
    assert all(torch.equal(mask, first[name]) for name, mask in parametrised.module.masks().items())
    with torch.no_grad():
        parametrised.learned["stem.weight"].fill_(0.0101)
    assert parametrised.module.masks()["stem.weight"].all()
    assert torch.equal(parametrised.module.masks()["hidden.weight"], first["hidden.weight"])


@pytest.mark.parametrize("scope", ["global", "layer", "erk"])
def test_equal_scores_are_no_obstacle_to_the_exact_count(scope: str) -> None:
    selection = Selection.model_validate({"score": "learned", "scope": scope})
    _, parametrised = built(Thresholded(every=1), selection=selection)
    for score in parametrised.learned.values():
        score.data.fill_(0.5)
    before(parametrised, 1)
    total = sum(exact(1.0).values())
    if scope == "layer":
        assert removed(parametrised) == exact(0.6)
    assert sum(removed(parametrised).values()) == (
        sum(exact(0.6).values()) if scope == "layer" else exact_count(0.6, total)
    )


def test_a_sparsity_of_zero_keeps_everything_at_every_reset() -> None:
    _, parametrised = built(Thresholded(every=1), sparsity=0.0)
    before(parametrised, 1)
    assert not any(removed(parametrised).values())


@pytest.mark.parametrize("train_head", [False, True])
def test_only_scores_and_on_request_the_head_train(train_head: bool) -> None:
    network, parametrised = built(Thresholded(train_head=train_head))
    head = {"head.weight", "head.bias"} if train_head else set()
    assert {name for name, _ in parametrised.trainable_parameters()} == {*PRUNABLE, *head}
    assert {name for name, p in network.named_parameters() if p.requires_grad} == head


@pytest.mark.parametrize(
    ("group", "timeline", "message"),
    [
        ("element", Gradual(), "one sparsity"),
        ("kernel", OneShot(epochs=1), "single weights.*use group 'element', not 'kernel'"),
    ],
)
def test_thresholds_are_for_single_weights_and_a_single_prune(group: str, timeline: AnyTimeline, message: str) -> None:
    selection = Selection.model_validate({"score": "learned", "group": group, "scope": "layer"})
    with pytest.raises(UserError, match=message):
        require_composable(selection, Thresholded(), timeline.plan(0.5, 10))
