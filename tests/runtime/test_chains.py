"""Depthwise convolutions work through the channels together with what makes their input, and nothing else changes."""

import random
import threading

import numpy as np
import pytest

from robust_tickets.runtime.engine import Engine
from robust_tickets.runtime.graph import Graph, Node, Weight
from robust_tickets.runtime.machine.target import Target, runnable_names
from robust_tickets.runtime.planning import commands as c
from robust_tickets.runtime.planning.buffers import MapView
from robust_tickets.runtime.planning.plan import ExecutionPlan, make_plan
from robust_tickets.runtime.rules.operations import require_valid
from tests.runtime.test_engine import WINDOW, difference, random_weight


class Bottlenecks:
    """A network of inverted bottlenecks, as of MobileNet: wider, depthwise, narrower."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        self.shape, self.value, self.channels = (channels, height, width), "x", channels
        self.nodes: list[Node] = []
        self.weights: dict[str, Weight] = {}

    def conv(
        self,
        outputs: int,
        kernel: int,
        density: float = 1.0,
        groups: int = 1,
        stride: int = 1,
        padding: list[int] | None = None,
    ) -> "Bottlenecks":
        name = f"w{len(self.nodes)}"
        self.weights[name] = random_weight(outputs, self.channels // groups, kernel, kernel, density=density)
        around = [kernel // 2] * 4 if padding is None else padding
        window = WINDOW | {"padding": around, "groups": groups, "stride": [stride, stride]}
        return self.node("conv", self.value, weights={"weight": name}, channels=outputs, **window)

    def relu(self) -> "Bottlenecks":
        return self.node("activation", self.value, kind="relu")

    def node(
        self, op: str, *inputs: str, weights: dict[str, str] | None = None, channels: int = 0, **attributes: object
    ) -> "Bottlenecks":
        output = f"v{len(self.nodes)}"
        self.nodes.append(Node(op, f"{op}{len(self.nodes)}", inputs, output, attributes, weights or {}))
        self.value, self.channels = output, channels or self.channels
        return self

    def graph(self) -> Graph:
        return Graph("x", self.shape, tuple(self.nodes), self.value, self.weights)


def bottleneck(
    wide: int,
    size: tuple[int, int],
    kernel: int,
    stride: int = 1,
    density: float = 0.1,
    padding: list[int] | None = None,
) -> Graph:
    net = Bottlenecks(6, *size).conv(wide, 1, density).relu()
    net.conv(wide, kernel, groups=wide, stride=stride, padding=padding).relu()
    return net.conv(7, 1, 0.3).graph()


@pytest.fixture(params=["as usual", "few at a time"], autouse=True)
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small maps are worked through in one piece, or eight channels at a time as large ones are."""
    if request.param == "few at a time":
        monkeypatch.setattr("robust_tickets.runtime.planning.chains._IN_CACHE", 1)


def whole_maps(plan: ExecutionPlan, channels: int) -> list[str]:
    """Layers that leave so many channels in memory, of all at once."""
    targets = [(one.name, one.target) for one in plan.commands]
    return [name for name, view in targets if isinstance(view, MapView) and view.channels == channels]


@pytest.mark.parametrize("name", runnable_names())
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 1), (3, 2), (5, 2)])
@pytest.mark.parametrize("wide", [8, 21, 40, 200])
def test_every_processor_computes_the_same(wide, kernel, stride, name):
    graph = bottleneck(wide, (29, 14), kernel, stride)
    assert difference(graph, Engine(graph, target=Target.named(name))) < 1e-4


@pytest.mark.parametrize("padding", [[0, 0, 0, 0], [1, 0, 2, 3], [0, 3, 0, 1]], ids=str)
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("size", "kernel"), [(8, 3), (8, 5), (29, 7), (14, 3), (60, 21)])
def test_windows_that_end_elsewhere_than_the_map(size: int, kernel: int, stride: int, padding: list[int]) -> None:
    graph = bottleneck(24, (size, size), kernel, stride, padding=padding)
    assert difference(graph, Engine(graph)) < 1e-4
    assert difference(graph, Engine(graph, threads=2)) < 1e-4


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(("wide", "size"), [(200, 28), (64, 14)])
def test_two_strided_readers_of_one_wide_map(wide: int, size: int, threads: int) -> None:
    """The copy in other blocks that both read outlives the chain of the first; the map itself does not."""
    net = Bottlenecks(6, size, size).conv(wide, 1)
    wider = net.value
    ends = []
    for kernel in (3, 5):
        net.value, net.channels = wider, wide
        ends.append(net.conv(wide, kernel, groups=wide, stride=2).conv(8, 1).value)
    graph = net.node("add", *ends).graph()
    assert difference(graph, Engine(graph, threads)) < 1e-4


def test_rooms_are_as_many_as_tasks() -> None:
    """However many threads there are: a map of few channels would otherwise take its own size for each."""
    sizes = []
    for threads in (1, 64):
        graph = bottleneck(8, (256, 256), 3)
        plan = make_plan(graph, require_valid(graph), threads)
        sizes.append(sum(buffer.size for buffer in plan.buffers))
    assert sizes[1] < 2 * sizes[0]


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (5, 2)])
def test_what_is_read_by_channel_is_never_there_as_a_whole(kernel, stride):
    engine = Engine(bottleneck(400, (56, 56), kernel, stride))
    assert [step.kind for step in engine.steps] == ["gather", "chain", "convolution", "scatter"]
    assert whole_maps(engine.plan, 400) == ["conv2"], "the depthwise convolution's output alone"


@pytest.mark.parametrize("seed", range(40))
def test_bottlenecks_of_all_kinds(seed):
    """Skips, values that others read too, several depthwise convolutions in a row, concatenations, halves."""
    draw = random.Random(seed)
    net = Bottlenecks(draw.choice([3, 8, 13]), draw.randint(5, 40), draw.randint(5, 40))
    for _ in range(draw.randint(1, 4)):
        before, channels, wide = net.value, net.channels, draw.choice([8, 12, 33, 96])
        net.conv(wide, draw.choice([1, 1, 1, 3]), draw.choice([0.05, 0.3, 1.0]))
        if draw.random() < 0.5:
            net.relu()
        wider = net.value
        for _ in range(draw.choice([1, 1, 1, 2, 3])):
            kernel, stride = draw.choice([1, 3, 5, 7]), draw.choice([1, 1, 1, 2])
            net.conv(wide, kernel, groups=wide, stride=stride)
        match draw.choice(["narrower", "skip", "other reader", "concat", "half", "depthwise alone"]):
            case "narrower":
                net.conv(draw.choice([8, 13]), 1, 0.3)
            case "skip":
                net.conv(channels, 1, 0.3)
                if len({*_sizes(net, before, net.value)}) == 1:
                    net.node("add", net.value, before)
            case "other reader" if len({*_sizes(net, wider, net.value)}) == 1:
                net.node("add", net.value, wider)
            case "concat" if len({*_sizes(net, wider, net.value)}) == 1:
                net.node("concat", wider, net.value, channels=2 * wide)
            case "half":
                net.node("slice", net.value, channels=wide // 2, start=0, stop=wide // 2)
                net.conv(wide // 2, 3, groups=wide // 2)
            case _:
                pass
    graph = net.graph()
    assert difference(graph, Engine(graph)) < 1e-4
    assert difference(graph, Engine(graph, threads=2)) < 1e-4


def _sizes(net: Bottlenecks, *values: str) -> list[tuple[int, int]]:
    """Heights and widths of values."""
    sizes = {"x": (net.shape[1], net.shape[2])}
    for node in net.nodes:
        high, wide = sizes[node.inputs[0]]
        if node.op == "conv":
            _, _, kernel, _ = net.weights[node.weights["weight"]].shape
            stride, padding = node.attributes["stride"][0], node.attributes["padding"][0]
            high, wide = (high + 2 * padding - kernel) // stride + 1, (wide + 2 * padding - kernel) // stride + 1
        sizes[node.output] = (high, wide)
    return [sizes[value] for value in values]


def test_an_input_that_is_written_over_is_read_to_the_end_first():
    """The sum lies where the input lay: no channel of it may be there while others still read that one."""
    net = Bottlenecks(32, 40, 40).conv(32, 1)
    before = net.value
    net.conv(32, 1, 0.5).conv(32, 3, groups=32).node("add", f"v{len(net.nodes) - 1}", before)
    assert difference(net.graph(), Engine(net.graph())) < 1e-4


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_have_rooms_of_their_own(threads):
    """What they compute does not depend on how many there are."""
    graph = bottleneck(200, (28, 28), 5)
    x = np.random.default_rng(0).random((3, *graph.input_shape)).astype(np.float32)
    alone = Engine(graph)(x)
    for _ in range(20):
        engine = Engine(graph, threads)
        np.testing.assert_allclose(engine(x), alone, rtol=1e-5, atol=1e-6)
        engine.close()


def test_a_room_that_was_left_taken_is_free_in_the_next_call():
    """As in a process that was forked while another thread of its parent computed."""
    graph = bottleneck(64, (14, 14), 3)
    engine = Engine(graph, threads=2)
    x = np.ones((1, *graph.input_shape), np.float32)
    expected = engine(x)
    for call in (engine, lambda images: engine.profile(images[0])):
        engine._taken[:] = 1
        found: list[object] = []
        thread = threading.Thread(target=lambda call=call, found=found: found.append(call(x)), daemon=True)
        thread.start()
        thread.join(20)
        assert found, "it waits for a room that nobody leaves"
    np.testing.assert_array_equal(engine(x), expected)


@pytest.mark.parametrize("size", [10, 14, 28])
def test_a_strided_depthwise_convolution_has_its_input_made_as_it_reads_it(size):
    """These maps lie in other blocks than their halves: the narrow input is moved, not the wide map and its halo."""
    engine = Engine(bottleneck(96, (size, size), 5, stride=2))
    moved = [one.target.channels for one in engine.plan.commands if isinstance(one, c.Gather)]
    assert 96 not in moved
    assert sum(moved) <= 12
