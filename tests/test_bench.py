"""The benchmarks run from end to end at toy sizes and write rows as promised."""

import json

from benchmarks.__main__ import BENCHMARKS, run
from benchmarks.row import Row, table
from benchmarks.scale import TOY


def test_a_run_writes_every_row_with_its_machine(tmp_path):
    rows = run(TOY, tmp_path / "bench.json")
    written = json.loads((tmp_path / "bench.json").read_text())
    assert [Row.model_validate(row) for row in written] == rows
    assert [row["name"] for row in written] == list(BENCHMARKS)
    for row in written:
        assert set(row) == {"name", "ratio", "target", "met", "reason", "details"}
        assert row["ratio"] > 0 if row["ratio"] is not None else row["reason"].startswith("not run: ")
        assert row["met"] == (not row["reason"])
        assert {"summary", "machine", "load_average"} <= set(row["details"])
    assert table(rows).row_count == len(rows)


def test_ours_and_torchs_global_magnitude_choose_the_same_weights(tmp_path):
    from benchmarks import global_magnitude

    assert global_magnitude.measure(TOY).details["masks_agree_on"] == 1.0


def test_a_row_below_its_target_says_why():
    missed = Row.judged("row", 1.9, 2.0, {"summary": ""}, "the machine was busy", "")
    assert not missed.met
    assert missed.reason == "the machine was busy"


def test_a_row_that_reaches_its_target_may_fail_a_further_condition():
    failed = Row.judged("row", 2.1, 2.0, {"summary": ""}, "not the reason", "less robust")
    assert not failed.met
    assert failed.reason == "less robust"
    assert Row.judged("row", 2.1, 2.0, {"summary": ""}, "not the reason", "").met
