"""What the loop does between the start and the end of a training."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.network import Network
from robust_tickets.pruning.parametrisations import StraightThrough, Thresholded
from robust_tickets.pruning.plans import Plan
from robust_tickets.pruning.rewinds import AtStep, NoRewind
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.timelines import Iterative, OneShot
from robust_tickets.training.batch_source import ImageBatches
from robust_tickets.training.checkpoints import load_checkpoint
from robust_tickets.training.drawing import Drawing
from robust_tickets.training.job import Job
from robust_tickets.training.loop import fit
from robust_tickets.training.settings import Training
from robust_tickets.training.trainable import Trainable
from tests.training.small import PER_EPOCH, PLAIN, Run, classifier, digits, equal

ROUNDS = Iterative(rate=0.5, rounds=3, epochs=2).plan(None, PER_EPOCH)
CONTINUED = Iterative(rate=0.5, rounds=3, epochs=1, rewind_every_round=False).plan(None, PER_EPOCH)
CONSTANT = {"schedule": {"kind": "constant"}}


def plain_network() -> Network:
    """Return a network whose loss is the mean of its images' losses: no batch norm, no dropout."""
    return classifier(dropout=0, norm=False)


@contextmanager
def rates() -> Iterator[list[tuple[float, ...]]]:
    """Yield a list that gains the learning rates of body and head at every optimiser step."""
    seen: list[tuple[float, ...]] = []
    hook = register_optimizer_step_post_hook(
        lambda optimiser, *_: seen.append(tuple(group["lr"] for group in optimiser.param_groups))
    )
    try:
        yield seen
    finally:
        hook.remove()


def test_the_schedule_begins_anew_with_every_rewind() -> None:
    with rates() as seen:
        Run(ROUNDS, {"schedule": {"kind": "cosine"}}, drawing=Drawing())
    first, second, third = seen[:8], seen[8:16], seen[16:]
    assert first == second == third
    assert first[0][0] == 0.05
    assert first == sorted(first, reverse=True)
    assert first[-1][0] < 0.005


def test_the_rate_warms_up_and_the_head_has_its_own() -> None:
    with rates() as seen:
        Run(Plan(8, ()), {"warmup": 1, "head_lr": 0.5, **CONSTANT})
    assert [round(body, 6) for body, _ in seen] == [0.0125, 0.025, 0.0375, 0.05, 0.05, 0.05, 0.05, 0.05]
    assert all(head == pytest.approx(10 * body) for body, head in seen)


def test_the_step_schedule_drops_at_its_milestones() -> None:
    with rates() as seen:
        Run(Plan(8, ()), {"schedule": {"kind": "step", "milestones": [0.5, 0.75], "gamma": 0.1}})
    assert [round(body, 6) for body, *_ in seen] == [0.05] * 4 + [0.005] * 2 + [0.0005] * 2


def first_batch() -> tuple[Tensor, Tensor]:
    return next(ImageBatches(digits(), Training.model_validate(PLAIN), 0).train(0, 0))


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_loss_of_the_first_step_is_cross_entropy(smoothing: float) -> None:
    changes = {"label_smoothing": smoothing, "validate_every": 1 / PER_EPOCH}
    run = Run(Plan(1, ()), changes, network=plain_network())
    images, labels = first_batch()
    expected = F.cross_entropy(plain_network()(images), labels, label_smoothing=smoothing)
    assert run.result.history[0]["loss"] == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("optimiser", [{"kind": "sgd", "lr": 0.05}, {"kind": "adamw", "lr": 0.01}])
def test_an_accumulated_batch_is_the_whole_batch(optimiser: dict[str, Any]) -> None:
    whole = Run(Plan(8, ()), {"optimiser": optimiser}, network=plain_network())
    # 15 images in four parts: three of four images and one of three.
    parts = Run(Plan(8, ()), {"optimiser": optimiser, "accumulate": 4}, network=plain_network())
    for name, value in whole.state.items():
        torch.testing.assert_close(parts.state[name], value, rtol=1e-4, atol=1e-5)
    assert parts.result.history[-1]["loss"] == pytest.approx(whole.result.history[-1]["loss"], rel=1e-4)


def test_bf16_trains_fp32_weights() -> None:
    changes = {"optimiser": {"kind": "adamw", "lr": 0.02}}
    half = Run(Plan(60, ()), {**changes, "precision": "bf16"})
    full = Run(Plan(60, ()), changes)
    assert {value.dtype for value in half.state.values()} == {torch.float32, torch.int64}
    losses = [row["loss"] for row in half.result.history]
    assert losses[-1] < losses[0] - 0.3
    assert losses[-1] == pytest.approx(full.result.history[-1]["loss"], rel=0.3)
    assert not equal(half.state, full.state)


@pytest.mark.parametrize("plan", [Plan(10, ()), CONTINUED], ids=["transfer", "rounds without rewinding"])
def test_momentum_outlives_epochs_and_rounds(plan: Plan) -> None:
    """Mehta's code (arXiv 1905.07785) builds a new optimiser in every epoch, and so begins without momentum there."""
    momenta: list[Tensor] = []
    gradients: list[Tensor] = []

    def look(optimiser: torch.optim.Optimizer, *_: Any) -> None:
        parameter = optimiser.param_groups[0]["params"][0]
        momenta.append(optimiser.state[parameter]["momentum_buffer"].clone())
        gradients.append(parameter.grad.clone())

    hook = register_optimizer_step_post_hook(look)
    changes = CONSTANT | {"optimiser": {"kind": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 0}}
    try:
        Run(plan, changes, drawing=Drawing(rewind=NoRewind()) if plan.events else None)
    finally:
        hook.remove()
    assert len(momenta) == plan.steps > 2 * PER_EPOCH
    for before, after, gradient in zip(momenta, momenta[1:], gradients[1:], strict=False):
        kept = after != 0  # what a prune has removed has no momentum either
        assert kept.any()
        assert torch.allclose(after[kept], (0.9 * before + gradient)[kept], atol=1e-7)


def test_the_average_is_that_of_the_steps() -> None:
    network, seen = classifier(), []
    hook = register_optimizer_step_post_hook(lambda *_: seen.append(network.plain_state()))
    start = network.plain_state()
    run = Run(Plan(4, ()), {"ema": 0.75}, network=network)
    hook.remove()
    for name, _ in network.body.named_parameters():
        expected = start[name]
        for state in seen:
            expected = 0.75 * expected + 0.25 * state[name]
        torch.testing.assert_close(run.state[name], expected)
    assert equal(
        {"bn1.running_mean": run.state["bn1.running_mean"]}, {"bn1.running_mean": seen[-1]["bn1.running_mean"]}
    )


def test_a_training_without_improvement_stops_early() -> None:
    still = {"patience": 2, "optimiser": {"kind": "sgd", "lr": 1e-12}}
    run = Run(Plan(40, ()), still, network=plain_network())
    assert run.result.steps == 3 * PER_EPOCH
    assert len(run.result.history) == 3


def test_the_best_epoch_is_kept() -> None:
    changes = {"optimiser": {"kind": "sgd", "lr": 0.4}, **CONSTANT}
    run = Run(Plan(24, ()), {**changes, "keep": "best"})
    scores = [row["validation_accuracy"] for row in run.result.history]
    best = scores.index(max(scores))
    assert best < len(scores) - 1, "the last epoch is the best: this test needs another rate"
    assert run.result.validation == max(scores)
    assert equal(run.state, Run(Plan((best + 1) * PER_EPOCH, ()), changes).state)
    last = Run(Plan(24, ()), changes)
    assert last.result.validation == scores[-1]
    assert not equal(run.state, last.state)


LEARNED = Selection.model_validate({"score": "learned", "scope": "layer"})


@pytest.mark.parametrize(
    "drawing",
    [
        Drawing(rewind=NoRewind()),
        Drawing(LEARNED, parametrisation=Thresholded(threshold=0.001, every=4), sparsity=0.5),
        Drawing(LEARNED, parametrisation=StraightThrough(), sparsity=0.5),
    ],
    ids=["magnitude", "thresholded", "straight-through"],
)
def test_a_draw_that_prunes_at_its_end_may_prune_its_best_epoch(drawing: Drawing) -> None:
    """TAMT selects a step of mask training by validation."""
    changes = {"optimiser": {"kind": "sgd", "lr": 0.4}, **CONSTANT}

    def run(epochs: int, **more: Any) -> Run:
        return Run(OneShot(epochs=epochs).plan(0.5, PER_EPOCH), {**changes, **more}, drawing=drawing)

    kept = run(6, keep="best")
    scores = [row["validation_accuracy"] for row in kept.result.history]
    best = scores.index(max(scores))
    assert best < len(scores) - 1, "the last epoch is the best: this test needs another rate"
    assert kept.result.validation == max(scores)
    until_then = run(best + 1)
    assert equal(kept.result.masks, until_then.result.masks)
    assert equal(kept.tickets[0][2], until_then.tickets[0][2])
    assert not equal(kept.result.masks, run(6).result.masks)


def test_an_adversarial_training_keeps_its_most_robust_epoch() -> None:
    changes = {"objective": {"kind": "fgsm-rs", "epsilon": 0.05}, "keep": "best"}
    run = Run(Plan(12, ()), changes)
    robust = [row["validation_robust_accuracy"] for row in run.result.history]
    assert run.result.validation == max(robust)
    assert all(row["validation_robust_accuracy"] <= row["validation_accuracy"] for row in run.result.history)


@pytest.mark.parametrize("changes", [{"keep": "best"}, {"patience": 2}])
def test_epochs_are_not_selected_without_validation_or_in_a_draw(changes: dict[str, Any]) -> None:
    training = Training.model_validate({**PLAIN, **changes})
    blind = ImageBatches(digits(validation=0), training, 0)
    with pytest.raises(UserError, match=r"needs a validation part; set data\.validation above 0"):
        fit(Job(Trainable.of(classifier()), blind, training, Plan(4, ()), 0))
    with pytest.raises(UserError, match="a draw ends where its timeline ends"):
        Run(ROUNDS, changes, drawing=Drawing())
    if "patience" in changes:
        with pytest.raises(UserError, match="a draw ends where its timeline ends"):
            Run(OneShot(epochs=2).plan(0.5, PER_EPOCH), changes, drawing=Drawing())


def test_step_k_is_the_training_cut_off_there() -> None:
    tickets = Run(ROUNDS, CONSTANT, drawing=Drawing(rewind=AtStep(steps=3))).tickets
    early = Run(Plan(3, ()), CONSTANT).state
    assert len(tickets) == 3
    for _, masks, state in tickets:
        assert equal(state, {k: v * masks[k] if k in masks else v for k, v in early.items()})


def test_a_loss_that_is_not_finite_stops_at_once(tmp_path: Any) -> None:
    changes = {"optimiser": {"kind": "sgd", "lr": 1e30}, **CONSTANT}
    with pytest.raises(UserError, match=r"the loss became (nan|inf) at step \d+ \(epoch \d+\)") as caught:
        Run(Plan(20, ()), changes, folder=tmp_path, network=plain_network())
    assert "\n" not in str(caught.value)
    assert f"the last good checkpoint is {tmp_path / 'checkpoint.pt'}" in str(caught.value)
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    assert state is not None
    assert f"at step {state['trainee']['step']} " in str(caught.value)


def test_training_leaves_the_process_as_it_was() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    Run(Plan(2, ()))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()
