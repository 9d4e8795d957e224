"""Small networks: one with every operation of images and every encoding of weights, and two with sequences."""

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


def text_network() -> Graph:
    """Return one that reads up to 300 tokens of 50 words: embeddings, an attention that the mask guides, 4 logits."""
    random = np.random.default_rng(0)
    weights: dict[str, Weight] = {}

    def weight(name: str, *shape: int, density: float = 1.0) -> str:
        values = (random.standard_normal(shape) * (random.random(shape) < density)).astype(np.float32).ravel()
        positions = np.flatnonzero(values)
        weights[name] = Weight(shape, values) if density == 1 else Weight(shape, values[positions], positions)
        return name

    point = {"stride": [1, 1], "padding": [0] * 4, "dilation": [1, 1], "groups": 1}
    nodes = (
        Node("embed", "words", ("x",), "w", {"row": 1}, {"table": weight("words", 50, 12, density=0.5)}),
        Node("embed", "types", ("x",), "t", {"row": 2}, {"table": weight("types", 2, 12)}),
        Node("add", "both", ("w", "t"), "b"),
        Node("sequence", "placed", ("b",), "p", {}, {"positions": weight("places", 12, 300)}),
        Node(
            "layer_norm", "norm", ("p",), "n", {"epsilon": 1e-6}, {"scale": weight("s", 12), "shift": weight("h", 12)}
        ),
        Node("conv", "qkv", ("n",), "qkv", point, {"weight": weight("qkv", 28, 12, 1, 1, density=0.3)}),
        Node("slice", "queries", ("qkv",), "q", {"start": 0, "stop": 16}),
        Node("slice", "keys", ("qkv",), "k", {"start": 16, "stop": 24}),
        Node("slice", "values", ("qkv",), "v", {"start": 22, "stop": 28}),
        Node("slice", "mask", ("x",), "m", {"start": 0, "stop": 1}),
        Node("attention", "attend", ("q", "k", "v", "m"), "a", {"heads": 4, "key_heads": 2, "scale": 0.5}),
        Node("conv", "out", ("a",), "o", point, {"weight": weight("out", 12, 12, 1, 1, density=0.3)}),
        Node("add", "residual", ("o", "n"), "seen"),
        Node("tokens", "first", ("seen",), "f", {"start": 0, "stop": 1}),
        Node("reshape", "flat", ("f",), "l", {"shape": [12]}),
        Node("linear", "head", ("l",), "y", {}, {"weight": weight("head", 4, 12)}),
    )
    rows = ("attention_mask", "input_ids", "token_type_ids")
    return Graph("x", (3, 1, 300), nodes, "y", weights, {"producer": "a test"}, rows)


def patch_network() -> Graph:
    """Return one of the 12 patches of (3, 4, 6) images, which attend to each other and to a first token; 5 logits."""
    random = np.random.default_rng(0)
    shapes = {"patch": (8, 3, 2, 1), "first": (8, 1), "places": (8, 13), "qkv": (24, 8, 1, 1), "head": (5, 8)}
    weights = {
        name: Weight(shape, (random.standard_normal(shape) * (random.random(shape) < 0.6)).astype(np.float32).ravel())
        for name, shape in shapes.items()
    }
    point = {"stride": [1, 1], "padding": [0] * 4, "dilation": [1, 1], "groups": 1}
    nodes = (
        Node("conv", "patch", ("x",), "c", {**point, "stride": [2, 1]}, {"weight": "patch"}),
        Node("sequence", "row", ("c",), "r", {}, {"first": "first", "positions": "places"}),
        Node("conv", "qkv", ("r",), "qkv", point, {"weight": "qkv"}),
        Node("slice", "queries", ("qkv",), "q", {"start": 0, "stop": 8}),
        Node("slice", "keys", ("qkv",), "k", {"start": 8, "stop": 16}),
        Node("slice", "values", ("qkv",), "v", {"start": 16, "stop": 24}),
        Node("attention", "attend", ("q", "k", "v"), "a", {"heads": 2, "key_heads": 2, "scale": 0.5}),
        Node("add", "residual", ("a", "r"), "s"),
        Node("tokens", "first", ("s",), "f", {"start": 0, "stop": 1}),
        Node("reshape", "flat", ("f",), "l", {"shape": [8]}),
        Node("linear", "head", ("l",), "y", {}, {"weight": "head"}),
    )
    return Graph("x", (3, 4, 6), nodes, "y", weights, {"producer": "a test"})
