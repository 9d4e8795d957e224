"""A search that is killed anywhere ends bit for bit alike: weights, masks, and the record of what went when."""

from pathlib import Path
from typing import Any

import pytest
import torch

from robust_tickets.models.network import Network
from robust_tickets.training.checkpoints import load_checkpoint
from tests.training.searches import ADAMW, SEARCH, drawing, planned, rising
from tests.training.small import Interrupted, Run, equal

CASES: dict[str, dict[str, Any]] = {
    "momentum": {"optimiser": {"kind": "sgd", "lr": 0.05, "momentum": 0.9}},
    "adamw, average": ADAMW | {"ema": 0.8},
}
CASE = pytest.mark.parametrize("case", CASES)
SLOW = SEARCH.model_copy(update={"threshold": 0.15, "ladder": 0.6, "final": 2.5, "epochs": 3})
"""Channels may go before steps 2, 4, ..., 10, and do in several parts; weights are away from 4 to 6, and from 8 on."""

STEPS = 12


def run(case: str, folder: Path | None, network: Network | None = None, **options: Any) -> Run:
    """Search; checkpoints are written after every step."""
    sinking = drawing(0.85, penalty=0.15 if case == "momentum" else 2.0)
    return Run(planned(0.85, SLOW), CASES[case], drawing=sinking, folder=folder, network=network or rising(), **options)


def assert_alike(resumed: Run, whole: Run) -> None:
    assert equal(resumed.state, whole.state)
    assert equal(resumed.result.masks, whole.result.masks)
    assert resumed.result.removals == whole.result.removals
    assert resumed.result.history == whole.result.history
    for (_, masks, state), (_, masks_, state_) in zip(resumed.tickets, whole.tickets, strict=True):
        assert equal(masks, masks_)
        assert equal(state, state_)


@CASE
def test_killed_between_any_two_steps(case: str, tmp_path: Path) -> None:
    """Before a removal, between two, directly after one, and while weights are away."""
    whole = run(case, None)
    steps = [one.step for one in whole.result.removals]
    assert len(steps) >= 2, "channels went in several parts"
    away = gone = 0
    for stop in range(1, STEPS):
        folder = tmp_path / str(stop)
        with pytest.raises(Interrupted):
            run(case, folder, stop_at=stop)
        kept = load_checkpoint(folder / "checkpoint.pt")
        assert kept is not None
        assert kept["trainee"]["step"] == stop
        away += any(bool(value.any()) for value in kept["trainee"]["aside"].values())
        gone += any(bool(value.any()) for value in kept["trainee"]["gone"].values())
        assert [one[0] for one in kept["trainee"]["removals"]] == [step for step in steps if step < stop]
        assert_alike(run(case, folder), whole)
    assert away >= 2
    assert 0 < gone < STEPS - 1, "before and after channels went"


def test_killed_at_every_step_one_after_the_other(tmp_path: Path) -> None:
    case = "adamw, average"
    whole = run(case, None)
    for _ in range(STEPS - 1):
        with pytest.raises(Interrupted):
            run(case, tmp_path, stop_at=1)
    assert_alike(run(case, tmp_path), whole)


@CASE
def test_killed_within_an_event_or_a_step(case: str, tmp_path: Path) -> None:
    """After a removal and before it is written down, or in the middle of the statistics that are computed after it."""
    whole = run(case, None)
    calls = 0

    def count(*_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == last:
            raise Interrupted

    def counted() -> Network:
        network = rising()
        network.normalise.register_forward_pre_hook(count)
        return network

    last = -1
    run(case, None, counted())
    total = calls
    assert total > STEPS + 4 * len(whole.result.removals), "statistics take four batches each time"
    for last in range(3, total, 7):
        calls, folder = 0, tmp_path / str(last)
        with pytest.raises(Interrupted):
            run(case, folder, counted())
        assert_alike(run(case, folder), whole)


@CASE
def test_a_search_that_has_ended_is_taken_from_its_last_checkpoint(case: str, tmp_path: Path) -> None:
    first = run(case, tmp_path)
    assert_alike(run(case, tmp_path, stop_at=0), first)


def test_what_was_removed_does_not_come_back_with_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run("momentum", tmp_path, stop_at=STEPS - 1)
    kept = load_checkpoint(tmp_path / "checkpoint.pt")
    assert kept is not None
    module, gone = kept["trainee"]["module"], kept["trainee"]["gone"]
    left = [int((~gone[f"{name}.weight"]).sum()) for name in ("conv1", "conv2")]
    assert list(module["body.conv2.weight"].shape[:2]) == left[::-1]
    assert left[0] < 8
    assert left[1] < 12
    resumed = run("momentum", tmp_path)
    assert bool((~resumed.result.masks["bn1.weight"])[gone["conv1.weight"]].all())
    assert torch.equal(resumed.state["bn1.weight"] == 0, ~resumed.result.masks["bn1.weight"])
