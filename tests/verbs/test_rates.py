"""Linear transfer at several learning rates: one extraction of features, and validation chooses."""

from pathlib import Path

import pytest

from robust_tickets.foundation.files import read_json
from tests.commands import Tickets

LINEAR = (
    "transfer demo/resnet4 --weights random -d digits --set data.per_class=8 --set data.channels=3 --set mode=linear "
    "--set seeds=[0] --set training.epochs=4 "
)


@pytest.fixture
def tickets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tickets:
    monkeypatch.chdir(tmp_path)
    return Tickets(capsys, monkeypatch)


def test_the_rate_kept_is_recorded_and_reaches_what_it_reaches_alone(tickets: Tickets) -> None:
    rates = (0.0001, 0.03)
    outcome = tickets(LINEAR + f"--set data.validation=0.3 --set rates=[{rates[0]},{rates[1]}] --out together")
    assert outcome.code == 0, outcome.err
    together = read_json(Path("together/seed-0/result.json"))
    alone = {}
    for rate in rates:
        outcome = tickets(LINEAR + f"--set data.validation=0.3 --set training.head_lr={rate} --out alone-{rate}")
        assert outcome.code == 0, outcome.err
        alone[rate] = read_json(Path(f"alone-{rate}/seed-0/result.json"))["validation"]
    assert together["validation"] == max(alone.values()) > min(alone.values())
    assert alone[together["rate"]] == together["validation"]
    assert "rate" not in read_json(Path(f"alone-{rates[0]}/seed-0/result.json"))


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("--set rates=[0.1,0]", "greater than 0"),
        ("--set rates=[0.1] --set mode=full", "rates: heads share the features of a frozen network"),
        ("--set rates=[0.1] --set bn=batch", "rates: heads share the features of a frozen network"),
        ("--set rates=[0.1] --set training.mixup=0.2", "rates: heads share the features of inputs as they are"),
        ("--set rates=[0.1] --set training.keep=best", "rates: heads train together to the end"),
        ("--set rates=[0.1] --set data.validation=0", "rates are compared on validation; set data.validation above 0"),
    ],
)
def test_rates_that_cannot_be_compared_are_one_line(tickets: Tickets, settings: str, complaint: str) -> None:
    assert complaint in tickets(LINEAR + settings + " --out bad").complaint
    assert not Path("bad/seed-0").exists()
