"""Latency: side by side, with spread, and no difference where there is none."""

import pytest
import torch

from robust_tickets.foundation.errors import UserError
from robust_tickets.shrinking.export import export_onnx
from robust_tickets.shrinking.latency import LatencyRow, measure_latency
from tests.shrinking.networks import SIDE, classifier


def test_a_smaller_network_is_faster_and_the_baseline_is_itself(tmp_path):
    files = {"dense": tmp_path / "dense.onnx", "small": tmp_path / "small.onnx"}
    export_onnx(classifier(width=64), files["dense"])
    export_onnx(classifier(width=8), files["small"])
    rows = {row.name: row for row in measure_latency(files, torch.rand(4, 3, SIDE, SIDE), baseline="dense", rounds=15)}
    assert rows["dense"].speedup == 1.0
    assert rows["dense"].speedup_quartiles == (1.0, 1.0)
    assert not rows["dense"].differs
    assert rows["small"].speedup > 2
    assert rows["small"].differs
    for name, row in rows.items():
        assert row.quartiles_ms[0] <= row.median_ms <= row.quartiles_ms[1]
        assert row.file_bytes == files[name].stat().st_size


def test_a_shape_the_file_does_not_take_is_named(tmp_path):
    export_onnx(classifier(width=8), tmp_path / "m.onnx")
    with pytest.raises(UserError, match=r"does not take images of shape \(1, 1, 24, 24\)"):
        measure_latency({"m": tmp_path / "m.onnx"}, torch.rand(1, 1, SIDE, SIDE), baseline="m")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.onnx: no such file"):
        measure_latency({"m": tmp_path / "gone.onnx"}, torch.rand(1, 3, SIDE, SIDE), baseline="m")


@pytest.mark.parametrize(
    ("speedup", "quartiles", "rounds", "differs"),
    [
        (2.0, (1.8, 2.1), 30, True),
        (0.5, (0.4, 0.6), 30, True),
        (1.02, (1.01, 1.03), 30, False),
        (1.5, (0.9, 2.0), 30, False),
        # Two equal files, as timed once on a busy machine: all of three rounds are on one side in one case of four.
        (0.93, (0.80, 0.99), 3, False),
        (0.93, (0.91, 0.95), 3, True),
        (2.0, (1.7, 2.1), 3, True),
        (0.93, (0.80, 0.99), 30, True),
    ],
)
def test_a_difference_must_be_larger_than_its_noise(speedup, quartiles, rounds, differs):
    row = LatencyRow(
        name="m",
        file_bytes=1,
        median_ms=1.0,
        quartiles_ms=(0.9, 1.1),
        speedup=speedup,
        speedup_quartiles=quartiles,
        noise=0.2,
        rounds=rounds,
    )
    assert row.differs is differs
