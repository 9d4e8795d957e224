"""A small network with every operation and every encoding of weights."""

from typing import Any

import numpy as np

from robust_tickets.runtime.graph import Graph, Node, Weight

WINDOW = {"stride": [1, 1], "padding": [1, 1, 1, 1], "dilation": [1, 1]}


def every_operation() -> Graph:
    """Return it: (3, 12, 12) images, 5 logits."""
    random = np.random.default_rng(0)
    weights: dict[str, Weight] = {}

    def weight(name: str, *shape: int, group: tuple[int, ...] = (), density: float = 0.2) -> str:
        coarse = random.random([side // size for side, size in zip(shape, group or (1,) * len(shape), strict=True)])
        mask = np.kron(coarse < density, np.ones(group or (1,) * len(shape)))
        values = (random.standard_normal(shape) * mask).astype(np.float32)
        positions = np.flatnonzero(values)
        weights[name] = (
            Weight(shape, values.ravel()) if density == 1 else Weight(shape, values.ravel()[positions], positions)
        )
        return name

    nodes: list[Node] = []

    def node(op: str, *inputs: str, weights: dict[str, str] | None = None, **attributes: Any) -> str:
        name = f"{op}{len(nodes)}"
        nodes.append(Node(op, name, inputs, f"{name}.out", attributes, weights or {}))
        return nodes[-1].output

    x = node("affine", "x", weights={"scale": weight("a", 3, density=1), "shift": weight("b", 3, density=1)})
    x = node("conv", x, **WINDOW, groups=1, weights={"weight": weight("stem", 16, 3, 3, 3), "bias": "stem.bias"})
    weight("stem.bias", 16, density=1)
    x = node("max_pool", x, kernel=[3, 3], stride=[2, 2], padding=[1, 1, 1, 1], dilation=[1, 1])
    for kind, group in {
        "element": (1, 1, 1, 1),
        "row": (1, 1, 1, 3),
        "kernel": (1, 1, 3, 3),
        "filter": (1, 16, 3, 3),
        "block8": (8, 1, 1, 1),
        "block16": (16, 1, 1, 1),
    }.items():
        skip = x
        x = node("conv", x, **WINDOW, groups=1, weights={"weight": weight(kind, 16, 16, 3, 3, group=group)})
        x = node("activation", x, kind="relu")
        x = node("add", x, skip)
    x = node("conv", x, **WINDOW, groups=16, weights={"weight": weight("depthwise", 16, 1, 3, 3, density=1)})
    x = node("activation", x, kind="clip", min=-2.0, max=2)
    gate = node("activation", node("adaptive_avg_pool", x, output=[1, 1]), kind="sigmoid")
    x = node("mul", gate, x)
    x = node("shuffle", x, groups=4)
    x = node("concat", node("slice", x, start=0, stop=8), node("slice", x, start=4, stop=16))
    x = node("layer_norm", x, epsilon=1e-6, weights={"scale": weight("s", 20, density=1), "shift": "s"})
    x = node("avg_pool", x, kernel=[3, 3], stride=[2, 2], padding=[1, 1, 2, 2], count_include_pad=True)
    x = node("reshape", x, shape=[320])
    x = node("linear", x, weights={"weight": weight("head", 5, 320, density=0.1), "bias": weight("h", 5, density=1)})
    return Graph("x", (3, 12, 12), tuple(nodes), x, weights, {"producer": "a test", "classes": '["é", "b"]'})


def images(count: int = 2) -> np.ndarray:
    """Return images for it, float32 [count, 3, 12, 12]."""
    return np.random.default_rng(1).random((count, 3, 12, 12), np.float32)
