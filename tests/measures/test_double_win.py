import pytest

from robust_tickets.measures.double_win import DoubleWin, double_win
from robust_tickets.measures.matching import decide

MATCHES = decide([0.90, 0.901, 0.90], [0.90, 0.90, 0.90])
WORSE = decide([0.80, 0.801, 0.80], [0.90, 0.90, 0.90])
UNCLEAR = decide([0.85, 0.95, 0.90], [0.90, 0.90, 0.90])
BOTH_NOTHING = decide([0.0, 0.001, 0.0], [0.002, 0.001, 0.0])
LOST_LITTLE = decide([0.0, 0.0, 0.0], [0.001, 0.001, 0.009], margin=0.01)
REQUIRED = ["sa_standard", "sa_adversarial", "ra_adversarial"]


def join(**changed) -> DoubleWin:
    return double_win(**{**dict.fromkeys(REQUIRED, MATCHES), "ra_standard": BOTH_NOTHING, **changed})


def test_all_matching_is_a_double_win():
    assert join().verdict == "matches"
    assert join().sentence().startswith("Double win:")


@pytest.mark.parametrize("name", REQUIRED)
def test_each_of_the_three_is_required(name):
    assert join(**{name: WORSE}).verdict == "does not match"
    assert join(**{name: UNCLEAR}).verdict == "cannot tell"


def test_one_clear_failure_settles_it_whatever_is_unclear():
    joint = join(sa_standard=UNCLEAR, ra_adversarial=WORSE)
    assert joint.verdict == "does not match"
    assert joint.sentence() == "No double win: no match with dense for RA(adversarial)."


def test_robustness_after_standard_transfer_counts_only_where_dense_has_some():
    assert not join(ra_standard=LOST_LITTLE).ra_standard_required
    assert join(ra_standard=LOST_LITTLE).verdict == "matches"
    assert join(ra_standard=WORSE).ra_standard_required
    assert join(ra_standard=WORSE).verdict == "does not match"
    assert "RA(standard)" in join(ra_standard=UNCLEAR).sentence()


def test_survives_json():
    joint = join(sa_adversarial=UNCLEAR)
    assert DoubleWin.model_validate_json(joint.model_dump_json()) == joint
