"""Where the runtime's time goes, layer by layer, beside what the machine could do."""

from collections.abc import Sequence
from typing import Any

from benchmarks.inference.roofline import Roofline

TOLD = 3
"""Layers that a reason names."""

Profile = Sequence[tuple[str, float, float, float]]
"""(layer, seconds, floating-point operations, bytes of weights, inputs and outputs), in the order of execution."""


def layer_table(profile: Profile, roofline: Roofline, threads: int) -> list[dict[str, Any]]:
    """Return each layer's time, its least time, and the rate it reached."""
    resident = sum(moved for _, _, _, moved in profile)
    return [
        {
            "layer": layer,
            "ms": round(1000 * seconds, 4),
            "least_ms": round(1000 * roofline.seconds(operations, moved, resident, threads), 4),
            "gflops": round(operations / seconds / 1e9, 1) if seconds else 0.0,
        }
        for layer, seconds, operations, moved in profile
    ]


def where_time_goes(layers: Sequence[dict[str, Any]]) -> str:
    """Return a sentence: the sum beside the least, and the layers that lose most against theirs."""
    total, least = sum(layer["ms"] for layer in layers), sum(layer["least_ms"] for layer in layers)
    losing = sorted(layers, key=lambda layer: layer["least_ms"] - layer["ms"])[:TOLD]
    told = ", ".join(f"{layer['layer']} {layer['ms']:.2f} of {layer['least_ms']:.2f} ms" for layer in losing)
    return f"the layers take {total:.1f} ms where the roofline allows {least:.1f} ms; furthest from it: {told}"
