"""The rows of the runtime: engines in processes of their own, networks as they are said to be, honest sentences."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from benchmarks.inference.contest import Contestant, Measured, contest
from benchmarks.inference.layers import step_table, where_time_goes
from benchmarks.inference.networks import dense, dense_file, masks, pruned_file, random_images
from benchmarks.inference.roofline import Roofline, measured
from benchmarks.inference.team import ROOT
from benchmarks.inference.work import layer_work, total_work
from benchmarks.scale import TOY
from benchmarks.trained import train

from robust_tickets.data.settings import DataSettings
from robust_tickets.shrinking.counts import multiply_adds

SCALE = TOY.inference
HOLDS = """
import numpy as np
from benchmarks.inference.memory import forget_peak, peak_bytes
forget_peak()
before = peak_bytes()
np.ones(10_000_000)
print(peak_bytes() - before)
"""
SOURCE = SCALE.source("resnet18")


def test_engines_take_turns_and_compute_what_the_network_computes():
    images = random_images(SCALE, 2)
    with torch.no_grad():
        logits = dense(SCALE, SOURCE)(torch.from_numpy(images)).numpy()
    contestants = {
        "onnxruntime": Contestant("onnxruntime", dense_file(SCALE, SOURCE, "onnx")),
        "torch": Contestant("torch", dense_file(SCALE, SOURCE, "torch")),
    }
    done = contest(contestants, images, 1, SCALE.one)
    for one in done.values():
        assert isinstance(one, Measured)
        assert len(one.hot) == len(one.cold) == SCALE.one.rounds
        assert min(one.hot) > 0
        assert one.started.memory_bytes > 0
        np.testing.assert_allclose(one.started.logits, logits, atol=1e-4)


def test_an_engine_that_lacks_something_says_what(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    contestants = {"torch.compile": Contestant("torch.compile", dense_file(SCALE, SOURCE, "torch"))}
    done = contest(contestants, random_images(SCALE, 1), 1, SCALE.one)
    assert done == {"torch.compile": "torch.compile needs a C++ compiler, and there is none"}


def test_an_engine_that_fails_is_not_passed_over(tmp_path, capfd):
    (tmp_path / "broken.onnx").write_text("no network")
    with pytest.raises(RuntimeError, match=r"onnxruntime on broken\.onnx: ended with code 1"):
        contest({"broken": Contestant("onnxruntime", tmp_path / "broken.onnx")}, random_images(SCALE, 1), 1, SCALE.one)
    assert "broken.onnx" in capfd.readouterr().err


@pytest.mark.parametrize("percent", [90, 95])
def test_uniform_patterns_leave_stem_and_head_and_treat_layers_alike(percent):
    work = layer_work(SCALE, SOURCE, "uniform", percent)
    assert work["conv1"]["density"] == work["fc"]["density"] == 1
    pruned = [layer["density"] for name, layer in work.items() if name not in {"conv1", "fc"}]
    assert pruned == pytest.approx([1 - percent / 100] * len(pruned), abs=2e-3)


def test_blocks_are_eight_consecutive_outputs():
    for mask in masks(SCALE, SOURCE, "block8x1", 90).values():
        blocks = mask.reshape(len(mask) // 8, 8, -1).sum(1)
        assert set(blocks.unique().tolist()) == {0, 8}


def test_global_patterns_are_the_products_own_draw():
    densities = [float(mask.float().mean()) for mask in masks(SCALE, SOURCE, "global", 90).values()]
    assert max(densities) > 2 * min(densities)
    total = sum(int(mask.sum()) for mask in masks(SCALE, SOURCE, "global", 90).values())
    assert total == pytest.approx(0.1 * sum(m.numel() for m in masks(SCALE, SOURCE, "global", 90).values()), abs=1)


def test_multiply_adds_of_the_layers_add_up_to_those_of_the_network():
    work = total_work(layer_work(SCALE, SOURCE, "uniform", 90))
    images = torch.from_numpy(random_images(SCALE, 1))
    assert work["multiply_adds"] == multiply_adds(dense(SCALE, SOURCE), images)
    assert 0.1 < work["kept"] / work["multiply_adds"] < 0.3


def test_a_layers_least_time_is_what_takes_longer():
    roofline = Roofline(peak=100e9, from_cache=50e9, bandwidth={1000: 200e9, 10**6: 20e9})
    assert roofline.seconds(1e9, 10, resident=500) == pytest.approx(0.02)
    assert roofline.seconds(0, 2e9, resident=500) == pytest.approx(0.01)
    assert roofline.seconds(0, 2e9, resident=10**9) == pytest.approx(0.1)


def test_the_reason_names_the_layers_that_lose_most():
    roofline = Roofline(peak=1e9, from_cache=1e9, bandwidth={10**9: 1e9})
    work = {name: {"kept": 5e5, "bytes": 0.0} for name in "abcd"}
    steps = [("b", "border", 3.5), ("a", "convolve", 1), ("b", "convolve", 4), ("b", "convolve", 5)]
    steps += [("c_2", "convolve", 4), ("d", "convolve", 2)]
    told = where_time_goes(step_table([(layer, kind, 1e-3 * ms) for layer, kind, ms in steps], work, roofline))
    assert told.startswith("an image takes 19.5 ms on one thread where the roofline allows 4.0 ms")
    found = [told.index(step) for step in ("b (convolve) 9.00 of 1.00", "b (border) 3.50 of 0.00", "c (convolve) 4.00")]
    assert found == sorted(found)
    assert told.count(" of ") == 3


def test_rates_are_those_of_a_core():
    """A loop that the compiler saw through would be faster than any core, one that calls a library slower."""
    found = measured()
    assert 1e9 < found.from_cache < 1e12
    assert 1e9 < found.peak < 1e12
    assert all(1e9 < rate < 2e12 for rate in found.bandwidth.values())


def test_memory_counts_what_was_held_and_let_go():
    """In a process of its own, as engines are: one that has held much before takes new arrays from what it kept."""
    told = subprocess.run([sys.executable, "-c", HOLDS], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert 79e6 < int(told) < 90e6


def test_a_trained_network_is_what_global_magnitude_ranks(tmp_path):
    data = DataSettings.model_validate({"name": "glyphs", "size": 16, "channels": 3, "per_class": 2})
    train("resnet18", data, 1.0, tmp_path / "resnet4", like=SOURCE, size=SCALE.size)
    scale = replace(SCALE, trained=str(tmp_path))
    classifier = dense(scale, SOURCE, trained=True)
    assert classifier.num_classes == dense(SCALE, SOURCE).num_classes
    mean = classifier.body.get_buffer("bn1.running_mean")
    assert mean.count_nonzero() == len(mean)
    trained, random = masks(scale, SOURCE, "global", 90), masks(SCALE, SOURCE, "global", 90)
    assert any(not torch.equal(trained[name], random[name]) for name in random)
    assert pruned_file(scale, SOURCE, "global", 90, "torch").is_file()
