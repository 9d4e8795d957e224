"""Movement pruning (arXiv 2005.07683): what scores accumulate, which weights may come back, soft thresholds."""

import itertools

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.composition import require_composable
from robust_tickets.pruning.parametrisations import AnyParametrisation, Movement, Parametrised, SoftMovement
from robust_tickets.pruning.plans import Moment
from robust_tickets.pruning.ranking import exact_count
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.timelines import Alternating, AnyTimeline, DropAndGrowTimeline, Gradual, Iterative, OneShot
from tests.pruning.small_network import COUPLINGS, PRUNABLE, small_network

LEARNED = Selection.model_validate({"score": "learned"})
WEIGHT, INPUTS = [0.5, -1.0, 2.0, 0.25], [1.0, 2.0, -1.0, 4.0]


def linear(settings: Movement | SoftMovement, sparsity: float = 0.0) -> tuple[nn.Linear, Parametrised]:
    """Return a layer of one output, ready for a step at a sparsity."""
    body = nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        body.weight.copy_(torch.tensor([WEIGHT]))
    built = settings.build(body, body, ("weight",), selection=LEARNED, sparsity=0.5)
    at(built, 0, sparsity)
    return body, built


def at(built: Parametrised, step: int, sparsity: float = 0.0, steps: int = 10) -> None:
    assert built.before_step is not None
    built.before_step(Moment(step, steps, sparsity))


def gradients(body: nn.Linear, built: Parametrised) -> tuple[list[float], list[float]]:
    """Return dL/dw and dL/dS of L = (w x)^2 / 2 under the masks in force."""
    (built.module(torch.tensor([INPUTS])).square() / 2).sum().backward()
    score = built.learned["weight"].grad
    assert score is not None
    assert body.weight.grad is not None
    return body.weight.grad[0].tolist(), score[0].tolist()


@pytest.mark.parametrize("settings", [Movement(), SoftMovement(penalty=0)])
def test_weights_and_scores_get_the_papers_gradients(settings: Movement | SoftMovement) -> None:
    """dL/dw = dL/dw' * m, and dL/dS = dL/dw' * w for kept and removed weights alike (section 4.1)."""
    body, built = linear(settings, sparsity=0.5)
    with torch.no_grad():
        built.learned["weight"].copy_(torch.tensor([[3.0, -3.0, 2.0, -4.0]]))
    at(built, 9, sparsity=0.5)
    assert built.module.masks()["weight"].tolist() == [[True, False, True, False]]
    output = 0.5 * 1 + 2.0 * -1
    of_weight, of_score = gradients(body, built)
    assert of_weight == [output * 1.0, 0.0, output * -1.0, 0.0]
    assert of_score == [output * x * w for x, w in zip(INPUTS, WEIGHT, strict=True)]


def test_scores_accumulate_minus_weight_times_gradient_along_the_training() -> None:
    """S after T steps is - rate * sum of dL/dw' w (equation 6): weights that grow in size gain, others lose."""
    body, built = linear(Movement(lr=0.1))
    optimiser = torch.optim.SGD(
        [{"params": [body.weight], "lr": 0.01}, {"params": list(built.learned.values()), "lr": 0.1}]
    )
    expected = torch.zeros(1, 4)
    for step in range(5):
        at(built, step)
        optimiser.zero_grad()
        before = body.weight.detach().clone()
        gradients(body, built)
        assert body.weight.grad is not None
        expected -= 0.1 * body.weight.grad * before
        optimiser.step()
    assert torch.allclose(built.scores()["weight"], expected)
    moved = (body.weight.detach().abs() - torch.tensor([WEIGHT]).abs()).sign()
    assert torch.equal(expected.sign(), moved)


def test_the_count_is_exact_at_every_step_and_removed_weights_may_come_back() -> None:
    network = small_network()
    built = Movement(lr=1.0).build(network, network, PRUNABLE, selection=LEARNED, sparsity=0.8)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    total = sum(score.numel() for score in built.learned.values())
    optimiser = torch.optim.SGD(built.learned.values(), lr=1.0)
    seen = []
    for step, sparsity in enumerate((0.0, 0.2, 0.5, 0.5, 0.5, 0.8, 0.8)):
        at(built, step, sparsity)
        masks = built.module.masks()
        if sparsity:
            assert sum(int((~mask).sum()) for mask in masks.values()) == exact_count(sparsity, total)
            seen.append(torch.cat([mask.flatten() for mask in masks.values()]))
        optimiser.zero_grad()
        images = torch.randn(8, 4, 6, 6, generator=torch.Generator().manual_seed(step))
        built.module.train()(images).square().mean().backward()
        optimiser.step()
    assert any(bool((~earlier & later).any()) for earlier, later in itertools.pairwise(seen))
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, before[name]), name


def test_channels_move_together_with_their_biases_and_norms() -> None:
    network = small_network()
    channels = Selection.model_validate({"score": "learned", "group": "channel", "scope": "layer"})
    built = Movement().build(network, network, PRUNABLE, selection=channels, sparsity=0.5, couplings=COUPLINGS)
    with torch.no_grad():
        for score in built.learned.values():
            score.copy_(torch.arange(score.numel()).reshape(score.shape))
    at(built, 1, sparsity=0.5)
    masked = built.module.masked_parameters()
    assert not masked["stem.weight"][:4].any()
    assert not masked["norm1.bias"][:4].any()
    assert masked["stem.weight"][4:].all()


def test_soft_masks_follow_the_threshold_on_sigmoids_and_no_count() -> None:
    _, built = linear(SoftMovement(threshold=0.1, delay=0, hold=0.5))
    with torch.no_grad():
        built.learned["weight"].copy_(torch.tensor([[0.0, -2.0, -2.3, -9.0]]))
    at(built, 0)
    assert built.module.masks()["weight"].all(), "tau starts at 0"
    at(built, 9)
    # sigmoid(-2.197) = 0.1
    assert built.module.masks()["weight"].tolist() == [[True, True, False, False]]
    assert built.module(torch.tensor([INPUTS])).item() == 0.5 * 1 - 1.0 * 2


def test_the_soft_penalty_is_lambda_times_the_mean_sigmoid_and_rises_along_the_cubic() -> None:
    _, built = linear(SoftMovement(penalty=2.0, delay=0.2, hold=0.3))
    values = [0.0, 1.0, -1.0, 3.0]
    with torch.no_grad():
        built.learned["weight"].copy_(torch.tensor([values]))
    assert built.penalty is not None
    whole = 2.0 * torch.tensor(values).sigmoid().mean().item()
    for step in range(10):
        at(built, step)
        share = min(1.0, max(0.0, (step / 10 - 0.2) / 0.5))
        assert built.penalty().item() == pytest.approx(whole * (1 - (1 - share) ** 3), abs=1e-6)
    built.penalty().backward()
    gradient = built.learned["weight"].grad
    assert gradient is not None
    s = torch.tensor(values).sigmoid()
    assert torch.allclose(gradient[0], 2.0 / 4 * s * (1 - s))


def test_the_soft_penalty_decides_how_much_is_removed() -> None:
    gone = []
    for penalty in (0.0, 3.0, 30.0):
        network = small_network()
        settings = SoftMovement(penalty=penalty, delay=0, hold=0.5)
        built = settings.build(network, network, PRUNABLE, selection=LEARNED, sparsity=0.5)
        optimiser = torch.optim.Adam(built.learned.values(), lr=0.1)
        for step in range(60):
            at(built, step, steps=60)
            images = torch.randn(8, 4, 6, 6, generator=torch.Generator().manual_seed(step))
            loss = built.module.train()(images).square().mean()
            optimiser.zero_grad()
            (loss if built.penalty is None else loss + built.penalty()).backward()
            optimiser.step()
        gone.append(sum(int((~mask).sum()) for mask in built.module.masks().values()))
    assert gone[0] < gone[1] < gone[2]


def test_scores_have_their_own_rate_and_weights_are_all_trained() -> None:
    network = small_network()
    built = Movement(lr=0.3).build(network, network, PRUNABLE, selection=LEARNED, sparsity=0.5)
    trained = dict(built.trainable_parameters())
    assert all(trained[name] is parameter for name, parameter in network.named_parameters())
    assert {id(trained[name]) for name in built.rates} == {id(score) for score in built.learned.values()}
    assert set(built.rates.values()) == {0.3}
    assert not any(score.any() for score in built.scores().values())


@pytest.mark.parametrize(
    ("parametrisation", "timeline", "message"),
    [
        (Movement(), Iterative(rounds=2), "one ticket, at the end: use timeline 'gradual' or 'one-shot'"),
        (Movement(), Alternating(), "one ticket, at the end"),
        (Movement(), DropAndGrowTimeline(), "one ticket, at the end"),
        (Movement(), OneShot(), "set timeline.epochs"),
        (SoftMovement(), Gradual(), "one sparsity"),
        (SoftMovement(), OneShot(), "set timeline.epochs"),
    ],
)
def test_what_movement_cannot_go_with_is_refused(
    parametrisation: AnyParametrisation, timeline: AnyTimeline, message: str
) -> None:
    sparsity = None if isinstance(timeline, Iterative) else 0.5
    with pytest.raises(UserError, match=message):
        require_composable(LEARNED, parametrisation, timeline.plan(sparsity, 10))


@pytest.mark.parametrize(
    ("parametrisation", "timeline"),
    [(Movement(), Gradual()), (Movement(), OneShot(epochs=1)), (SoftMovement(), OneShot(epochs=1)),
     (Movement(), Iterative(rounds=2, rewind_every_round=False))],
)  # fmt: skip
def test_what_movement_goes_with(parametrisation: AnyParametrisation, timeline: AnyTimeline) -> None:
    sparsity = None if isinstance(timeline, Iterative) else 0.5
    require_composable(LEARNED, parametrisation, timeline.plan(sparsity, 10))


def test_a_soft_threshold_that_never_rises_is_refused() -> None:
    with pytest.raises(ValidationError, match="delay \\+ hold below 1"):
        SoftMovement(delay=0.5, hold=0.5)
