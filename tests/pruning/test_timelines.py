"""Schedules against the papers they come from."""

import math
from itertools import pairwise

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.actions import CompareDraws, DropAndGrow, Prune, Restore, Rewind
from robust_tickets.pruning.composition import require_composable
from robust_tickets.pruning.needs import LAST_TICKET, NO_TRAINING, SINGLE_PRUNE
from robust_tickets.pruning.parametrisations import AnyParametrisation, Fixed, StraightThrough
from robust_tickets.pruning.select import Selection, select
from robust_tickets.pruning.timelines import (
    Alternating,
    AnyTimeline,
    DropAndGrowTimeline,
    Early,
    Gradual,
    Iterative,
    OneShot,
)
from tests.pruning.small_network import PRUNABLE, small_network, weights_of

STEPS = 10
"""Training steps in an epoch."""
PAPER_LADDER = (20, 36, 48.8, 59.04, 67.23, 73.79, 79.03, 83.22, 86.58, 89.26, 91.41, 93.13, 94.50, 95.60)


def steps(timeline: AnyTimeline, kind: type, sparsity: float = 0.9) -> list[int]:
    plan = timeline.plan(sparsity, STEPS)
    return [event.step for event in plan.events if any(isinstance(action, kind) for action in event.actions)]


def test_one_shot_needs_no_training() -> None:
    plan = OneShot().plan(0.9, STEPS)
    assert plan.steps == 0
    assert [(event.step, event.sparsity, event.ticket) for event in plan.events] == [(0, 0.9, True)]


def test_one_shot_may_train_before() -> None:
    plan = OneShot(epochs=2.5).plan(0.9, STEPS)
    assert plan.steps == plan.events[0].step == 25


def test_rounds_without_training_remove_equal_shares_and_leave_one_ticket() -> None:
    """SynFlow's schedule: after k of n rounds 1-(1-s)^(k/n) is gone (Tanaka et al., 2020, alg. 1)."""
    plan = OneShot(rounds=100).plan(0.99, STEPS)
    assert plan.targets == pytest.approx([1 - 0.01 ** (k / 100) for k in range(1, 101)])
    assert plan.targets[-1] == 0.99
    (event,) = plan.events
    assert (event.step, event.sparsity, event.ticket, plan.steps) == (0, 0.99, True, 0)
    assert isinstance(event.actions[-1], Rewind)
    assert NO_TRAINING in plan.provides
    assert LAST_TICKET in plan.provides
    assert SINGLE_PRUNE not in plan.provides
    assert OneShot(epochs=1, rounds=3).plan(0.5, STEPS).events[0].step == STEPS
    assert set(OneShot(rounds=1).model_dump()) == {"kind", "epochs"}, "stored results go by these values"
    assert OneShot(rounds=2).model_dump()["rounds"] == 2


@pytest.mark.parametrize(
    ("settings", "parametrisation"),
    [({"score": "learned"}, StraightThrough()), ({"score": "zeros"}, Fixed())],
)
def test_masks_that_are_decided_once_allow_one_round(
    settings: dict[str, str], parametrisation: AnyParametrisation
) -> None:
    selection = Selection.model_validate(settings)
    require_composable(selection, parametrisation, OneShot().plan(0.5, STEPS))
    with pytest.raises(UserError, match=r"decides masks once.*use timeline 'one-shot', with one round$"):
        require_composable(selection, parametrisation, OneShot(rounds=2).plan(0.5, STEPS))


def test_a_group_of_one_sparsity_allows_one_round() -> None:
    selection = Selection.model_validate({"group": "n-m", "scope": "layer"})
    with pytest.raises(UserError, match=r"fixes sparsity at 0\.5, but .* prunes to 0\.2929; use .* one round$"):
        require_composable(selection, Fixed(), OneShot(rounds=2).plan(0.5, STEPS))


@pytest.mark.parametrize("scope", ["global", "layer", "erk"])
def test_a_hundred_rounds_by_magnitude_are_one(scope: str) -> None:
    """Scores that do not change remove the same weights, however often they are asked."""
    weights, masks = weights_of(small_network()), None
    for now in OneShot(rounds=100).plan(0.95, STEPS).targets:
        masks = select(weights, score="magnitude", group="element", scope=scope, sparsity=now, masks=masks)
    once = select(weights, score="magnitude", group="element", scope=scope, sparsity=0.95)
    assert masks is not None
    assert all(torch.equal(masks[name], once[name]) for name in once)


def test_early_compares_draws_and_prunes_once_in_the_first_epoch() -> None:
    plan = Early(epochs=0.2, every=5).plan(0.4, 100)
    assert plan.steps == 20
    assert [event.step for event in plan.events] == [5, 10, 15, 20]
    *looks, last = plan.events
    assert all(event.actions == (CompareDraws(0.4, 0.0, 1),) and not event.ticket for event in looks)
    assert last.actions == (CompareDraws(0.4, 0.0, 1), Prune(0.4), Rewind())
    assert last.ticket
    assert plan.targets == (0.4,)
    assert SINGLE_PRUNE in plan.provides
    assert plan.moment(19).sparsity == 0.0  # nothing is removed before


def test_early_trains_for_a_step_at_least() -> None:
    assert Early(epochs=0.01).plan(0.4, STEPS).steps == 1


def test_a_fraction_of_the_original_adds_up() -> None:
    assert Iterative(rate=0.1, of="original").targets(0.7) == pytest.approx((0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7))
    assert Iterative(rate=0.1, of="original").targets(0.45) == pytest.approx((0.1, 0.2, 0.3, 0.4, 0.45))
    assert Iterative(of="original", rounds=3).targets(0.6) == pytest.approx((0.2, 0.4, 0.6))
    with pytest.raises(UserError, match=r"10 rounds of 0\.1 of the original leave nothing"):
        Iterative(rate=0.1, rounds=10, of="original").targets(None)
    assert "of" not in Iterative().model_dump()


def test_iterative_ladder_is_that_of_the_papers() -> None:
    targets = Iterative(rounds=14).targets(None)
    assert [100 * target for target in targets] == pytest.approx(PAPER_LADDER, abs=0.005)


def test_train_first_trains_a_round_before_every_prune() -> None:
    timeline = Iterative(order="train-first", rounds=3, epochs=10)
    plan = timeline.plan(None, STEPS)
    assert [event.step for event in plan.events] == [100, 200, 300]
    assert plan.steps == 300


def test_prune_first_prunes_before_any_training_and_not_after_the_last_prune() -> None:
    plan = Iterative(order="prune-first", rounds=3, epochs=10).plan(None, STEPS)
    assert [event.step for event in plan.events] == [0, 100, 200]
    assert plan.steps == 200


def test_every_round_rewinds_and_yields_a_ticket() -> None:
    for event in Iterative(rounds=3).plan(None, STEPS).events:
        assert event.actions == (Prune(event.sparsity), Rewind())
        assert event.ticket


@pytest.mark.parametrize(
    ("target", "rounds"),
    [(0.05, 1), (0.2, 1), (0.21, 2), (0.7379, 6), (0.7378, 6), (0.8926, 10), (0.9, 11)],
)
def test_sparsity_alone_takes_as_many_rounds_as_needed(target: float, rounds: int) -> None:
    targets = Iterative().targets(target)
    assert len(targets) == rounds
    assert targets[-1] == target
    assert list(targets) == sorted(targets)


def test_sparsity_and_rounds_prune_equal_fractions() -> None:
    targets = (0.0, *Iterative(rounds=4).targets(0.9))
    fractions = [1 - (1 - after) / (1 - before) for before, after in pairwise(targets)]
    assert fractions == pytest.approx([1 - 0.1 ** (1 / 4)] * 4)
    assert targets[-1] == 0.9


def test_sparsity_rate_and_rounds_together_are_too_much() -> None:
    with pytest.raises(UserError, match="remove one"):
        Iterative(rate=0.5, rounds=3).targets(0.9)


def test_rounds_may_go_on_without_rewinding_to_the_last() -> None:
    plan = Iterative(rounds=3, epochs=10, rewind_every_round=False).plan(None, STEPS)
    assert [len(event.actions) for event in plan.events] == [1, 1, 2]
    assert [event.ticket for event in plan.events] == [False, False, True]
    whole = Iterative(rounds=3, epochs=10).plan(None, STEPS)
    assert [(e.step, e.sparsity) for e in plan.events] == [(e.step, e.sparsity) for e in whole.events]


@pytest.mark.parametrize("timeline", [OneShot(), Iterative(), Gradual(), Alternating(), DropAndGrowTimeline()])
def test_a_missing_target_is_named(timeline: AnyTimeline) -> None:
    with pytest.raises(UserError, match="sparsity"):
        timeline.plan(None, STEPS)


@pytest.mark.parametrize("order", ["prune-first", "train-first"])
def test_drawing_down_the_ladder_is_exact_within_one_weight(order: str) -> None:
    weights, masks = weights_of(small_network()), None
    total = sum(weights[name].numel() for name in PRUNABLE)
    timeline = Iterative.model_validate({"rounds": 10, "order": order})
    for number, event in enumerate(timeline.plan(None, STEPS).events, start=1):
        masks = select(
            weights, score="magnitude", group="element", scope="global", sparsity=event.sparsity, masks=masks
        )
        removed = sum(int((~mask).sum()) for mask in masks.values())
        assert abs(removed - (1 - 0.8**number) * total) <= 1


def test_gradual_follows_the_cubic() -> None:
    plan = Gradual(initial=0.05, start=1, end=40, every=5, epochs=100).plan(0.9, STEPS)
    prunes = plan.events[:-1]
    assert [event.step for event in prunes] == [10, 60, 110, 160, 210, 260, 310, 360, 400]
    for event in prunes:
        left = 1 - (event.step - 10) / 390
        assert event.sparsity == pytest.approx(0.9 + (0.05 - 0.9) * left**3)
    assert prunes[-1].sparsity == 0.9
    assert (plan.events[-1].step, plan.events[-1].ticket, plan.steps) == (1000, True, 1000)


def test_gradual_from_zero_begins_with_the_first_prune_that_removes_something() -> None:
    assert steps(Gradual(initial=0.0, start=0, end=2, every=1, epochs=3), Prune) == [10, 20]


def test_alternating_is_the_schedule_of_the_paper() -> None:
    timeline = Alternating()
    assert steps(timeline, Prune) == [STEPS * epoch for epoch in (10, 20, 30, 40, 50, 60, 70, 85)]
    assert steps(timeline, Restore) == [STEPS * epoch for epoch in (15, 25, 35, 45, 55, 65, 75)]
    plan = timeline.plan(0.9, STEPS)
    assert plan.steps == 1000
    assert [(event.step, event.sparsity) for event in plan.events if event.ticket] == [(1000, 0.9)]


def test_drop_and_grow_decays_with_a_cosine_and_stops() -> None:
    plan = DropAndGrowTimeline(every=100, fraction=0.3, end=0.75, epochs=100).plan(0.8, STEPS)
    moves = {event.step: event.actions[0] for event in plan.events[1:-1]}
    assert list(moves) == [100, 200, 300, 400, 500, 600, 700]
    for step, move in moves.items():
        assert isinstance(move, DropAndGrow)
        assert move.fraction == pytest.approx(0.15 * (1 + math.cos(math.pi * step / 750)))
    assert plan.events[0].actions == (Prune(0.8),)
    assert [event.step for event in plan.events if event.ticket] == [1000]


def test_set_moves_as_many_every_time_to_the_end() -> None:
    """Mocanu et al., 2018, algorithm 1: a fraction zeta after every epoch but the last."""
    timeline = DropAndGrowTimeline(every=STEPS, fraction=0.3, end=1, epochs=100, grow="random", decay="constant")
    moves = timeline.plan(0.8, STEPS).events[1:-1]
    assert [event.step for event in moves] == list(range(STEPS, 100 * STEPS, STEPS))
    assert {event.actions for event in moves} == {(DropAndGrow(0.3, "random"),)}


def test_a_rigl_timeline_is_written_as_it_always_was() -> None:
    timeline = DropAndGrowTimeline(every=7)
    assert timeline.model_dump() == {"kind": "drop-and-grow", "every": 7, "fraction": 0.3, "end": 0.75, "epochs": 100}
    other = DropAndGrowTimeline(grow="random", decay="constant")
    assert DropAndGrowTimeline.model_validate_json(other.model_dump_json()) == other


@pytest.mark.parametrize("settings", [
    {"kind": "gradual", "start": 10, "end": 5},
    {"kind": "gradual", "end": 50, "epochs": 40},
    {"kind": "alternating", "warm_up": 90, "final": 85},
    {"kind": "iterative", "rate": 1.0},
    {"kind": "iterative", "rounds": 0},
    {"kind": "drop-and-grow", "every": 0},
    {"kind": "drop-and-grow", "grow": "magnitude"},
    {"kind": "two-shot"},
])  # fmt: skip
def test_impossible_timelines_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(AnyTimeline).validate_python(settings)


def test_gradual_cannot_start_above_its_target() -> None:
    with pytest.raises(UserError, match="initial"):
        Gradual(initial=0.5).plan(0.3, STEPS)


def test_short_names_stand_for_the_papers_settings() -> None:
    assert TypeAdapter(AnyTimeline).validate_python("alternating") == Alternating()


@pytest.mark.parametrize(
    "timeline",
    [
        Gradual(initial=0, start=0, end=20, every=0.5, epochs=30, min_steps=1500),
        Alternating(warm_up=3, compressed=2, dense=2, final=20, epochs=30, min_steps=1500),
        DropAndGrowTimeline(epochs=30, min_steps=1500),
    ],
    ids=lambda timeline: timeline.kind,
)
def test_of_few_data_a_timeline_takes_as_many_steps_as_it_is_to(timeline: AnyTimeline) -> None:
    """Seven steps an epoch are too few: all of it is stretched, as if an epoch had fifty."""
    assert timeline.plan(0.9, 7) == timeline.plan(0.9, 50)
    assert timeline.plan(0.9, 7).steps == 1500
    assert timeline.plan(0.9, 100).steps == 3000
