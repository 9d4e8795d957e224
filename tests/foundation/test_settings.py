"""What settings accept, and how their complaints read."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.foundation.settings import Ratio, Settings, Sparsity, parse


class Slow(Settings):
    kind: Literal["slow"] = "slow"
    rate: float = Field(default=0.1, gt=0)


class Fast(Settings):
    kind: Literal["fast"] = "fast"
    rate: float = Field(default=1.0, gt=0)
    steps: int = 3


class Whole(Settings):
    name: str
    pace: Annotated[Slow | Fast, Field(discriminator="kind"), Shorthand] = Fast()
    sparsity: Sparsity | tuple[Sparsity, ...] | None = 0.5
    epsilon: Ratio = Field(default=0.1, gt=0)
    parts: dict[str, Slow] = Field(default_factory=dict)
    numbers: tuple[int, ...] = Field(default=(0,), min_length=1)


def complaint(values: object, where: str = "") -> str:
    with pytest.raises(UserError) as refused:
        parse(Whole, values, where)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "name: is missing"),
        ({"nane": "x"}, "name: is missing; and 1 more"),
        ({"name": "x", "epsilom": 1}, "epsilom: no such setting; did you mean epsilon?"),
        ({"name": "x", "zzz": 1}, "zzz: no such setting; known: epsilon, name, numbers, pace, parts, sparsity"),
        ({"name": "x", "pace": {"kind": "fast", "step": 1}}, "pace.step: no such setting; did you mean pace.steps?"),
        ({"name": "x", "steps": 1}, "steps: no such setting; did you mean pace.steps?"),
        ({"name": "x", "rate": 1}, "rate: no such setting; did you mean pace.rate or parts.NAME.rate?"),
        ({"name": "x", "parts": {"a": {"rat": 1}}}, "parts.a.rat: no such setting; did you mean parts.a.rate?"),
        ({"name": "x", "parts": {"a": {"steps": 1}}}, "parts.a.steps: no such setting; did you mean pace.steps?"),
        ({"name": "x", "pace": "fsat"}, "pace: 'fsat' is not known; did you mean fast?"),
        ({"name": "x", "pace": "walking"}, "pace: 'walking' is not known; known: slow, fast"),
        ({"name": "x", "sparsity": 1.5}, "sparsity: should be less than 1 (got 1.5)"),
        ({"name": "x", "sparsity": [0.1, -1]}, "sparsity[1]: should be greater than or equal to 0 (got -1)"),
        ({"name": "x", "epsilon": "8/0"}, "epsilon: '8/0' is not a number; write 0.031 or a ratio such as 8/255"),
        ({"name": "x", "epsilon": "8/"}, "epsilon: '8/' is not a number; write 0.031 or a ratio such as 8/255"),
        ({"name": "x", "epsilon": "1/2/3"}, "epsilon: '1/2/3' is not a number; write 0.031 or a ratio such as 8/255"),
        ({"name": "x", "epsilon": 0}, "epsilon: should be greater than 0 (got 0)"),
        ({"name": "x", "parts": {"a": {"rate": -1}}}, "parts.a.rate: should be greater than 0 (got -1)"),
        ({"name": "x", "numbers": "one"}, "numbers: should be a list, as in [a, b] (got 'one')"),
        ({"name": "x", "numbers": []}, "numbers: should have at least 1 item(s), not 0"),
        ({"name": 3}, "name: should be a valid string (got 3)"),
        ([], "should be a mapping of settings"),
    ],
)
def test_complaints(values: object, words: str) -> None:
    assert complaint(values) == words


def test_a_complaint_says_where() -> None:
    assert complaint({"name": "x", "pase": 1}, "file.json").startswith("file.json.pase: ")
    assert complaint([], "file.json").startswith("file.json: ")


def test_short_forms() -> None:
    whole = parse(Whole, {"name": "x", "pace": "slow", "sparsity": ["1/2", 0.75], "epsilon": " 8 / 255 "})
    assert whole.pace == Slow()
    assert whole.sparsity == (0.5, 0.75)
    assert whole.epsilon == 8 / 255


def test_a_mapping_without_kind_changes_the_default() -> None:
    assert parse(Whole, {"name": "x", "pace": {"steps": 7}}).pace == Fast(steps=7)
    assert parse(Whole, {"name": "x", "pace": {"kind": "slow", "rate": 7}}).pace == Slow(rate=7)


def test_settings_never_change() -> None:
    with pytest.raises(ValidationError):
        Slow().rate = 2  # pyright: ignore


def test_a_message_is_one_line() -> None:
    assert str(UserError("two\n  lines")) == "two lines"


@pytest.mark.parametrize(
    ("text", "value"), [("8/255", 8 / 255), ("0.5/255", 0.5 / 255), (" .5 / 2 ", 0.25), ("3e-2", 0.03)]
)
def test_ratios(text: str, value: float) -> None:
    assert parse(Whole, {"name": "x", "epsilon": text}).epsilon == value
