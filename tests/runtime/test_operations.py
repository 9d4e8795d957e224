"""The check of a graph: shapes of all values, and one line that names the node for whatever is malformed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Graph, Node, Weight
from robust_tickets.runtime.reference import interpret
from robust_tickets.runtime.rules.operations import require_valid

from .graphs import every_operation


def test_shapes_of_all_values() -> None:
    shapes = require_valid(every_operation())
    assert shapes["x"] == (3, 12, 12)
    assert shapes["conv1.out"] == (16, 12, 12)
    assert shapes["max_pool2.out"] == (16, 6, 6)
    assert list(shapes.values())[-3:] == [(20, 4, 4), (320,), (5,)]
    assert list(shapes)[1:] == [node.output for node in every_operation().nodes]


def edited(place: str, **changes: Any) -> Graph:
    """The graph with one node's fields, or with some of its attributes or weights, changed; None removes."""
    graph = every_operation()
    index = next(index for index, node in enumerate(graph.nodes) if node.name == place)
    node = graph.nodes[index]
    fields = {key: changes.pop(key) for key in ("op", "name", "inputs", "output") if key in changes}
    roles = {key: changes.pop(key) for key in ("weight", "bias", "scale", "shift") if key in changes}
    attributes = {key: value for key, value in {**node.attributes, **changes}.items() if value is not None}
    weights = {key: value for key, value in {**node.weights, **roles}.items() if value is not None}
    node = replace(node, **fields, attributes=attributes, weights=weights)
    return replace(graph, nodes=(*graph.nodes[:index], node, *graph.nodes[index + 1 :]))


def large(op: str, **attributes: Any) -> Graph:
    """One operation on images that are fine by themselves."""
    return Graph("x", (1, 512, 512), (Node(op, op, ("x",), "y", attributes),), "y", {})


def weighed(name: str, weight: Weight) -> Graph:
    graph = every_operation()
    return replace(graph, weights={**graph.weights, name: weight})


F32, I64 = np.float32, np.int64
FULL = np.ones(5, F32)

MALFORMED: list[tuple[Callable[[], Graph], str]] = [
    (
        lambda: edited("conv1", op="convolution"),
        "node 'conv1' ('convolution'): unknown operation; it should be one of conv",
    ),
    (
        lambda: edited("conv1", stride=None),
        "node 'conv1' ('conv'): it lacks stride, which should be a list of 2 integers",
    ),
    (lambda: edited("conv1", stride=[1]), "stride is [1]; it should be a list of 2 integers in [1, 1024]"),
    (lambda: edited("conv1", stride=[1, 0]), "stride is [1, 0]; it should be"),
    (lambda: edited("conv1", stride=[1, True]), "stride is [1, True]; it should be"),
    (lambda: edited("conv1", stride=[1, 1.0]), "stride is [1, 1.0]; it should be"),
    (lambda: edited("conv1", padding=[1, 1, 1, -1]), "padding is [1, 1, 1, -1]; it should be"),
    (lambda: edited("conv1", groups=0), "groups is 0; it should be an integer in [1"),
    (
        lambda: edited("conv1", groups=2),
        "weight has shape (16, 3, 3, 3), which does not fit 3 input channels in 2 groups",
    ),
    (lambda: edited("conv1", dilation=[9, 9]), "its kernel of 3 x 3 pixels does not fit 12 x 12 pixels with padding"),
    (lambda: edited("conv1", fused="relu"), "it has 'fused', which this operation does not take"),
    (lambda: edited("conv1", scale="a"), "it has 'scale', which this operation does not take"),
    (lambda: edited("conv1", weight="head"), "weight has shape (5, 320); it should be (outputs, inputs / groups"),
    (lambda: edited("conv1", weight="nothing"), "its weight 'nothing' is not among the weights"),
    (lambda: edited("conv1", weight=None), "it lacks its weight"),
    (lambda: edited("conv1", bias="a"), "bias has shape (3,); it should be (16,)"),
    (lambda: edited("conv1", inputs=("add5.out",)), "its input 'add5.out' is not the graph's input or an earlier"),
    (lambda: edited("conv1", inputs=("conv1.out",)), "its input 'conv1.out' is not the graph's input or an earlier"),
    (lambda: edited("conv1", inputs=()), "it has 0 inputs; it should have 1"),
    (lambda: edited("conv1", output="x"), "node 'conv1' ('conv'): value 'x' is defined twice"),
    (lambda: edited("conv1", name="affine0"), "node 'affine0' ('conv'): two nodes have this name"),
    (lambda: edited("conv1", name="a\nb"), "its name is 'a\\nb'; it should be 1 to 512 printable characters"),
    (lambda: edited("conv1", name=""), "its name is ''; it should be 1 to 512"),
    (lambda: edited("max_pool2", padding=[3, 1, 1, 1]), "its padding [3, 1, 1, 1] makes windows that contain no pixel"),
    (lambda: edited("max_pool2", padding=[1, 1, 4, 1]), "its padding [1, 1, 4, 1] makes windows that contain no pixel"),
    (lambda: edited("max_pool2", padding=[1024] * 4, kernel=[1024] * 2), "makes windows that contain no pixel"),
    (
        lambda: large("max_pool", kernel=[99, 99], stride=[1, 1], padding=[49] * 4, dilation=[1, 1]),
        "should have at most",
    ),
    (lambda: large("adaptive_avg_pool", output=[1024, 1024]), "1024 x 1024 means of 512 x 512 pixels; there should be"),
    (lambda: edited("affine0", shift="h"), "shift has shape (5,); it should be (3,)"),
    (lambda: edited("activation22", kind="swish"), "kind is 'swish'; it should be one of relu, relu6"),
    (lambda: edited("activation22", kind="relu"), "relu takes no parameter, but is given max, min"),
    (lambda: edited("activation22", min=None), "clip takes min, max, but is given max"),
    (lambda: edited("activation22", min=3.0), "clip has min 3.0 above max 2"),
    (lambda: edited("activation22", max=float("nan")), "max is nan; it should be a finite number"),
    (lambda: edited("activation22", max=10**400), "should be a finite number"),
    (lambda: edited("mul25", inputs=("activation22.out",) * 2), "value 'activation24.out' is not used by any node"),
    (lambda: edited("mul25", inputs=("x", "activation22.out")), "its inputs have shapes (3, 12, 12) and (16, 6, 6)"),
    (lambda: edited("shuffle26", groups=5), "16 channels do not divide into 5 groups"),
    (lambda: edited("slice27", stop=17), "it takes channels 0 to 17 of 16"),
    (lambda: edited("slice28", start=16), "it takes channels 16 to 16 of 16"),
    (lambda: edited("concat29", inputs=("x", "slice28.out")), "its inputs have shapes (3, 12, 12) and (12, 6, 6)"),
    (lambda: edited("layer_norm30", epsilon=0), "epsilon is 0; it should be a finite number in [1e-12, 1]"),
    (lambda: edited("avg_pool31", count_include_pad=1), "count_include_pad is 1; it should be true or false"),
    (lambda: edited("reshape32", shape=[321]), "it makes (321,) of (20, 4, 4); it should make (320,)"),
    (lambda: edited("reshape32", shape=[10, 8, 4]), "it makes (10, 8, 4) of (20, 4, 4)"),
    (
        lambda: edited("linear33", inputs=("avg_pool31.out",)),
        "its input has shape (20, 4, 4); it should be (features,)",
    ),
    (lambda: replace(every_operation(), output="y"), "the graph's output 'y' is not the output of any node"),
    (lambda: replace(every_operation(), nodes=()), "the graph has 0 nodes; it should have 1 to"),
    (lambda: replace(every_operation(), input_shape=(3, 12)), "the input has shape (3, 12); it should be (channels"),
    (lambda: replace(every_operation(), input_shape=(3, 2**20, 2**20)), "should be (channels, height, width) or"),
    (lambda: replace(every_operation(), input_shape=(3, -1, -1)), "the input has shape (3, -1, -1)"),
    (lambda: replace(every_operation(), metadata={"a": "\ud800"}), "metadata 'a' is '\\ud800'; it should be text"),
    (lambda: weighed("unused", Weight((5,), FULL)), "weight 'unused' is not used by any node"),
    (lambda: weighed("h", Weight((5,), FULL * np.inf)), "weight 'h': it contains NaN or infinity"),
    (lambda: weighed("h", Weight((5,), FULL * np.nan)), "weight 'h': it contains NaN or infinity"),
    (lambda: weighed("h", Weight((6,), FULL)), "weight 'h': 5 values for shape (6,)"),
    (
        lambda: weighed("h", Weight((5, 1), FULL)),
        "node 'linear33' ('linear'): bias has shape (5, 1); it should be (5,)",
    ),
    (lambda: weighed("h", Weight((5, 1, 1), FULL)), "weight 'h': shape (5, 1, 1); it should have 1, 2 or 4 sides"),
    (lambda: weighed("h", Weight((5,), FULL[None])), "values are float32 with 2 axes; they should be float32 with 1"),
    (lambda: weighed("h", Weight((5,), FULL.astype(float))), "values are float64"),  # type: ignore[arg-type]
    (
        lambda: weighed("h", Weight((5,), FULL, np.arange(4))),
        "positions should be int64, one per value, of which there are 5",
    ),
    (lambda: weighed("h", Weight((5,), FULL[:2], np.array([1, 1]))), "should ascend strictly within 5 elements"),
    (lambda: weighed("h", Weight((5,), FULL[:2], np.array([3, 1]))), "should ascend strictly within 5 elements"),
    (lambda: weighed("h", Weight((5,), FULL[:2], np.array([-1, 1]))), "should ascend strictly within 5 elements"),
    (lambda: weighed("h", Weight((5,), FULL[:2], np.array([1, 5]))), "should ascend strictly within 5 elements"),
]


@pytest.mark.parametrize(("graph", "complaint"), MALFORMED, ids=[complaint for _, complaint in MALFORMED])
def test_what_is_malformed_is_told_in_one_line(graph: Callable[[], Graph], complaint: str) -> None:
    with pytest.raises(RuntimeFileError) as caught:
        require_valid(graph())
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_sizes_that_overflow_are_refused_without_being_allocated() -> None:
    huge = Weight((2**20, 1, 1, 1), np.ones(1, F32), np.zeros(1, I64))
    window = {"stride": [1, 1], "padding": [0, 0, 0, 0], "dilation": [1, 1], "groups": 1}
    for shape, padding, complaint in [
        ((1, 64, 64), [0, 0, 0, 0], "its output (1048576, 64, 64) has more than"),
        ((1, 1, 1), [1024] * 4, "has more than"),
        ((1, 2**14, 2**14), [1024] * 4, "its padded input has more than"),
    ]:
        node = Node("conv", "wide", ("x",), "y", {**window, "padding": padding}, {"weight": "w"})
        with pytest.raises(RuntimeFileError, match=r"node 'wide' \('conv'\)") as caught:
            require_valid(Graph("x", shape, (node,), "y", {"w": huge}))
        assert complaint in str(caught.value)


def test_a_billion_element_weight_is_refused() -> None:
    graph = weighed("h", Weight((2**15, 2**15), np.ones(1, F32), np.zeros(1, I64)))
    with pytest.raises(RuntimeFileError, match=r"weight 'h': shape \(32768, 32768\); it should"):
        require_valid(graph)


@settings(max_examples=300, deadline=None)
@given(
    length=st.integers(1, 9),
    kernel=st.integers(1, 6),
    stride=st.integers(1, 4),
    before=st.integers(0, 9),
    after=st.integers(0, 9),
    dilation=st.integers(1, 5),
)
def test_a_pooling_is_refused_exactly_if_a_window_holds_no_pixel(
    length: int, kernel: int, stride: int, before: int, after: int, dilation: int
) -> None:
    starts = range(-before, length + after - dilation * (kernel - 1), stride)
    windows = [[start + tap * dilation for tap in range(kernel)] for start in starts]
    valid = len(windows) > 0 and all(any(0 <= place < length for place in window) for window in windows)
    window = {"kernel": [kernel, 1], "stride": [stride, 1], "dilation": [dilation, 1], "padding": [before, 0, after, 0]}
    graph = Graph("x", (1, length, 1), (Node("max_pool", "pool", ("x",), "y", window),), "y", {})
    if valid:
        assert require_valid(graph)["y"] == (1, len(windows), 1)
        assert np.isfinite(interpret(graph, np.ones((1, 1, length, 1), F32))).all()
    else:
        with pytest.raises(RuntimeFileError, match=r"contain no pixel|does not fit"):
            require_valid(graph)
