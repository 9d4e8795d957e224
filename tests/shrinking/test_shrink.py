"""Shrinking end to end: the report counts and measures, and never claims speed for scattered zeros."""

import json

import pytest
import torch

from robust_tickets.foundation.errors import UserError
from robust_tickets.shrinking.latency import LatencyRow, Machine
from robust_tickets.shrinking.removal import RemovalCounts
from robust_tickets.shrinking.settings import ShrinkSettings
from robust_tickets.shrinking.shrink import ShrinkReport, shrink_network
from robust_tickets.shrinking.summary import size_beside_dense, summarise
from tests.shrinking.networks import channel_masks, classifier, element_masks

SETTINGS = ShrinkSettings(rounds=9)


def test_a_channel_ticket_becomes_smaller(tmp_path):
    dense, ticket = classifier(0, width=48), classifier(1, width=48).train()
    before = {name: value.clone() for name, value in ticket.state_dict().items()}
    masks = channel_masks(ticket.body, 0.5)
    report = shrink_network(dense, ticket, masks, tmp_path / "model.onnx", SETTINGS)
    assert report.kind == "channels"
    assert report.shrunk.parameters < 0.4 * report.dense.parameters
    assert report.shrunk.multiply_adds < 0.4 * report.dense.multiply_adds
    assert report.shrunk.file_bytes == (tmp_path / "model.onnx").stat().st_size < report.dense.file_bytes
    assert report.ticket.multiply_adds == report.dense.multiply_adds
    assert report.ticket.nonzero_parameters < report.ticket.parameters == report.dense.parameters
    assert max(report.export_difference, report.removal.max_difference) < 1e-4
    assert report.sentence.startswith(f"{report.removal.channels_removed} of {report.removal.channels_before} channels")
    assert f"{report.dense.file_bytes / report.shrunk.file_bytes:.2f} times smaller than dense" in report.sentence
    assert ticket.training
    assert all(torch.equal(before[name], value) for name, value in ticket.state_dict().items())
    assert ShrinkReport.model_validate(json.loads(json.dumps(report.model_dump(mode="json")))) == report


def test_an_element_ticket_is_told_that_it_gains_nothing(tmp_path):
    dense = classifier()
    report = shrink_network(dense, classifier(1), element_masks(dense.body, 0.9), tmp_path / "model.onnx", SETTINGS)
    assert report.kind == "zeros only"
    assert report.shrunk.parameters == report.dense.parameters
    assert report.shrunk.nonzero_parameters < 0.25 * report.dense.parameters
    assert report.shrunk.deflated_bytes < 0.7 * report.dense.deflated_bytes
    assert report.sentence.startswith("Not smaller: ")
    assert f"{report.shrunk.latency.speedup:.2f} times the speed of dense" in report.sentence


def told(
    speed: float,
    *,
    removed: int = 40,
    round_to: int = 8,
    kept: int = 0,
    runtime: bool = False,
    zeros: float = 0.4,
) -> str:
    """Summarise a removal whose file has so many times dense's speed."""
    row = LatencyRow(
        name="shrunk",
        file_bytes=2_000_000,
        median_ms=4 / speed,
        quartiles_ms=(4 / speed, 4 / speed),
        speedup=speed,
        speedup_quartiles=(0.99 * speed, 1.01 * speed),
        noise=0.1,
    )
    dense = row.model_copy(update={"name": "dense", "file_bytes": 4_000_000, "median_ms": 4.0, "speedup": 1.0})
    counts = RemovalCounts(
        channels_before=96,
        channels_removed=removed,
        channels_kept=kept,
        multiple=round_to,
        parameters_before=1000,
        parameters_after=1000 - 10 * removed,
        multiply_adds_before=195,
        multiply_adds_after=100 if removed else 195,
        max_difference=0.0,
    )
    machine = Machine(processor="a processor", runtime="ONNX Runtime 1", threads=1, batch_size=1)
    return summarise(counts, zeros, row, dense, machine, runtime, ShrinkSettings(round_to=round_to))


def test_a_slower_file_is_called_slower_first_and_told_what_to_try():
    """1.95 times fewer multiply-adds at half the speed: the second is what counts."""
    slow = told(0.5, round_to=1)
    assert slow.startswith("Slower than dense: 0.50 times the speed of dense, ")
    assert "1.95 times fewer multiply-adds" in slow
    assert "Try --set round_to=8:" in slow
    assert "faster" not in slow
    assert "Try --set round_to=16, a runtime file (.rtk), another number of threads" in told(0.5)
    runtime = told(0.5, removed=0, runtime=True)
    assert runtime.startswith("Slower than dense: ")
    assert "group={kind: block, out: 8}" in runtime
    assert "ship the ONNX file" in runtime


def test_a_faster_file_is_told_no_options():
    fast = told(1.42)
    assert fast.startswith("40 of 96 channels removed (keeping multiples of 8): ")
    assert "faster than dense (1.42 times the speed of dense" in fast
    assert "Try" not in fast
    assert "lower" not in fast
    assert "no measurable difference" in told(1.01)


def test_channels_that_rounding_keeps_are_told():
    assert "(keeping multiples of 8); 3 more are zero but kept for that: " in told(1.42, kept=3)
    assert told(1.0, removed=0, kept=3).startswith(
        "Not smaller: 40 % of the parameters are zero, including 3 zero channels kept for multiples of 8"
    )
    assert "--set round_to=1 removes them" in told(1.0, removed=0, kept=3)


def test_a_dense_network_is_written_as_it_is_in_every_form():
    for runtime in (False, True):
        assert told(1.0, removed=0, runtime=runtime, zeros=0.0).startswith("Written as it is: no parameter is zero; ")
        assert told(1.0, removed=0, runtime=runtime, zeros=0.001).startswith("Written as it is: 0.1 % zeros; ")


def test_files_are_smaller_larger_or_as_large():
    """Never 1.00 times larger, nor 0.99 times smaller."""
    assert size_beside_dense(4000, 2000) == "2.00 times smaller than dense in ONNX"
    assert size_beside_dense(2000, 2020) == "1.01 times larger than dense in ONNX"
    for own in (1_999_900, 2_000_000, 2_000_100):
        assert size_beside_dense(2_000_000, own) == "as large as dense in ONNX"


def test_networks_of_different_tasks_do_not_compare(tmp_path):
    dense, ticket = classifier(), classifier()
    ticket.reset_head(3, seed=0)
    with pytest.raises(UserError, match="dense has 5 classes"):
        shrink_network(dense, ticket, {}, tmp_path / "model.onnx")
