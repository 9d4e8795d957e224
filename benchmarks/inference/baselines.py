"""What dense engines reach on the same network, beside the runtime's rows."""

from functools import cache
from typing import Any

from benchmarks.inference.contest import Contestant, contest
from benchmarks.inference.networks import Format, dense_file, given, pruned_file
from benchmarks.scale import Inference

DENSE: dict[str, tuple[str, Format]] = {
    "onnxruntime": ("onnxruntime", "onnx"),
    "openvino": ("openvino", "onnx"),
    "torch": ("torch", "torch"),
    "torch.compile": ("torch.compile", "torch"),
}
"""Engine and format, by name; all in fp32."""
SLOW_TO_START = "torch.compile"
"""Compiles for a minute, so that it is measured with one thread only."""


@cache
def baselines(scale: Inference, source: str, batch: int, threads: int) -> dict[str, Any]:
    """Return what each engine did with the dense network, and ONNX Runtime with the zeros of 90 % in place.

    They are timed in turns with each other, once for all rows of a network, batch and number of threads.
    """
    contestants = {name: Contestant(engine, dense_file(scale, source, form)) for name, (engine, form) in DENSE.items()}
    if threads > 1:
        del contestants[SLOW_TO_START]
    contestants["onnxruntime, 90 % zeros"] = Contestant(
        "onnxruntime", pruned_file(scale, source, "uniform", 90, "onnx")
    )
    done = contest(contestants, given(scale, source, batch), threads, scale.pace(batch))
    base = done["onnxruntime"]
    assert not isinstance(base, str)
    return {name: one if isinstance(one, str) else one.facts(base) for name, one in done.items()}
