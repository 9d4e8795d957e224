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
    """Return the time of each layer's steps of a kind beside the least time.

    The least is that of the layer's arithmetic and stands at the kind that takes longest; others move pixels, which
    could cost nothing.
    """
    resident = sum(layer["bytes"] for layer in work.values())
    total: dict[tuple[str, str], float] = {}
    for name, kind, seconds in profile:
        layer = name if name in work else re.sub(r"_\d+$", "", name)
        total[layer, kind] = total.get((layer, kind), 0.0) + seconds
    computing = {layer: kind for (layer, kind), _ in sorted(total.items(), key=lambda item: item[1])}
    rows = []
    for (layer, kind), seconds in total.items():
        computes = layer in work and computing[layer] == kind
        own = work[layer] if computes else {"kept": 0, "bytes": 0}
        rows.append(
            {
                "layer": layer,
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
