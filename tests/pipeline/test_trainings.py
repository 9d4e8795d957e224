"""The report says how every transfer was trained, on the terminal, in Markdown and in HTML."""

import re
from pathlib import Path

import pytest

from tests.commands import Tickets

RUN = (
    "run -s demo/resnet4 --weights random -d digits -o run --set data.per_class=2 --set data.channels=3 "
    "--set draw.timeline=one-shot --set shrink=null --set transfers.full.seeds=[0] --set transfers.linear.seeds=[0] "
    "--set transfers.full.training.epochs=0.5 --set transfers.linear.mode=linear "
    "--set transfers.linear.training='{epochs: 1, optimiser: {kind: sgd, lr: 0.05}, head_lr: null}'"
)


def test_one_setting_of_the_training_leaves_the_rest_and_the_report_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = Tickets(capsys, monkeypatch)(RUN)
    assert outcome.code == 0, outcome.err
    full = ["full", "all weights", "0.5", "AdamW", "0.0003", "0.001", "32", "cosine", "1", "standard"]
    linear = ["linear", "the head", "1", "SGD", "0.05", "32", "cosine", "1", "standard"]
    for row in (full, linear):
        pattern = r"\W+".join(map(re.escape, row))
        assert re.search(pattern, outcome.out), outcome.out
        assert re.search(pattern, Path("run/report.md").read_text())
        assert re.search(pattern, re.sub(r"<[^>]*>", " ", Path("run/report.html").read_text()))
