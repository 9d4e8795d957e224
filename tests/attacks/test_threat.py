import pytest
from pydantic import ValidationError

from robust_tickets.attacks import Threat


def test_epsilon_may_be_written_as_pixel_levels():
    assert Threat.model_validate({"epsilon": "8/255", "step_size": "2/255"}).epsilon == 8 / 255


def test_a_step_is_madrys_unless_given():
    assert Threat(epsilon=0.1, steps=5).step_length == pytest.approx(0.05)
    assert Threat(epsilon=0.1, steps=5, step_size=0.01).step_length == 0.01


def test_linf_above_the_box_is_refused_with_what_was_probably_meant():
    with pytest.raises(ValidationError, match=r"epsilon is in \[0,1\] units.*8/255"):
        Threat(epsilon=8)


def test_l2_of_three_is_fine():
    assert Threat(norm="l2", epsilon=3).ball_name == "L2 3"


@pytest.mark.parametrize(
    "wrong",
    [{"epsilon": 0}, {"epsilon": "-1/255"}, {"steps": 0}, {"step_size": 0}, {"eps": 0.1}, {"norm": "l1"}],
)
def test_impossible_threats_are_refused(wrong):
    with pytest.raises(ValidationError):
        Threat.model_validate(wrong)


def test_restarts_need_a_random_start():
    with pytest.raises(ValidationError, match="repeat the same search"):
        Threat(restarts=3, random_start=False)
