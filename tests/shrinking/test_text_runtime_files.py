"""Runtime files of networks for texts: equal to them at any length, small by their zeros, complete in themselves."""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

import robust_tickets as rt
from robust_tickets.models.proofs import relative_difference
from robust_tickets.runtime.load import Runtime
from robust_tickets.runtime.storage.file import read_file
from robust_tickets.shrinking import runtime_file
from robust_tickets.shrinking.artefact import load_artefact
from robust_tickets.shrinking.runtime_file import write_runtime
from tests.language import TEXTS, inputs_of, language_folder, rehead, tokenizer_of, tokens_of
from tests.shrinking.test_text_files import ANSWERS, texts


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> rt.Source:
    folder = tmp_path_factory.mktemp("text") / "bert"
    return rt.load_source(str(language_folder(folder, num_hidden_layers=1, num_attention_heads=4)))


@pytest.fixture(scope="module")
def networks(source: rt.Source) -> dict[str, rt.Network]:
    return {head: rehead(source.network, head).eval() for head in ANSWERS}  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def files(networks: dict[str, rt.Network], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    for head, network in networks.items():
        classes = ["bad", "fair", "good"] if head in ("sequence", "token") else []
        assert 0 < write_runtime(network, folder / f"{head}.rtk", classes=classes).runtime < 1e-4
    return {head: folder / f"{head}.rtk" for head in networks}


@pytest.mark.parametrize("head", ANSWERS)
@pytest.mark.parametrize(("lengths", "longest"), [([1], 1), ([7], 7), ([40], 40), ([3, 9, 1], 9), ([5, 5], 40)])
@torch.no_grad()
def test_texts_of_any_number_and_length_get_the_networks_answer(networks, files, head, lengths, longest) -> None:
    inputs = texts(networks[head], lengths, longest)
    expected = networks[head](inputs)
    given = load_artefact(files[head]).predict(inputs)
    assert given.shape == expected.shape
    if expected.dim() == 3:
        counts = inputs["attention_mask"] == 1
        assert not given[~counts].any()
        given, expected = given[counts], expected[counts]
    torch.testing.assert_close(given, expected, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_strings_get_what_the_network_says_of_their_tokens(source, networks, files) -> None:
    expected = networks["sequence"](inputs_of(source))
    runtime = rt.load_runtime(files["sequence"])
    assert runtime.classes == ("bad", "fair", "good")
    np.testing.assert_allclose(runtime(TEXTS), expected, atol=1e-5)
    theirs = tokenizer_of()(TEXTS, padding=True, return_tensors="pt")
    assert isinstance(theirs, transformers.BatchEncoding)
    np.testing.assert_array_equal(runtime(theirs).numpy(), runtime(TEXTS))


def test_the_file_says_what_an_onnx_file_says(source, networks, files) -> None:
    graph, tokens = read_file(files["token"]), tokens_of(source.network)
    assert graph.tokens == tokens.inputs
    assert graph.metadata["tokenizer.json"].encode() == tokens.tokenizer.content
    assert graph.metadata["adaptation"] == '{"kind": "language", "head": "token"}'
    assert repr(rt.load_runtime(files["token"])).startswith("Runtime(texts of up to 40 tokens, ")


def test_weights_in_16_bits_are_told_apart(networks, files, tmp_path) -> None:
    found = write_runtime(networks["token"], tmp_path / "half.rtk", half=True)
    assert found.runtime < 1e-5
    assert 1e-5 < found.storage < 1e-2
    assert (tmp_path / "half.rtk").stat().st_size < files["token"].stat().st_size


def test_a_file_that_would_answer_otherwise_is_not_left_behind(networks, tmp_path, monkeypatch) -> None:
    class Leaking(Runtime):
        """Right but for texts that are filled up."""

        def logits(self, inputs):
            return super().logits(inputs) + 0.01 * (1 - inputs["attention_mask"].float()).sum(1, keepdim=True)

    monkeypatch.setattr(runtime_file, "load_runtime", lambda path, **_: Leaking(read_file(path)))
    with pytest.raises(
        RuntimeError, match="the runtime file of BertForSequenceClassification differs from the network"
    ):
        write_runtime(networks["sequence"], tmp_path / "model.rtk")
    assert list(tmp_path.iterdir()) == []


def test_a_single_number_is_checked_too(networks, tmp_path) -> None:
    network = rehead(networks["sequence"], "sequence", classes=1)
    assert write_runtime(network.eval(), tmp_path / "number.rtk").runtime < 1e-4
    assert rt.load_runtime(tmp_path / "number.rtk")(TEXTS).shape == (2, 1)


@pytest.mark.parametrize("group", ["element", "head", "neuron"])
@torch.no_grad()
def test_a_ticket_becomes_a_file_without_its_zeros(source, tmp_path, group) -> None:
    ticket = rt.draw(source, sparsity=0.5, group=group)
    report = rt.export(ticket, tmp_path / "small.rtk", rounds=3, round_to=1, length=12)
    assert (report.removal.channels_removed > 0) == (group != "element")
    assert report.shrunk.file_bytes < report.dense.file_bytes
    assert report.machine.tokens == 12
    network, inputs = ticket.subnetwork(source).eval(), texts(source.network, [3, 9, 1], 9)
    assert relative_difference(load_artefact(tmp_path / "small.rtk").predict(inputs), network(inputs)) < 1e-4
    matrices = [node for node in read_file(tmp_path / "small.rtk").nodes if "query" in node.name]
    graph = read_file(tmp_path / "small.rtk")
    stored = sum(graph.weights[node.weights["weight"]].count for node in matrices)
    assert stored == int(
        torch.count_nonzero(network.body.get_parameter("bert.encoder.layer.0.attention.self.query.weight"))
    )
    assert rt.check(tmp_path / "small.rtk").passes
