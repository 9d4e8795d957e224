"""Tickets kept away from, or drawn to, the dense solution that they come from."""

from pathlib import Path
from typing import Any

import pytest

import robust_tickets as rt
from robust_tickets.analysis.distance import angle, survivors
from tests.verbs.small import PARTS, QUICK, Bright, small_source, times


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return small_source()


def trained(subject: Any, folder: Path, **objective: Any) -> rt.Transfer:
    training = {**QUICK["training"], "epochs": 6, **({"objective": objective} if objective else {})}
    return rt.transfer(subject, PARTS, folder=folder, training=training, head="keep", seeds=(0,))


def test_a_ticket_is_kept_away_from_the_dense_solution_or_drawn_to_it(source: rt.Source, tmp_path: Path) -> None:
    dense = trained(source, tmp_path / "dense")
    ticket = rt.draw(source, sparsity=0.5)
    reference = str(tmp_path / "dense" / "seed-0")
    masks = {name: ticket.masks[name] for name in ticket.prunable}

    def degrees(result: rt.Transfer) -> float:
        ends = [survivors(one.runs[0].network.plain_state(), masks) for one in (result, dense)]
        found = angle(*ends)
        assert found is not None
        return found

    plain = degrees(trained(ticket, tmp_path / "plain"))
    away = degrees(trained(ticket, tmp_path / "away", kind="repellence", reference=reference, strength=2))
    near = degrees(trained(ticket, tmp_path / "near", kind="repellence", reference=reference, strength=-1))
    assert near < plain < away
    written = times(tmp_path)
    trained(ticket, tmp_path / "near", kind="repellence", reference=reference, strength=-1)
    assert times(tmp_path) == written
    # Its result rests on the weights of the reference: with others it would not be the same.
    trained(source, tmp_path / "other", kind="repellence", reference=reference, strength=-1)
    (tmp_path / "dense" / "seed-0").rename(tmp_path / "gone")
    (tmp_path / "other" / "seed-0").rename(tmp_path / "dense" / "seed-0")
    with pytest.raises(rt.UserError, match="teacher"):
        trained(ticket, tmp_path / "near", kind="repellence", reference=reference, strength=-1)


def test_a_reference_that_is_not_there_is_told_before_a_run_trains(tmp_path: Path) -> None:
    values = {
        "sources": {"net": {"source": {"name": "demo/resnet4", "weights": "random", "num_classes": 10}}},
        "data": {"name": "digits", "per_class": 4, "channels": 3, "size": [16, 16]},
        "transfers": {"full": {"training": {"objective": {"kind": "repellence", "reference": "nowhere/seed-0"}}}},
    }
    with pytest.raises(rt.UserError, match="nowhere"):
        rt.run(rt.load_recipe("one-shot", values=values), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("part", [{"mode": "linear"}, {"compact": True}])
def test_all_weights_have_to_train(source: rt.Source, part: dict[str, Any]) -> None:
    training = {**QUICK["training"], "objective": {"kind": "repellence"}}
    with pytest.raises(
        rt.UserError, match=r"standard, repelled .* looks at all weights, and .* trains with a part of them"
    ):
        rt.transfer(source, PARTS, training=training, seeds=(0,), **part)


def test_weights_that_the_forward_pass_changes_are_refused(source: rt.Source) -> None:
    training = {**QUICK["training"], "objective": {"kind": "repellence"}}
    drawing: dict[str, Any] = {"score": {"kind": "learned"}, "parametrisation": {"kind": "straight-through"}}
    with pytest.raises(rt.UserError, match="looks at the weights themselves, which parametrisation straight-through"):
        rt.draw(
            source, sparsity=0.5, data=PARTS, timeline={"kind": "one-shot", "epochs": 1}, training=training, **drawing
        )


def test_a_reference_that_is_not_there_or_of_other_classes_is_refused(source: rt.Source, tmp_path: Path) -> None:
    with pytest.raises(rt.UserError, match="nowhere"):
        trained(source, tmp_path / "a", kind="repellence", reference=str(tmp_path / "nowhere"))
    trained(source, tmp_path / "three")
    objective = {"kind": "repellence", "reference": str(tmp_path / "three" / "seed-0")}
    two = {part: Bright(40, classes=2, seed=seed) for seed, part in enumerate(("train", "validation", "test"))}
    told = r"objective\.reference: classifier\.weight is \[2, 16\] here, but .* has \[3, 16\]"
    with pytest.raises(rt.UserError, match=told):
        rt.transfer(source, two, training={**QUICK["training"], "objective": objective}, seeds=(0,))
