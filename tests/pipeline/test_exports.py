"""What a run ships: an ONNX file, and where zeros are left in it a runtime file of the same ticket."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

import robust_tickets as rt
from robust_tickets.pipeline.run import run
from robust_tickets.recipe import Recipe

NETWORK = {"name": "demo/resnet4", "weights": "random", "num_classes": 10, "in_channels": 1}


def recipe(network: dict[str, Any], **draw: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "Exports",
            "sources": {"small": {"source": network}},
            "data": {"name": "digits", "per_class": 4, "channels": network.get("in_channels", 3)},
            "draw": draw,
            "transfers": {
                "linear": {
                    "mode": "linear",
                    "seeds": [0],
                    "training": {"epochs": 1, "batch_size": 20, "precision": "fp32"},
                }
            },
            "shrink": {"rounds": 3},
        }
    )


def test_zeros_that_are_left_are_left_out_of_a_second_file(tmp_path: Path) -> None:
    summary = run(recipe(NETWORK, sparsity=0.9), tmp_path)
    images = np.random.default_rng(0).random((3, 1, 16, 16)).astype(np.float32)
    (logits,) = onnxruntime.InferenceSession(tmp_path / "draw.onnx").run(None, {"images": images})
    np.testing.assert_allclose(rt.load_runtime(tmp_path / "draw.rtk")(images), logits, atol=1e-4 * logits.std())
    names = [row.name for row in summary.shrink]
    assert names == ["draw: dense", "draw: zeros in place", "draw: zeros left out (runtime)"]
    onnx, runtime = summary.shrink[1:]
    assert onnx.nonzero == runtime.nonzero
    assert runtime.bytes < onnx.bytes / 2
    again = {path: path.stat().st_mtime_ns for path in tmp_path.glob("draw.*")}
    run(recipe(NETWORK, sparsity=0.9), tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("draw.*")} == again


def test_where_no_zeros_are_left_there_is_no_second_file(tmp_path: Path) -> None:
    run(recipe(NETWORK, sparsity=0.5, group="channel"), tmp_path)
    assert (tmp_path / "draw.onnx").is_file()
    assert not (tmp_path / "draw.rtk").exists()
