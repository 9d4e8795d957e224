"""A search's timeline: when channels go, when weights go and come back, and what it composes with (SuperTickets)."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.actions import Prune, Reactivate, RemoveIdle
from robust_tickets.pruning.composition import require_composable
from robust_tickets.pruning.parametrisations import AnyParametrisation, Coefficients, Fixed, PenalisedGains
from robust_tickets.pruning.plans import Plan
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.timelines import AnyTimeline, Gradual, OneShot, Search

STEPS = 10
"""Training steps in an epoch."""
GAINS = PenalisedGains()


def search(**settings: Any) -> Search:
    return Search.model_validate(
        {"remove_every": 1, "prune_every": 2, "ladder": 0.3, "final": 7, "epochs": 8, **settings}
    )


def prunes(plan: Plan) -> list[tuple[int, float, bool]]:
    """Return the step of every prune, its sparsity, and whether it is for now."""
    found = [(event.step, action) for event in plan.events for action in event.actions]
    return [(step, action.sparsity, action.for_now) for step, action in found if isinstance(action, Prune)]


def steps(plan: Plan, kind: type) -> list[int]:
    return [event.step for event in plan.events if any(isinstance(action, kind) for action in event.actions)]


def test_a_plan_by_hand() -> None:
    plan = search(threshold=0.2, frees=0.05).plan(0.7, STEPS)
    remove, last = RemoveIdle(0.2, 0.05, 0.7), RemoveIdle(0.2, 0.0, 0.7)
    assert [(event.step, event.actions, event.sparsity, event.ticket) for event in plan.events] == [
        (10, (remove,), 0.0, False),
        (20, (remove, Prune(0.3, for_now=True)), 0.3, False),
        (30, (Reactivate(), remove), 0.0, False),
        (40, (remove, Prune(0.6, for_now=True)), 0.6, False),
        (50, (Reactivate(), remove), 0.0, False),
        # What is pruned here would come back at the end of the search: it stays.
        (60, (remove, Prune(0.7)), 0.7, False),
        (70, (last, Prune(0.7)), 0.7, False),
        (80, (), 0.7, True),
    ]
    assert plan.steps == 80
    assert plan.removes_channels


def test_the_papers_proportions() -> None:
    """350 epochs, a prune every 25 of them that goes 10 % further: here every 2.5 of 35."""
    plan = Search().plan(0.98, 100)
    ladder = [(250 * n, min(0.1 * n, 0.98), True) for n in range(1, 12)]
    assert prunes(plan) == [*((step, pytest.approx(now), away) for step, now, away in ladder), (3000, 0.98, False)]
    assert steps(plan, Reactivate) == [250 * n + 125 for n in range(1, 12)]
    assert steps(plan, RemoveIdle) == list(range(100, 3001, 100))
    assert plan.steps == 3500


def test_fractions_of_epochs_go_to_the_nearest_step() -> None:
    plan = search(remove_every=0.75, prune_every=1.5, sparse=0.4, final=3.25, epochs=4).plan(0.9, 4)
    assert steps(plan, RemoveIdle) == [3, 6, 9, 12, 13]
    assert prunes(plan) == [(6, 0.3, True), (12, 0.6, False), (13, 0.9, False)]
    assert steps(plan, Reactivate) == [8]  # 1.5 + 0.4 * 1.5 epochs are 8.4 steps
    assert plan.steps == 16


def test_without_a_period_weights_are_pruned_once() -> None:
    plan = search(prune_every=None).plan(0.7, STEPS)
    assert prunes(plan) == [(70, 0.7, False)]
    assert steps(plan, Reactivate) == []
    assert steps(plan, RemoveIdle) == [10, 20, 30, 40, 50, 60, 70]


def test_what_is_sparse_all_the_time_never_comes_back() -> None:
    plan = search(sparse=1).plan(0.7, STEPS)
    assert prunes(plan) == [(20, 0.3, False), (40, 0.6, False), (60, 0.7, False), (70, 0.7, False)]
    assert steps(plan, Reactivate) == []


@pytest.mark.parametrize("per_epoch", [1, 3, 4, 10, 97])
@pytest.mark.parametrize("sparse", [0.01, 0.3, 0.5, 0.99])
@pytest.mark.parametrize("period", [0.05, 0.25, 0.7, 1.0, 2.5])
@pytest.mark.parametrize("final", [0.1, 2.1, 3.0])
def test_what_is_pruned_for_now_comes_back_before_the_next_prune(
    period: float, sparse: float, final: float, per_epoch: int
) -> None:
    """Otherwise values that are set aside would be lost, whether steps are longer or shorter than periods."""
    timeline = search(prune_every=period, remove_every=period, sparse=sparse, final=final, epochs=3, ladder=0.01)
    plan = timeline.plan(0.5, per_epoch)
    away, pruned_at, last = False, -1, 0.0
    for event in plan.events:
        for action in event.actions:
            if isinstance(action, Reactivate):
                assert away
                assert event.step > pruned_at, "it stays away for a step at least"
                away = False
            elif isinstance(action, Prune):
                assert not away
                assert action.sparsity >= last
                away, pruned_at, last = action.for_now, event.step, action.sparsity
    assert not away
    assert (pruned_at, last) == (math.floor(final * per_epoch + 0.5), 0.5)
    order = [event.step for event in plan.events]
    assert order == sorted(order)
    assert len(set(order[:-1])) == len(order) - 1, "one event a step, but for the ticket"
    assert order[-1] == plan.steps


def test_of_few_data_it_takes_as_many_steps_as_it_is_to() -> None:
    timeline = Search(final=24, epochs=30, min_steps=1500)
    assert timeline.plan(0.9, 7) == timeline.plan(0.9, 50)
    assert timeline.plan(0.9, 7).steps == 1500
    assert timeline.plan(0.9, 100).steps == 3000


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"final": 9}, "needs final <= epochs, not 9, 8"),
        ({"sparse": 0}, "greater than 0"),
        ({"sparse": 1.1}, "less than or equal to 1"),
        ({"ladder": 1}, "less than 1"),
        ({"threshold": 0}, "greater than 0"),
        ({"frees": 1}, "less than 1"),
        ({"prune_every": 0}, "greater than 0"),
        ({"remove_every": 0}, "greater than 0"),
    ],
)
def test_what_no_search_can_be_is_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        search(**settings)


def test_a_missing_target_is_named() -> None:
    with pytest.raises(UserError, match=r"timeline 'search' needs a target: give sparsity, in \[0, 1\)"):
        search().plan(None, STEPS)


CHANNELS = {"score": "learned", "group": "channel", "scope": "global"}
REFUSED: dict[str, tuple[dict[str, Any], AnyParametrisation, AnyTimeline, str]] = {
    "no gains": ({}, Fixed(), Search(), r"removes channels whose gains .* use parametrisation 'gains', not 'fixed'"),
    "no gains but coefficients": (
        CHANNELS,
        Coefficients(),
        Search(),
        "use parametrisation 'gains', not 'coefficients'",
    ),
    "a score of channels": ({"score": "learned"}, GAINS, Search(), "score 'learned' would be .* use score 'magnitude'"),
    "rows": ({"group": "row", "scope": "layer"}, GAINS, Search(), "use group 'element', not 'row'"),
    "channels": ({"group": "channel"}, GAINS, Search(), "use group 'element', not 'channel'"),
    "what is there already": ({"score": "zeros"}, GAINS, Search(), "use timeline 'one-shot'"),
    "nothing removes channels": (
        {},
        GAINS,
        Gradual(),
        "parametrisation 'gains' needs score 'learned', not 'magnitude'",
    ),
    "nor are they selected": (
        {"score": "learned"},
        GAINS,
        Gradual(),
        "one number for each .* or 'channel', not 'element'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_go_together_is_one_line(case: str) -> None:
    settings, parametrisation, timeline, complaint = REFUSED[case]
    scope = settings.get("scope") or ("global" if "group" not in settings else "layer")
    selection = Selection.model_validate({**settings, "scope": scope})
    with pytest.raises(UserError, match=complaint) as caught:
        require_composable(selection, parametrisation, timeline.plan(0.5, STEPS))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "timeline"),
    [
        ({}, Search()),
        ({"score": "random", "scope": "erk"}, Search()),
        ({"score": "snip"}, Search(prune_every=None)),
        (CHANNELS, OneShot(epochs=1)),
    ],
)
def test_what_goes_together(settings: dict[str, Any], timeline: AnyTimeline) -> None:
    require_composable(Selection.model_validate(settings), GAINS, timeline.plan(0.5, STEPS))
