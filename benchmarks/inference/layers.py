"""Where the runtime's time goes, step by step, beside what the machine could do."""

import re
from collections.abc import Sequence
from typing import Any

from benchmarks.inference.roofline import Roofline
from benchmarks.inference.work import Layers

TOLD = 3
"""Steps that a reason names."""

Profile = Sequence[tuple[str, str, float]]
"""(layer, kind, seconds) of each step for one image on one thread, in the order of execution."""


def step_table(profile: Profile, work: Layers, roofline: Roofline) -> list[dict[str, Any]]:
    """Return each step's time beside the least of its layer's arithmetic, which stands at the layer's slowest step.

    Others move pixels, which could cost nothing.
    """
    resident = sum(layer["bytes"] for layer in work.values())
    layers = [name if name in work else re.sub(r"_\d+$", "", name) for name, _, _ in profile]
    slowest: dict[str, int] = {}
    for index in sorted(range(len(profile)), key=lambda index: profile[index][2]):
        slowest[layers[index]] = index
    rows = []
    for index, (name, kind, seconds) in enumerate(profile):
        computes = layers[index] in work and slowest[layers[index]] == index
        own = work[layers[index]] if computes else {"kept": 0, "bytes": 0}
        rows.append(
            {
                "layer": name,
                "kind": kind,
                "ms": round(1000 * seconds, 4),
                "least_ms": round(1000 * roofline.seconds(2 * own["kept"], own["bytes"], resident), 4),
                "gflops": round(2e-9 * own["kept"] / seconds, 1),
            }
        )
    return rows


def where_time_goes(steps: Sequence[dict[str, Any]]) -> str:
    """Return a sentence: the sum beside the least, and the steps that lose most against theirs."""
    total, least = sum(step["ms"] for step in steps), sum(step["least_ms"] for step in steps)
    losing = sorted(steps, key=lambda step: step["least_ms"] - step["ms"])[:TOLD]
    told = [f"{step['layer']} ({step['kind']}) {step['ms']:.2f} of {step['least_ms']:.2f} ms" for step in losing]
    return (
        f"an image takes {total:.1f} ms on one thread where the roofline allows {least:.1f} ms; "
        f"furthest from it: {', '.join(told)}"
    )
