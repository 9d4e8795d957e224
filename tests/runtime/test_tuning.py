"""Tilings are measured once and kept; whatever lies where they are kept, the network is computed right."""

import json
import threading

import numpy as np
import pytest

from robust_tickets.runtime.engine import Engine
from robust_tickets.runtime.graph import Graph, Node, Weight
from robust_tickets.runtime.load import load_runtime
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning import commands as c
from robust_tickets.runtime.reference import interpret
from robust_tickets.runtime.storage.file import write_file
from robust_tickets.runtime.tuning.tiling import likely
from robust_tickets.runtime.tuning.tuning import estimated, tuned
from tests.runtime.test_chains import bottleneck

WINDOW = {"stride": [1, 1], "padding": [1, 1, 1, 1], "dilation": [1, 1], "groups": 1}


def network() -> Graph:
    """One convolution of 6 channels to 5."""
    kernel = np.random.default_rng(0).standard_normal((5, 6, 3, 3)).astype(np.float32)
    node = Node("conv", "conv", ("x",), "y", WINDOW, {"weight": "w"})
    return Graph("x", (6, 8, 8), (node,), "y", {"w": Weight(kernel.shape, kernel.reshape(-1))})


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder, and no other place where anything is kept."""
    monkeypatch.setenv("ROBUST_TICKETS_CACHE", "")
    write_file(network(), tmp_path / "model.rtk")
    return tmp_path


def is_right(path) -> bool:
    images = np.random.default_rng(1).random((2, 6, 8, 8), np.float32)
    return bool(np.allclose(load_runtime(path)(images), interpret(network(), images), atol=1e-5))


def test_what_was_measured_is_kept_and_found_again(folder):
    assert is_right(folder / "model.rtk")
    kept = (folder / "model.rtk.tuning.json").read_bytes()
    assert is_right(folder / "model.rtk")
    assert (folder / "model.rtk.tuning.json").read_bytes() == kept
    assert sorted(one.name for one in folder.iterdir()) == ["model.rtk", "model.rtk.tuning.json"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[" * 200_000, b"[" + b"9" * 10_000 + b"]", b"NaN", b"null", b'{"version": 1}'],
    ids=["empty", "truncated", "no text", "nested", "long number", "NaN", "null", "of nothing"],
)
def test_a_broken_file_counts_as_none_and_is_replaced(folder, content):
    place = folder / "model.rtk.tuning.json"
    place.write_bytes(content)
    assert is_right(folder / "model.rtk")
    assert json.loads(place.read_text())["tilings"]


@pytest.mark.parametrize(
    "change",
    [
        {"rows": 3},
        {"rows": 0},
        {"rows": True},
        {"height": 10**9},
        {"width": -1},
        {"width": 1.0},
        {"channels": 1},
        {"channels": float("nan")},
        {"winograd": 5},
        {"more": 1},
    ],
    ids=str,
)
def test_a_tiling_that_would_not_be_measured_is_not_taken(folder, change):
    place = folder / "model.rtk.tuning.json"
    load_runtime(folder / "model.rtk")
    content = json.loads(place.read_text())
    [machine] = content["tilings"]
    content["tilings"][machine]["conv"] |= change
    place.write_text(json.dumps(content))
    assert is_right(folder / "model.rtk")
    # As text: 1.0 and true equal 1 otherwise.
    measured_again = json.loads(place.read_text())["tilings"][machine]["conv"]
    assert json.dumps(measured_again) != json.dumps(content["tilings"][machine]["conv"])


def test_every_tiling_that_is_measured_is_taken_again(tmp_path):
    engine, target = Engine(network()), Target.host()
    [command] = [one for one in engine.plan.commands if isinstance(one, c.Convolve)]
    for number, tiling in enumerate(likely(command, target, 1000)):
        place = tmp_path / f"{number}.json"
        for measure in (lambda one=tiling: {"conv": one}, dict):
            assert tuned([place], "digest", target, measure, [command]) == {"conv": tiling}


def test_several_processors_and_models_share_no_tilings(tmp_path):
    place, engine = tmp_path / "tuning.json", Engine(network())
    [command] = [one for one in engine.plan.commands if isinstance(one, c.Convolve)]
    first, second = likely(command, Target.host(), 2)
    here, there = Target.host(), Target("x86_64-unknown-linux-gnu", "another")

    def found(digest, target, measured):
        return tuned([place], digest, target, lambda: {"conv": measured}, [command])["conv"]

    assert found("model", here, first) == first
    assert found("model", there, second) == second
    assert found("model", here, second) == first
    assert found("another model", here, second) == second


def test_sizes_of_one_model_share_no_tilings_and_an_image_has_none(tmp_path, folder):
    place, engine, here = tmp_path / "tuning.json", Engine(network()), Target.host()
    [command] = [one for one in engine.plan.commands if isinstance(one, c.Convolve)]
    first, second = likely(command, here, 2)

    def found(size, measured):
        return tuned([place], "model", here, lambda: {"conv": measured}, [command], size)["conv"]

    assert found("16 tokens", first) == first
    assert found("32 tokens", second) == second
    assert found("16 tokens", second) == first
    machine = f"{here.cpu} {here.features}"
    assert set(json.loads(place.read_text())["tilings"]) == {f"{machine}, 16 tokens", f"{machine}, 32 tokens"}
    load_runtime(folder / "model.rtk")
    assert set(json.loads((folder / "model.rtk.tuning.json").read_text())["tilings"]) == {machine}


def test_where_nothing_can_be_written_nothing_is_kept(folder):
    (folder / "model.rtk.tuning.json").mkdir()
    assert is_right(folder / "model.rtk")
    assert sorted(one.name for one in folder.iterdir()) == ["model.rtk", "model.rtk.tuning.json"]


def test_loading_at_the_same_time_leaves_one_whole_file(folder):
    results = []
    threads = [threading.Thread(target=lambda: results.append(is_right(folder / "model.rtk"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4
    assert sorted(one.name for one in folder.iterdir()) == ["model.rtk", "model.rtk.tuning.json"]
    assert json.loads((folder / "model.rtk.tuning.json").read_text())["tilings"]


def test_thousands_of_groups_are_estimated_within_little_memory():
    kernel = np.ones((2**14, 1, 1, 1), np.float32)
    attributes = WINDOW | {"padding": [0, 0, 0, 0], "groups": 2**14}
    node = Node("conv", "conv", ("x",), "y", attributes, {"weight": "w"})
    graph = Graph("x", (2**14, 2, 2), (node,), "y", {"w": Weight(kernel.shape, kernel.reshape(-1))})
    x = np.random.default_rng(0).random((1, 2**14, 2, 2), np.float32)
    engine = Engine(graph)
    np.testing.assert_array_equal(engine(x), x)
    assert estimated(engine.plan.commands, engine.target) == engine.tilings


def test_what_one_thread_measured_serves_two(folder):
    """A chain's rooms depend on the number of threads; how a convolution is cut up does not."""
    write_file(bottleneck(200, (28, 28), 5), folder / "model.rtk")
    load_runtime(folder / "model.rtk", threads=1)
    kept = (folder / "model.rtk.tuning.json").read_bytes()
    load_runtime(folder / "model.rtk", threads=2)
    assert (folder / "model.rtk.tuning.json").read_bytes() == kept
