"""A runtime file as it is called: arrays or tensors, any batch, and one clear line where something does not fit."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

import robust_tickets as rt
from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Graph, Node, Weight
from robust_tickets.runtime.reference import interpret
from robust_tickets.runtime.storage.file import write_file


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    random = np.random.default_rng(0)
    kernel = random.standard_normal((4, 3, 3, 3), np.float32) * (random.random((4, 3, 3, 3)) < 0.3)
    window = {"stride": [2, 2], "padding": [1, 1, 1, 1], "dilation": [1, 1], "groups": 1}
    graph = Graph(
        "images",
        (3, 8, 8),
        (
            Node("conv", "conv", ("images",), "conv", window, {"weight": "w"}),
            Node("adaptive_avg_pool", "pool", ("conv",), "pool", {"output": [1, 1]}),
            Node("reshape", "flat", ("pool",), "logits", {"shape": [4]}),
        ),
        "logits",
        {"w": Weight(kernel.shape, kernel.reshape(-1).astype(np.float32))},
    )
    path = tmp_path_factory.mktemp("load") / "model.rtk"
    write_file(graph, path)
    return path, graph


@pytest.mark.parametrize("batch", [0, 1, 5])
def test_arrays_give_arrays_and_tensors_tensors(file, batch):
    path, graph = file
    images = np.random.default_rng(1).random((batch, 3, 8, 8), np.float32)
    runtime = rt.load_runtime(path)
    expected = interpret(graph, images)
    logits = runtime(images)
    assert isinstance(logits, np.ndarray)
    assert logits.shape == (batch, 4)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    tensor = runtime(torch.from_numpy(images).requires_grad_())
    assert isinstance(tensor, torch.Tensor)
    assert not tensor.requires_grad
    np.testing.assert_allclose(tensor.numpy(), expected, atol=1e-5)


def test_strides_and_other_precisions_do_not_matter(file):
    images = np.random.default_rng(1).random((2, 8, 8, 3))
    runtime = rt.load_runtime(file[0])
    expected = runtime(np.ascontiguousarray(images.transpose(0, 3, 1, 2)).astype(np.float32))
    np.testing.assert_allclose(runtime(images.transpose(0, 3, 1, 2)), expected, atol=1e-5)
    np.testing.assert_allclose(runtime(torch.from_numpy(images).permute(0, 3, 1, 2)), expected, atol=1e-5)


def test_a_broken_image_gives_nan_and_leaves_the_others_alone(file):
    runtime = rt.load_runtime(file[0])
    images = np.random.default_rng(1).random((3, 3, 8, 8), np.float32)
    whole = runtime(images)
    images[1, 0, 0, 0] = np.nan
    logits = runtime(images)
    assert np.isnan(logits[1]).all()
    np.testing.assert_array_equal(logits[[0, 2]], whole[[0, 2]])


@pytest.mark.filterwarnings("error")
def test_what_float32_cannot_hold_is_infinite(file):
    images = np.random.default_rng(1).random((2, 3, 8, 8))
    images[1, 0, 0, 0] = 1e300
    logits = rt.load_runtime(file[0])(images)
    assert np.isfinite(logits[0]).all()
    assert np.isnan(logits[1]).all()


def test_once_closed_it_cannot_be_called(file):
    runtime = rt.load_runtime(file[0], threads=2)
    images = np.zeros((1, 3, 8, 8), np.float32)
    runtime(images)
    runtime.close()
    runtime.close()
    with pytest.raises(ValueError, match=r"it is closed: .*, so it can no longer be called"):
        runtime(images)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_computes_the_same_while_others_compute(file):
    runtime, images = rt.load_runtime(file[0], threads=2), np.random.default_rng(1).random((4, 3, 8, 8), np.float32)
    expected, done = runtime(images), threading.Event()

    def keep_busy() -> None:
        while not done.is_set():
            runtime(images)

    busy = threading.Thread(target=keep_busy)
    busy.start()
    for _ in range(5):
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            os._exit(0 if np.array_equal(runtime(images), expected) else 1)
        assert os.waitpid(child, 0)[1] == 0
    done.set()
    busy.join()


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.zeros((1, 3, 9, 8), np.float32), ValueError, r"shape \[1, 3, 9, 8\]; it should be \[N, 3, 8, 8\]"),
        (np.zeros((3, 8, 8), np.float32), ValueError, r"shape \[3, 8, 8\]; it should be \[N, 3, 8, 8\]"),
        (np.zeros((1, 3, 8, 8), np.uint8), ValueError, "does not say how images become its input: give floats"),
        (
            np.full((1, 3, 8, 8), 255.0),
            ValueError,
            r"from 255 to 255, but they should be in \[0, 1\]: divide them by 255",
        ),
        (torch.full((1, 3, 8, 8), -1.0), ValueError, "from -1 to -1, .* leave normalisation to the network"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(file, images, error, message):
    with pytest.raises(error, match=message) as caught:
        rt.load_runtime(file[0])(images)
    assert "\n" not in str(caught.value)


def test_no_file_is_refused(tmp_path):
    with pytest.raises(RuntimeFileError, match=r"gone\.rtk: no such file"):
        rt.load_runtime(tmp_path / "gone.rtk")


def test_running_a_file_needs_no_torch(file):
    code = (
        "import sys, numpy as np, robust_tickets as rt\n"
        f"print(rt.load_runtime({str(file[0])!r})(np.zeros((1, 3, 8, 8), np.float32)).shape, 'torch' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "(1, 4) False"


@pytest.mark.parametrize("threads", [0, -1, "2", None, 1.5, True])
def test_threads_are_a_whole_number(file, threads):
    with pytest.raises(ValueError, match="it should be an integer of at least 1"):
        rt.load_runtime(file[0], threads=threads)


def test_a_network_that_is_ready_says_what_it_takes(file):
    assert repr(rt.load_runtime(file[0])) == "Runtime(images [N, 3, 8, 8], 3 layers, threads=1)"


def test_other_readers_are_named(file, tmp_path):
    with pytest.raises(rt.UserError, match=r"load it with rt\.load_runtime"):
        rt.load(file[0])
    with pytest.raises(rt.UserError, match="no such folder"):
        rt.load(tmp_path / "absent")
