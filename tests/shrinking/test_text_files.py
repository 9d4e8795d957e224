"""ONNX files of networks for texts: any number, any length, padded or not, and complete in themselves."""

import json
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

import robust_tickets as rt
from robust_tickets.shrinking.artefact import load_artefact
from robust_tickets.shrinking.export import export_onnx
from robust_tickets.tokens.tokenizer import Tokenizer
from tests.language import TEXTS, inputs_of, language_folder, rehead, tokens_of

ANSWERS = {"sequence": 3, "token": 3, "span": 2, "masked": 32}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> rt.Source:
    """One layer: what is exported takes time, and every layer is exported alike."""
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
        assert export_onnx(network, folder / f"{head}.onnx", classes=classes) < 1e-4
    return {head: folder / f"{head}.onnx" for head in networks}


def texts(network: rt.Network, lengths: list[int], longest: int) -> dict[str, Tensor]:
    """Return random texts of these lengths, filled up to the longest with padding."""
    tokens = tokens_of(network)
    ids = torch.randint(5, tokens.vocabulary, (len(lengths), longest), generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(longest) < torch.tensor(lengths)[:, None]).long()
    return {
        "input_ids": torch.where(mask == 1, ids, tokens.pad),
        "attention_mask": mask,
        "token_type_ids": torch.zeros_like(ids),
    }


@pytest.mark.parametrize("head", ANSWERS)
@pytest.mark.parametrize(("lengths", "longest"), [([1], 1), ([7], 7), ([40], 40), ([3, 9, 1], 9), ([5, 5], 40)])
@torch.no_grad()
def test_texts_of_any_number_and_length_get_the_networks_answer(networks, files, head, lengths, longest) -> None:
    inputs = texts(networks[head], lengths, longest)
    expected = networks[head](inputs)
    assert expected.shape[-1] == ANSWERS[head]
    session = onnxruntime.InferenceSession(files[head], providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == ["input_ids", "attention_mask", "token_type_ids"]
    (given,) = session.run(["logits"], {name: values.numpy() for name, values in inputs.items()})
    torch.testing.assert_close(torch.from_numpy(given), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("head", ANSWERS)
@torch.no_grad()
def test_padding_changes_nothing(networks, files, head) -> None:
    alone, padded = (texts(networks[head], [6], longest) for longest in (6, 30))
    padded["input_ids"][:, :6] = alone["input_ids"]
    file = load_artefact(files[head], like=networks[head])
    wanted = networks[head](alone)
    given = file.predict(padded)
    torch.testing.assert_close(given[:, :6] if given.dim() == 3 else given, wanted, atol=1e-4, rtol=1e-4)


def test_the_file_says_all_that_is_needed_to_ask_it(source, networks, files, tmp_path) -> None:
    said = {entry.key: entry.value for entry in onnx.load(files["token"]).metadata_props}
    assert json.loads(said["classes"]) == ["bad", "fair", "good"]
    assert json.loads(said["adaptation"]) == {"kind": "language", "head": "token"}
    assert (json.loads(said["length"]), json.loads(said["pad"])) == (40, 0)
    tokenizer = Tokenizer.of(said["tokenizer.json"].encode())
    assert tokenizer == tokens_of(source.network).tokenizer
    ids = [one.ids for one in tokenizer.encode(TEXTS, 40)]
    assert ids[0] == inputs_of(source)["input_ids"][0].tolist()


def test_a_folder_has_the_tokenizer_beside_it(source, tmp_path) -> None:
    report = rt.export(source, f"{tmp_path}/small/", rounds=3, length=8)
    assert (tmp_path / "small" / "tokenizer.json").read_bytes() == tokens_of(source.network).tokenizer.content
    assert report.machine.tokens == 8
    assert "batch 1 of 8 tokens" in report.sentence
    sparse = rt.export(rt.draw(source, sparsity=0.5), tmp_path / "sparse.onnx", rounds=3, length=8)
    wanted = " Draw by head or neuron to shrink, or write a runtime file (.rtk), which leaves zeros out."
    assert sparse.sentence.endswith(wanted)
    inputs = inputs_of(source)
    with torch.no_grad():
        assert torch.equal(rt.load(tmp_path / "small")(inputs), source.network.eval()(inputs))
    assert torch.equal(load_artefact(tmp_path / "small").predict(inputs), rt.load(tmp_path / "small")(inputs))


def test_a_single_number_is_checked_too(networks, tmp_path) -> None:
    network = rehead(networks["sequence"], "sequence", classes=1)
    assert export_onnx(network.eval(), tmp_path / "number.onnx") < 1e-4


def test_a_length_beyond_the_networks_is_refused(source, tmp_path) -> None:
    with pytest.raises(rt.UserError, match="length: 99 is too large; the network reads up to 40 tokens"):
        rt.export(source, tmp_path / "model.onnx", length=99)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("group", ["head", "neuron"])
@torch.no_grad()
def test_removed_heads_and_neurons_are_gone_from_file_and_folder(source, tmp_path, group) -> None:
    ticket = rt.draw(source, sparsity=0.3, group=group)
    report = rt.export(ticket, f"{tmp_path}/small/", rounds=3, round_to=1, length=12)
    assert report.removal.channels_removed > 0
    assert report.shrunk.multiply_adds < report.dense.multiply_adds
    assert report.shrunk.parameters < report.dense.parameters
    small = rt.load(tmp_path / "small")
    whole = ticket.subnetwork(source).eval()
    inputs = texts(small, [3, 9, 1], 9)
    torch.testing.assert_close(small(inputs), whole(inputs), atol=1e-5, rtol=1e-4)
    again = rt.load_source(str(tmp_path / "small"))
    torch.testing.assert_close(again.network.eval()(inputs), small(inputs))
    rt.export(again, tmp_path / "small.onnx", rounds=3, length=12)
    given = load_artefact(tmp_path / "small.onnx").predict(inputs)
    torch.testing.assert_close(given, whole(inputs), atol=1e-4, rtol=1e-3)
