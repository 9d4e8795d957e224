"""A runtime file says what the graph said, in few bytes, is whole or absent, and what is not one is refused."""

import json
import os
import pickle
import subprocess
import sys
import textwrap
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Graph, Node, Weight
from robust_tickets.runtime.reference import interpret
from robust_tickets.runtime.storage.file import MAGIC, PREAMBLE, VERSION, read_file, stored_weights, write_file

from .graphs import every_operation, images, patch_network, text_network
from .random_graphs import random_graph
from .random_sequences import inputs, random_sequence, random_text


def test_a_graph_comes_back(tmp_path: Path) -> None:
    graph = every_operation()
    write_file(graph, tmp_path / "folder" / "a.rtk")
    read = read_file(tmp_path / "folder" / "a.rtk")
    assert (read.input, read.input_shape, read.output) == (graph.input, graph.input_shape, graph.output)
    assert read.nodes == graph.nodes
    assert read.metadata == graph.metadata
    assert read.weights.keys() == graph.weights.keys()
    for name, weight in graph.weights.items():
        np.testing.assert_array_equal(read.weights[name].dense(), weight.dense())
    np.testing.assert_array_equal(interpret(read, images()), interpret(graph, images()))
    assert os.listdir(tmp_path / "folder") == ["a.rtk"]


def test_random_networks_come_back_and_compute_the_same(tmp_path: Path) -> None:
    for seed in range(100):
        graph = random_graph(seed)
        write_file(graph, tmp_path / "a.rtk")
        some = np.random.default_rng(seed).standard_normal((2, *graph.input_shape)).astype(np.float32)
        expected = interpret(graph, some)
        assert np.isfinite(expected).all()
        np.testing.assert_array_equal(interpret(read_file(tmp_path / "a.rtk"), some), expected)


def test_random_sequences_and_texts_come_back_and_compute_the_same(tmp_path: Path) -> None:
    for seed in range(25):
        for graph in (random_sequence(seed), random_text(seed), random_text(seed, padded=False)):
            write_file(graph, tmp_path / "a.rtk")
            read, some = read_file(tmp_path / "a.rtk"), inputs(graph, 2)
            assert (read.tokens, read.input_shape, read.nodes) == (graph.tokens, graph.input_shape, graph.nodes)
            np.testing.assert_array_equal(interpret(read, some), interpret(graph, some))


def test_what_the_rows_of_a_text_are_is_stored_and_nothing_of_images(tmp_path: Path) -> None:
    for graph, rows in ((text_network(), [*text_network().tokens]), (patch_network(), None), (every_operation(), None)):
        write_file(graph, tmp_path / "a.rtk")
        assert header_of(tmp_path / "a.rtk").get("tokens") == rows
        write_file(read_file(tmp_path / "a.rtk"), tmp_path / "b.rtk")
        assert (tmp_path / "a.rtk").read_bytes() == (tmp_path / "b.rtk").read_bytes()


def test_a_text_network_of_one_length_is_not_written(tmp_path: Path) -> None:
    graph = text_network()
    graph = replace(
        graph,
        nodes=(*graph.nodes[:13], replace(graph.nodes[13], attributes={"start": 7, "stop": 8}), *graph.nodes[14:]),
    )
    with pytest.raises(
        RuntimeFileError, match=r"a\.rtk: for texts of 2 tokens: node 'first' \('tokens'\): it takes tokens 7"
    ):
        write_file(graph, tmp_path / "a.rtk")
    assert os.listdir(tmp_path) == []


def test_every_encoding_is_there_and_sparse_weights_come_as_their_nonzeros(tmp_path: Path) -> None:
    write_file(every_operation(), tmp_path / "a.rtk")
    read, stored = read_file(tmp_path / "a.rtk"), {weight.name: weight for weight in stored_weights(tmp_path / "a.rtk")}
    encodings = {name: stored[name].encoding for name in ("element", "row", "kernel", "filter", "block8", "block16")}
    assert list(encodings.values()) == ["element", "row", "kernel", "filter", "block8x1", "block16x1"]
    for name, weight in read.weights.items():
        assert (weight.positions is None) == (stored[name].encoding == "dense")


def test_the_same_graph_gives_the_same_bytes_and_so_does_what_was_read(tmp_path: Path) -> None:
    write_file(every_operation(), tmp_path / "a.rtk")
    write_file(read_file(tmp_path / "a.rtk"), tmp_path / "b.rtk")
    assert (tmp_path / "a.rtk").read_bytes() == (tmp_path / "b.rtk").read_bytes()


def test_half_rounds_matrices_to_float16_and_leaves_vectors(tmp_path: Path) -> None:
    graph = every_operation()
    write_file(graph, tmp_path / "half.rtk", half=True)
    assert Counter(weight.dtype for weight in stored_weights(tmp_path / "half.rtk")) == {"float16": 9, "float32": 5}
    read = read_file(tmp_path / "half.rtk")
    np.testing.assert_array_equal(read.weights["a"].values, graph.weights["a"].values)
    np.testing.assert_allclose(read.weights["head"].dense(), graph.weights["head"].dense(), rtol=2**-11, atol=2**-25)


def ticket(density: float) -> Graph:
    """A stage of a ResNet with random weights of this density, elements kept independently."""
    random, nodes, weights, value = np.random.default_rng(0), [], {}, "x"
    for index, shape in enumerate([(64, 256, 1, 1), (64, 64, 3, 3), (256, 64, 1, 1), (128, 256, 3, 3)]):
        values = random.standard_normal(shape).astype(np.float32) * (random.random(shape) < density)
        weights[f"w{index}"] = Weight(shape, values.ravel())
        attributes = {"stride": [1, 1], "padding": [shape[2] // 2] * 4, "dilation": [1, 1], "groups": 1}
        nodes.append(Node("conv", f"conv{index}", (value,), f"v{index}", attributes, {"weight": f"w{index}"}))
        value = f"v{index}"
    return Graph("x", (256, 14, 14), tuple(nodes), value, weights)


@pytest.mark.parametrize(("half", "most"), [(False, 1 / 6), (True, 1 / 12)])
def test_a_ticket_of_90_percent_is_a_sixth_of_its_dense_file(tmp_path: Path, half: bool, most: float) -> None:
    graph = ticket(0.1)
    write_file(graph, tmp_path / "a.rtk", half=half)
    dense = 4 * sum(weight.values.size for weight in graph.weights.values())
    assert (tmp_path / "a.rtk").stat().st_size <= most * dense


def test_a_malformed_graph_is_not_written(tmp_path: Path) -> None:
    graph = replace(every_operation(), output="nowhere")
    with pytest.raises(RuntimeFileError, match=r"a\.rtk: the graph's output 'nowhere' is not the output of any node"):
        write_file(graph, tmp_path / "a.rtk")
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_the_previous_file(tmp_path: Path) -> None:
    write_file(every_operation(), tmp_path / "a.rtk")
    before = (tmp_path / "a.rtk").read_bytes()
    code = f"""
        import resource
        from robust_tickets.runtime.errors import RuntimeFileError
        from robust_tickets.runtime.storage.file import read_file, write_file
        graph = read_file({str(tmp_path / "a.rtk")!r})
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            write_file(graph, {str(tmp_path / "a.rtk")!r}, half=True)
        except RuntimeFileError as error:
            print(error)
    """
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert run.stdout == f"{tmp_path / 'a.rtk'}: no space left to write it; free some space and try again\n"
    assert os.listdir(tmp_path) == ["a.rtk"]
    assert (tmp_path / "a.rtk").read_bytes() == before


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeFileError, match=r"file/a\.rtk: cannot be written .*choose another place"):
        write_file(every_operation(), tmp_path / "file" / "a.rtk")


def foreign(folder: Path) -> dict[str, str]:
    """Write files that are no runtime files; return what each is refused with."""
    write_file(every_operation(), folder / "good")
    good = (folder / "good").read_bytes()
    with zipfile.ZipFile(folder / "zip", "w") as archive:
        archive.writestr("data.pkl", "x" * 100)
    (folder / "pickle").write_bytes(pickle.dumps({"a": 1}))
    (folder / "onnx").write_bytes(onnx.ModelProto(ir_version=10).SerializeToString())
    (folder / "empty").write_bytes(b"")
    (folder / "magic").write_bytes(MAGIC)
    (folder / "text").write_text("hello" * 100)
    (folder / "cut").write_bytes(good[:-100])
    (folder / "longer").write_bytes(good + bytes(64))
    (folder / "newer").write_bytes(MAGIC + (VERSION + 1).to_bytes(4, "little") + good[12:])
    (folder / "flipped").write_bytes(good[:-200] + bytes([good[-200] ^ 1]) + good[-199:])
    (folder / "converted").write_bytes(good.replace(b"\r\n", b"\n"))
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    return {
        "zip": "is not a runtime file but a zip archive, such as a torch checkpoint; write one with `tickets shrink",
        "pickle": "is not a runtime file but a pickle",
        "onnx": "is not a runtime file but an ONNX model",
        "empty": "is empty; write one with `tickets shrink",
        "magic": "is truncated after 8 bytes",
        "text": "is not a runtime file; write one",
        "cut": f"is truncated: it has {len(good) - 100} of {len(good)} bytes; copy or export it again",
        "longer": f"has {len(good) + 64} bytes but should have {len(good)}; copy",
        "newer": f"has version {VERSION + 1} of the format, but this robust-tickets reads up to {VERSION}: update it",
        "flipped": "is damaged: its content does not match its digest; copy or export it again",
        "converted": "is not a runtime file",
        "folder": "is not a file; give a runtime file",
        "pipe": "is not a file; give a runtime file",
        "missing": "no such file",
    }


def test_what_is_not_a_runtime_file_is_refused_in_one_line(tmp_path: Path) -> None:
    for name, complaint in foreign(tmp_path).items():
        for read in (read_file, stored_weights):
            with pytest.raises(RuntimeFileError) as caught:
                read(tmp_path / name)
            assert str(caught.value).startswith(f"{tmp_path / name}: {complaint}")
            assert "\n" not in str(caught.value)


def test_a_device_is_not_read() -> None:
    with pytest.raises(RuntimeFileError, match="/dev/zero: is not a file"):
        read_file("/dev/zero")


def test_lengths_that_exceed_the_file_or_memory_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.rtk"
    for header_length, length in [(2**31, 4096), (2**63, 2**64 - 1), (100, 2**34), (4033, 4096), (0, 4096)]:
        with path.open("wb") as file:
            file.write(PREAMBLE.pack(MAGIC, VERSION, 0, header_length, length))
            file.truncate(min(length, 2**34))
        with pytest.raises(RuntimeFileError, match=r"damaged in its first bytes|is truncated"):
            read_file(path)


def header_of(path: Path) -> Any:
    content = path.read_bytes()
    return json.loads(content[64 : 64 + PREAMBLE.unpack(content[: PREAMBLE.size])[3]])


def test_the_header_is_json_that_other_tools_can_read(tmp_path: Path) -> None:
    write_file(every_operation(), tmp_path / "a.rtk")
    header = header_of(tmp_path / "a.rtk")
    assert header["metadata"] == {"producer": "a test", "classes": '["é", "b"]'}
    assert header["nodes"][2]["attributes"]["kernel"] == [3, 3]
