"""A runtime file for texts as it is called: any number, any length, strings or tokens, copied, closed and timed."""

import copy
import json
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

import robust_tickets as rt
from robust_tickets.runtime import load
from robust_tickets.runtime.graph import Graph
from robust_tickets.runtime.load import Runtime
from robust_tickets.runtime.storage.file import read_file, write_file
from tests.runtime.text_graphs import LENGTH, expected_logits, stated, text_graph, text_tokens

GRAPHS = {"texts": text_graph(), "tokens": text_graph(by_token=True)}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for texts, and no other place where tilings are kept."""
    monkeypatch.setenv("ROBUST_TICKETS_CACHE", "")
    write_file(text_graph(), tmp_path / "model.rtk")
    return tmp_path / "model.rtk"


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("lengths", "longest"),
    [([1], 1), ([1], 7), ([2, 1], 2), ([16, 17, 3], 17), ([LENGTH, 33, 1], LENGTH), ([5], LENGTH)],
)
def test_texts_of_any_number_and_length_get_what_the_reference_says(
    graph: Graph, threads: int, lengths: list[int], longest: int
) -> None:
    tokens = text_tokens(lengths, longest)
    padded = {name: np.pad(value, ((0, 0), (0, max(0, 2 - longest)))) for name, value in tokens.items()}
    expected = expected_logits(graph, padded)
    expected = expected[:, :longest] if expected.ndim == 3 else expected
    runtime = Runtime(graph, threads)
    given = runtime(tokens)
    assert given.dtype == np.float32
    assert given.shape == expected.shape
    np.testing.assert_allclose(given, expected, atol=1e-5)
    np.testing.assert_array_equal(runtime.logits(tokens), given)
    runtime.close()


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_what_stands_at_padding_and_in_other_texts_changes_no_bit(graph: Graph) -> None:
    runtime, tokens = Runtime(graph), text_tokens([9, 20, 3], LENGTH)
    whole = runtime(tokens)
    behind = tokens["attention_mask"] == 0
    noise = {**tokens, "input_ids": np.where(behind, 7, tokens["input_ids"])}
    np.testing.assert_array_equal(runtime(noise), whole)
    for index, count in enumerate((9, 20, 3)):
        alone = runtime({name: value[index : index + 1, :count] for name, value in tokens.items()})[0]
        np.testing.assert_array_equal(alone, whole[index, :count] if whole.ndim == 3 else whole[index])
    if whole.ndim == 3:
        assert not whole[behind].any()


def test_strings_are_tokenised_and_no_texts_have_no_logits() -> None:
    for graph in GRAPHS.values():
        runtime, texts = Runtime(graph), ["the dog runs", ("a cat", "the dog"), ""]
        core = runtime._feed.texts.core  # pyright: ignore
        counts = [len(core.encode(*(one if isinstance(one, tuple) else (one,))).ids) for one in texts]
        together = runtime(texts)
        assert together.shape == ((3, 3) if graph is GRAPHS["texts"] else (3, max(counts), 3))
        for index, text in enumerate(texts):
            alone = runtime(text)[0]
            shown = together[index] if together.ndim == 2 else together[index, : counts[index]]
            np.testing.assert_array_equal(alone, shown)
        assert runtime([]).shape == (0, 3) if together.ndim == 2 else (0, 0, 3)


def test_tensors_give_tensors_and_logits_take_no_strings() -> None:
    runtime, tokens = Runtime(GRAPHS["tokens"]), text_tokens([3, 7])
    given = runtime.logits({name: torch.from_numpy(value) for name, value in tokens.items()})
    assert isinstance(given, torch.Tensor)
    assert given.is_contiguous()
    np.testing.assert_array_equal(given.numpy(), runtime(tokens))
    with pytest.raises(TypeError, match="logits takes integer arrays by name, not str; call the network instead"):
        runtime.logits("the dog")


def test_it_says_what_it_takes_and_is_told_nothing_of_images() -> None:
    runtime = Runtime(text_graph(metadata=stated(classes=["bad", "fair", "good"])))
    assert repr(runtime) == "Runtime(texts of up to 40 tokens, 14 layers, 3 classes, threads=1)"
    assert (runtime.noun, runtime.classes, runtime.preprocessing) == ("texts", ("bad", "fair", "good"), None)
    with pytest.raises(ValueError, match="preprocessing: is of images, but the network takes texts; leave it out"):
        Runtime(text_graph(), preprocessing={"interpolation": "bilinear", "crop_fraction": 1})


def test_one_text_is_profiled() -> None:
    runtime = Runtime(text_graph())
    for given in ("the dog runs", text_tokens([4], 9)):
        steps = runtime.profile(given, calls=2)
        assert {"embed", "attention"} <= {step.kind for step in steps}
        assert all(0 < step.seconds < 1 for step in steps)
    with pytest.raises(ValueError, match="profile takes one text, not 2"):
        runtime.profile(["a", "the"])


def test_once_closed_it_cannot_be_called() -> None:
    runtime = Runtime(text_graph(), threads=2)
    runtime("the dog")
    runtime.close()
    for text in ("the dog", "the " * 30):
        with pytest.raises(ValueError, match="it is closed"):
            runtime(text)


def test_several_threads_are_served_whatever_lengths_they_ask_for() -> None:
    runtime, wrong = Runtime(text_graph(length=600), threads=2), []
    asked = [text_tokens([length], seed=length) for length in (1, 16, 17, 40, 100, 120, 200, 300, 400, 600)]
    expected = [runtime(tokens) for tokens in asked]

    def ask(first: int) -> None:
        for index in [*range(first, len(asked)), *range(first)]:
            if not np.array_equal(runtime(asked[index]), expected[index]):
                wrong.append(index)

    threads = [threading.Thread(target=ask, args=(first,)) for first in (0, 4, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_tilings_are_kept_for_each_length(path: Path) -> None:
    kept = path.with_name("model.rtk.tuning.json")
    runtime = rt.load_runtime(path)
    assert not kept.exists(), "nothing is measured before there is a text"
    runtime(text_tokens([5]))
    [short] = json.loads(kept.read_text())["tilings"]
    assert short.endswith(", 16 tokens")
    runtime(text_tokens([12, 30, 1], LENGTH))
    found = json.loads(kept.read_text())["tilings"]
    assert {key.rpartition(", ")[2] for key in found} == {"16 tokens", "32 tokens"}
    content = kept.read_bytes()
    again = rt.load_runtime(path)
    np.testing.assert_array_equal(again(text_tokens([12, 30])), runtime(text_tokens([12, 30])))
    assert kept.read_bytes() == content


def test_a_copy_has_the_tilings_of_the_lengths_so_far(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = rt.load_runtime(path)
    tokens = text_tokens([5, 20])
    expected = runtime(tokens)
    made = dict(runtime._feed.tilings)
    assert sorted(made) == [(3, 1, 16), (3, 1, 32)]
    path.unlink()
    asked: list[int] = []
    estimated = load.estimated

    def watched(*arguments):
        asked.append(1)
        return estimated(*arguments)

    monkeypatch.setattr(load, "estimated", watched)
    for copied in (pickle.loads(pickle.dumps(runtime)), copy.deepcopy(runtime), copy.copy(runtime)):
        np.testing.assert_array_equal(copied(tokens), expected)
        assert copied._feed.tilings == made
        assert asked == []
        np.testing.assert_allclose(copied(text_tokens([40])), runtime(text_tokens([40])), atol=1e-5)
        assert asked.pop() == 1, "a length that is new is estimated"
        assert sorted(copied._feed.tilings) == [(3, 1, 16), (3, 1, 32), (3, 1, 40)]


def test_a_spawned_process_computes_the_same(path: Path) -> None:
    runtime, texts = rt.load_runtime(path, threads=2), ["the dog", ("a cat", "sleeps"), "the " * 30]
    expected = runtime(texts)
    with ProcessPoolExecutor(1, get_context("spawn")) as others:
        np.testing.assert_array_equal(others.submit(runtime, texts).result(), expected)


def test_a_file_holds_what_the_rows_are(path: Path) -> None:
    assert read_file(path).tokens == text_graph().tokens
    assert read_file(path).metadata == stated()
