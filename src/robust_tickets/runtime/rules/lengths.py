"""Networks for texts at other lengths than the longest: what they may do, and whether padding shows."""

from collections.abc import Callable, Mapping

from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import TOKENS, Graph, Node, Shape

ShapesOf = Callable[[Graph], dict[str, Shape]]
"""Shapes of all values of a graph, or `RuntimeFileError`."""


def require_any_length(graph: Graph, shapes_of: ShapesOf) -> None:
    """Refuse a network for texts that would not take any number of tokens from 2 on.

    Args:
        graph: one whose shapes are right for its longest texts.
        shapes_of: gives the shapes for others.

    Raises:
        RuntimeFileError: says why.
    """
    rows, height, length = (*graph.input_shape, 0, 0)[:3]
    if (rows, height) != (len(graph.tokens), 1) or length < 2:
        raise RuntimeFileError(
            f"the input has shape {tuple(graph.input_shape)}; for texts it should be ({len(graph.tokens)}, 1, tokens)"
        )
    if not set(graph.tokens) <= set(TOKENS) or len(set(graph.tokens)) < rows or TOKENS[0] not in graph.tokens:
        raise RuntimeFileError(
            f"the input's rows are {', '.join(map(repr, graph.tokens))[:100]}; they should be {TOKENS[0]} and others "
            f"of {', '.join(TOKENS)}, each once"
        )
    for node in graph.nodes:
        step = node.attributes.get("stride", (1, 1))[1]
        if step > 1:
            raise RuntimeFileError(
                f"node {node.name[:100]!r} ({node.op!r}): it moves by {step} tokens; for texts of any length it should "
                "be by 1"
            )
    # Sides are then constant, or that of the input and a constant: what fits two lengths fits those between them.
    whole = shapes_of(graph)[graph.output]
    for shorter in sorted({2, length - 1} - {1, length}):
        try:
            answer = shapes_of(graph.of_length(shorter))[graph.output]
        except RuntimeFileError as error:
            raise RuntimeFileError(f"for texts of {shorter} tokens: {error}") from None
        if answer != whole and (answer[-1], whole[-1]) != (shorter, length):
            raise RuntimeFileError(
                f"the output has shape {answer} for texts of {shorter} tokens; it should have {shorter} as well, or "
                "be the same for all texts"
            )


def hides_padding(graph: Graph, shapes: Mapping[str, Shape], shorter: Mapping[str, Shape]) -> bool:
    """Return whether what lies behind a text cannot change what is computed of it: whether its mask hides that.

    Where this is not certain, the answer is no.

    Args:
        graph: a valid one for texts.
        shapes: of its values.
        shorter: the same for shorter texts.
    """
    masks: set[str] = set()
    for node in graph.nodes:
        of_texts = [name for name in (*node.inputs, node.output) if shapes[name] != shorter[name]]
        if any(shapes[name][1] != 1 for name in of_texts) or (of_texts and not _keeps_apart(node, graph, masks)):
            return False
        if node.op == "slice" and node.inputs[0] == graph.input:
            start, stop = node.attributes["start"], node.attributes["stop"]
            if graph.tokens[start:stop] == ("attention_mask",):
                masks.add(node.output)
    return True


def _keeps_apart(node: Node, graph: Graph, masks: set[str]) -> bool:
    """Return whether no token of a node's output is made of padding, unless it is padding itself."""
    if node.op == "attention":
        return node.inputs[3:] != () and node.inputs[3] in masks
    if node.op == "conv":
        return graph.weights[node.weights["weight"]].shape[3] == 1
    if node.op in ("max_pool", "avg_pool"):
        return node.attributes["kernel"][1] == 1
    return node.op != "adaptive_avg_pool"
