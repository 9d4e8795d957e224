"""The benchmarks run from end to end at toy sizes and write rows as promised."""

import json
from typing import Any

import pytest
import torch
from benchmarks import pgd_training
from benchmarks.__main__ import BENCHMARKS, OUT, PAGE, run, written
from benchmarks.device import CPU
from benchmarks.page import page
from benchmarks.row import Row, table
from benchmarks.scale import TOY
from benchmarks.steps import network, plain, product, random_batch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from robust_tickets.objectives import PGDTraining
from robust_tickets.shrinking.counts import multiply_adds
from robust_tickets.training.settings import Training


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
        assert row["details"].get("logits_difference", 0.0) < 1e-4
    assert table(rows).row_count == len(rows)


def test_rows_measured_again_take_the_place_of_their_elders(tmp_path):
    out = tmp_path / "bench.json"
    first = [row("import_cli", 0.5), row("pgd_training_gpu", 7.0), row("row that no longer exists", 1.0)]
    out.write_text(json.dumps([one.model_dump(mode="json") for one in first]))
    (measured,) = run(TOY, out, ["import*"])
    assert written(out) == [measured, first[1]]
    assert measured.ratio != 0.5


def row(name: str, ratio: float) -> Row:
    """Return a row as another run left it."""
    return Row.judged(name, ratio, 1.0, {"summary": "", "machine": {}}, "slow")


def test_the_page_shows_what_was_measured():
    assert PAGE.read_text(encoding="utf-8") == page(written(OUT)), "python -m benchmarks --table > docs/performance.md"


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


def test_the_gpu_row_is_the_cpu_rows_code_and_is_told_where_it_cannot_run():
    row = pgd_training.compared("rehearsal", 3.0, TOY, TOY.on_gpu, CPU)
    assert row.details["steps_timed_together"] == TOY.on_gpu.timed > 1
    assert row.details["images_per_second"].keys() == row.details["matrix"]["share"].keys() == {"plain", "auto", "fp32"}
    assert all(share > 0 for share in row.details["matrix"]["share"].values())
    if not torch.cuda.is_available():
        absent = pgd_training.measure_gpu(TOY)
        assert (absent.ratio, absent.met, absent.reason) == (None, False, "not run: no GPU")
        assert absent.told() == "not run: no GPU"


class Operations(TorchDispatchMode):
    """Adds up floating-point operations, in backward passes too."""

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket in flop_registry:
            self.total += flop_registry[func.overloadpacket](*args, **(kwargs or {}), out_val=out)
        return out


def test_passes_are_counted_as_they_are_made():
    """Forward and both gradients, by torch's own count of operations: the factors behind the matrix share."""
    classifier, batch = network(TOY.trained), random_batch(2)
    once = multiply_adds(classifier, batch.inputs)
    for name, made in (
        ("plain", plain(classifier, pgd_training.THREAT, batch, 1, CPU)),
        (
            "ours",
            product(classifier, Training(objective=PGDTraining(threat=pgd_training.THREAT), precision="fp32"), batch),
        ),
    ):
        step = made()
        with Operations() as counted:
            step()
        assert counted.total / 2 / batch.count / once == pytest.approx(pgd_training.PASSES[name], rel=0.05)
