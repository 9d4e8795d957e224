"""The graph once all of it is there: batch norms folded into what is before them, and nothing that nobody reads."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from robust_tickets.runtime.graph import Graph, Node, Shape, Weight
from robust_tickets.shrinking.conversion.builder import Array, Builder


def finished(
    builder: Builder, source: str, shape: Shape, output: str, metadata: Mapping[str, str], tokens: tuple[str, ...]
) -> Graph:
    """Return the graph of everything that `output` needs, affines folded where they can be, in float32."""
    nodes, output = _fold(_needed(builder.nodes, output), builder.arrays, output)
    used = {name for node in nodes for name in node.weights.values()}
    weights = {
        name: Weight(array.shape, np.ascontiguousarray(array, np.float32).reshape(-1))
        for name, array in builder.arrays.items()
        if name in used
    }
    return Graph(source, shape, tuple(nodes), output, weights, dict(metadata), tokens)


def _needed(nodes: list[Node], output: str) -> list[Node]:
    wanted, kept = {output}, []
    for node in reversed(nodes):
        if node.output in wanted:
            wanted |= set(node.inputs)
            kept.append(node)
    return kept[::-1]


def _fold(nodes: list[Node], arrays: dict[str, Array], output: str) -> tuple[list[Node], str]:
    """Fold every affine into the convolution or matrix right before it, if nothing else reads that; zeros stay zero."""
    readers = Counter(name for node in nodes for name in node.inputs) + Counter([output])
    kept: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    for node in nodes:
        node = replace(node, inputs=tuple(renamed.get(name, name) for name in node.inputs))
        before = kept.get(node.inputs[0])
        if (
            node.op == "affine"
            and before is not None
            and before.op in ("conv", "linear")
            and readers[before.output] == 1
        ):
            scale, shift = arrays[node.weights["scale"]], arrays[node.weights["shift"]]
            weight, bias = before.weights["weight"], f"{before.name}.bias"
            folded = arrays[weight] * scale.reshape(-1, *(1,) * (arrays[weight].ndim - 1))
            arrays[weight] = folded.astype(np.float32)
            arrays[bias] = arrays.get(bias, np.zeros_like(shift)) * scale + shift
            kept[before.output] = replace(before, weights={**before.weights, "bias": bias})
            renamed[node.output] = before.output
            readers[before.output] = readers[node.output]
        else:
            kept[node.output] = node
    return list(kept.values()), renamed.get(output, output)
