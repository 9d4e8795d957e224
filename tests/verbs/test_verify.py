"""Verify: seeds are paired, the test part is measured once, and what is not comparable is refused."""

from pathlib import Path

import pytest
import torch

import robust_tickets as rt
from robust_tickets.measures.metric import Accuracy
from robust_tickets.verbs.measure import measure
from tests.verbs.small import PARTS, QUICK, THOROUGH, Bright, small_source, times


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("verify")


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return small_source()


@pytest.fixture(scope="module")
def result(source: rt.Source, place: Path) -> rt.Transfer:
    return rt.transfer(rt.draw(source, sparsity=0.6), PARTS, folder=place / "runs", **QUICK)


@pytest.fixture(scope="module")
def dense(source: rt.Source, place: Path) -> rt.Transfer:
    return rt.transfer(source, PARTS, folder=place / "dense", **QUICK)


def accuracy(run: object, part: str = "test") -> float:
    classifier, data = run.network.eval(), getattr(run.data, part)  # pyright: ignore
    with torch.no_grad():
        hits = [int(classifier(image[None]).argmax()) == label for image, label in data]
    return sum(hits) / len(hits)


def test_differences_are_paired_by_seed_and_measured_on_test(result: rt.Transfer, dense: rt.Transfer) -> None:
    verdict = rt.verify(result, dense)
    assert [run.seed for run in verdict.ticket_runs] == [run.seed for run in verdict.dense_runs] == [0, 1]
    assert [run.standard for run in verdict.ticket_runs] == pytest.approx([accuracy(run) for run in result.runs])
    assert [run.standard for run in verdict.dense_runs] == pytest.approx([accuracy(run) for run in dense.runs])
    differences = [t.standard - d.standard for t, d in zip(verdict.ticket_runs, verdict.dense_runs, strict=True)]
    assert verdict.standard.difference == pytest.approx(sum(differences) / 2)
    assert (verdict.part, verdict.standard.seeds, verdict.standard.margin) == ("test", 2, 0.01)
    assert all(run.interval.lower <= run.standard <= run.interval.upper for run in verdict.ticket_runs)
    assert "SmallNet at 60.01 % sparsity, full, standard." in verdict.sentence()


def test_dense_is_found_or_made_under_the_same_settings(
    source: rt.Source, result: rt.Transfer, dense: rt.Transfer, place: Path, tmp_path: Path
) -> None:
    assert rt.verify(result, "dense") == rt.verify(result, dense)
    assert not (place / "runs" / "dense").exists(), "the one beside it is taken"
    assert result.ticket is not None
    alone = rt.transfer(result.ticket, PARTS, folder=tmp_path / "runs", source=source, **QUICK)
    assert rt.verify(alone, "dense").dense_runs == rt.verify(result, dense).dense_runs
    assert (tmp_path / "runs" / "dense" / "seed-1" / "result.json").exists()


def test_dense_matches_itself_and_a_wreck_does_not(source: rt.Source, dense: rt.Transfer) -> None:
    assert rt.verify(dense).matches
    steep = {"training": THOROUGH, "seeds": (0, 1, 2)}
    good = rt.transfer(source, PARTS, **steep)
    wreck = rt.transfer(rt.draw(source, sparsity=0.999), PARTS, **steep)
    assert rt.verify(wreck, good).verdict == "does not match"


def test_the_test_part_is_measured_once(result: rt.Transfer, dense: rt.Transfer, place: Path) -> None:
    first = rt.verify(result, dense)
    written = times(place)
    assert rt.verify(result, dense) == first
    assert rt.verify(result, dense, margin=0.2, level=0.1).ticket_runs == first.ticket_runs
    assert times(place) == written
    # an attack adds its own measurement and leaves the accuracy on clean images as it was measured
    attacked = rt.verify(result, dense, robustness={"threat": {"epsilon": "4/255", "steps": 2}})
    assert {name: when for name, when in times(place).items() if name in written} == written
    assert len(times(place)) == len(written) + 4
    assert [run.standard for run in attacked.ticket_runs] == [run.standard for run in first.ticket_runs]


def test_robustness_has_to_match_too(result: rt.Transfer, dense: rt.Transfer) -> None:
    verdict = rt.verify(result, dense, robustness={"threat": {"epsilon": 0.1, "steps": 3}, "limit": 20})
    assert verdict.robust is not None
    assert verdict.attack == "PGD-3 in L-inf 0.1"
    assert all(run.robust is not None for run in verdict.ticket_runs)
    worst = max(
        (verdict.standard.verdict, verdict.robust.verdict), key=["matches", "cannot tell", "does not match"].index
    )
    assert verdict.verdict == worst
    assert "Under PGD-3 in L-inf 0.1:" in verdict.sentence()
    run = measure(result.runs[0], rt.VerifySettings.model_validate({"robustness": {"limit": 20}}).robustness)
    assert (len(run["clean"]), len(run["robust"])) == (45, 20)


def test_validation_is_another_part(result: rt.Transfer, dense: rt.Transfer) -> None:
    verdict = rt.verify(result, dense, part="validation")
    assert verdict.part == "validation"
    expected = [accuracy(run, "validation") for run in result.runs]
    assert [run.standard for run in verdict.ticket_runs] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mode": "linear"}, r"settings\.mode is .full. in one and .linear."),
        ({"seeds": (0, 2)}, r"seeds\[1\] is 1 in one and 2"),
        ({"training": {"epochs": 1, "batch_size": 20}}, r"settings\.training\.epochs"),
    ],
)
def test_other_settings_are_refused(result: rt.Transfer, source: rt.Source, changes: dict, words: str) -> None:
    other = rt.transfer(source, PARTS, **{**QUICK, **changes})
    with pytest.raises(rt.UserError, match=words):
        rt.verify(result, other)


def test_other_data_and_other_sources_are_refused(result: rt.Transfer, source: rt.Source) -> None:
    with pytest.raises(rt.UserError, match="data"):
        rt.verify(result, rt.transfer(source, {**PARTS, "train": Bright(30)}, **QUICK))
    with pytest.raises(rt.UserError, match="source"):
        rt.verify(result, rt.transfer(small_source(seed=1), PARTS, **QUICK))


def test_seconds_between_checkpoints_make_no_difference(result: rt.Transfer, source: rt.Source) -> None:
    training = {**QUICK["training"], "checkpoint_seconds": 0}
    assert rt.verify(result, rt.transfer(source, PARTS, **{**QUICK, "training": training})).standard.seeds == 2


@pytest.mark.parametrize("count", [1, 7, 8, 9, 1000])
def test_correctness_is_kept_bit_for_bit(count: int) -> None:
    bits = torch.rand(count, generator=torch.Generator().manual_seed(count)) < 0.5
    assert torch.equal(Accuracy().unpacked(Accuracy().packed(bits)), bits)
