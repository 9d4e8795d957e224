"""Double win: one ticket, transferred standardly and adversarially, against dense in accuracy and robustness."""

import json
from pathlib import Path

import pytest

import robust_tickets as rt
from robust_tickets.attacks import Threat
from robust_tickets.measures.evaluation import Evaluation
from robust_tickets.objectives import PGDTraining
from robust_tickets.verbs.double_win import DoubleWinVerdict, adversarial_counterpart, verify_double_win
from robust_tickets.verbs.find import FindResult
from tests.verbs.small import PARTS, THOROUGH, small_source, times

BALL = {"norm": "linf", "epsilon": 0.05}
ATTACK = rt.VerifySettings.model_validate({"margin": 0.35, "robustness": {"threat": {**BALL, "steps": 5}}})
STANDARD = rt.TransferSettings.model_validate({"training": THOROUGH, "seeds": (0, 1, 2)})
ADVERSARIAL = rt.TransferSettings.model_validate(
    {"training": {**THOROUGH, "objective": {"kind": "fgsm-rs", **BALL}}, "seeds": (0, 1, 2)}
)


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return small_source()


def find(source: rt.Source, folder: Path, sparsities: tuple[float, ...]) -> FindResult:
    return rt.find(
        source,
        PARTS,
        criterion="double-win",
        sparsities=sparsities,
        transfer_settings=STANDARD,
        adversarial_settings=ADVERSARIAL,
        verify_settings=ATTACK,
        folder=folder,
    )


def measured_on(folder: Path, part: str) -> set[str]:
    return {str(path.parent.parent.relative_to(folder)) for path in folder.rglob(f"{part}-*") if path.is_dir()}


def test_the_search_goes_down_until_both_transfers_match_and_touches_test_once(
    source: rt.Source, tmp_path: Path
) -> None:
    found = find(source, tmp_path, (0.1, 0.3, 0.999))
    assert found.ticket is not None
    assert found.ticket.sparsity == pytest.approx(0.3, abs=1e-3)
    wreck, winner = found.tried
    assert isinstance(wreck, DoubleWinVerdict)
    assert isinstance(winner, DoubleWinVerdict)
    assert (wreck.part, wreck.matches, winner.part, winner.matches) == ("validation", False, "validation", True)
    assert wreck.adversarial is None
    assert "No double win: no match with dense for SA(standard)" in wreck.sentence()
    assert "SA(adversarial) not measured" in wreck.sentence()
    assert not (tmp_path / "adversarial" / "sparsity-0.999").exists(), "what cannot win is not trained adversarially"
    assert winner.adversarial is not None
    assert winner.joint.ra_adversarial == winner.adversarial.robust
    assert isinstance(found.verdict, DoubleWinVerdict)
    assert found.verdict.part == "test"
    ticket_and_dense = ("dense", "sparsity-0.3")
    assert measured_on(tmp_path, "test") == {
        f"{training}confirmed/{one}" for training in ("", "adversarial/") for one in ticket_and_dense
    }
    assert measured_on(tmp_path, "validation") == {
        f"{training}{one}" for training in ("", "adversarial/") for one in ticket_and_dense
    } | {"sparsity-0.999"}
    assert not (tmp_path / "sparsity-0.1").exists()
    assert found.adversarial is not None
    assert found.adversarial.settings.training.objective.kind == "fgsm-rs"
    assert found.sentence().startswith(
        "Sparsest double-win ticket on validation: 29.97 %; confirmed on test, with fresh seeds."
    )
    record = json.loads((tmp_path / "found.json").read_text())
    assert (record["criterion"], record["ticket"], len(record["validation"])) == ("double-win", found.ticket.digest, 2)
    written = times(tmp_path)
    again = find(source, tmp_path, (0.1, 0.3, 0.999))
    assert (again.sentence(), again.tried) == (found.sentence(), found.tried)
    assert times(tmp_path) == written


def test_nothing_is_found_where_no_ticket_wins(source: rt.Source) -> None:
    quick = STANDARD.model_copy(update={"seeds": (0, 1)})
    found = rt.find(
        source, PARTS, criterion="double-win", sparsities=(0.999,), transfer_settings=quick, verify_settings=ATTACK
    )
    assert (found.ticket, found.result, found.adversarial, found.verdict) == (None, None, None, None)
    assert found.sentence() == "No ticket is double-win on validation; 1 were tried."


def test_by_default_the_adversarial_transfer_is_the_papers_in_the_ball_that_is_verified() -> None:
    """PGD-10, and at 8/255 steps of 2/255 (2206.04762); everything else as in the standard transfer."""
    usual = adversarial_counterpart(STANDARD, rt.VerifySettings())
    objective = usual.training.objective
    assert isinstance(objective, PGDTraining)
    assert (objective.threat.steps, objective.threat.epsilon) == (10, pytest.approx(8 / 255))
    assert objective.threat.step_length == pytest.approx(2 / 255)
    own = Threat(norm="l2", epsilon=0.5, steps=20)
    ball = adversarial_counterpart(
        STANDARD, rt.VerifySettings(robustness=Evaluation(threat=own))
    ).training.objective.ball
    assert ball is not None
    assert ball.ball_name == "L2 0.5"
    same = usual.training.model_copy(update={"objective": STANDARD.training.objective})
    assert usual.model_copy(update={"training": same}) == STANDARD


def test_transfers_of_the_wrong_kind_are_refused_before_anything_is_trained(source: rt.Source, tmp_path: Path) -> None:
    for wrong, message in (
        ({"transfer_settings": ADVERSARIAL}, r"transfer\.training\.objective is FGSM-RS.*: keep it standard"),
        ({"adversarial_settings": STANDARD}, r"adversarial\.training\.objective is standard: set pgd"),
        ({"adversarial_settings": ADVERSARIAL, "criterion": "match"}, "apply only to criterion: double-win"),
    ):
        with pytest.raises(rt.UserError, match=message):
            rt.find(source, PARTS, folder=tmp_path / "found", **{"criterion": "double-win", **wrong})
    assert not (tmp_path / "found").exists()


def test_two_tickets_do_not_make_one_double_win(source: rt.Source) -> None:
    quick = {"training": {"epochs": 1, "batch_size": 20}, "seeds": (0,)}
    fast = {"training": {"epochs": 1, "batch_size": 20, "objective": "fgsm-rs"}, "seeds": (0,)}
    pairs = []
    for sparsity, settings in ((0.5, quick), (0.6, fast)):
        way = rt.TransferSettings.model_validate(settings)
        ticket = rt.draw(source, sparsity=sparsity)
        pairs.append((rt.transfer(ticket, PARTS, settings=way), rt.transfer(source, PARTS, settings=way)))
    with pytest.raises(rt.UserError, match="about one ticket"):
        verify_double_win(*pairs, settings=ATTACK)
    alone = verify_double_win(pairs[0], settings=ATTACK)
    assert alone.joint.verdict == "cannot tell"
    assert alone.adversarial is None
