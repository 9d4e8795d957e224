"""Export: a network as it is, sparse or dense, into every form, without data; and existing zeros as a ticket."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

import robust_tickets as rt
from robust_tickets.shrinking.artefact import load_artefact
from tests.shared_data import SHARED, needs_shared
from tests.verbs.small import PARTS, QUICK, small_source

PREPROCESSING = rt.Pixels(mean=(0.5,) * 3, std=(0.25,) * 3, size=(8, 8))


def sparse_source(sparsity: float = 0.67) -> rt.Source:
    """A network that somebody else pruned: zeros in its weights and nothing else."""
    source = small_source()
    rt.draw(source, sparsity=sparsity).apply(source.network)
    return rt.load_source(source.network.body, preprocessing=PREPROCESSING)


def images() -> Tensor:
    return torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(3))


@torch.no_grad()
def expected(classifier: rt.Network) -> np.ndarray:
    return classifier.eval()(images()).numpy()


@pytest.mark.parametrize("form", ["model.onnx", "model.rtk", "folder/"])
def test_a_sparse_network_is_shipped_as_it_is(tmp_path: Path, form: str) -> None:
    source = sparse_source()
    before = source.network.plain_state()
    report = rt.export(source, f"{tmp_path}/{form}", rounds=3)
    zeros = sum(int((weight == 0).sum()) for weight in source.network.parameters())
    assert report.shrunk.parameters - report.shrunk.nonzero_parameters == zeros > 0.6 * report.shrunk.parameters
    assert f"{100 * zeros / report.shrunk.parameters:.0f} % of the parameters are zero" in report.sentence
    assert f"{report.shrunk.file_bytes / 1e6:.3g} MB" in report.sentence
    assert f"{report.shrunk.latency.median_ms:.3g} ms" in report.sentence
    logits = expected(source.network)
    found = load_artefact(tmp_path / form, like=source.network).predict(images()).numpy()
    np.testing.assert_allclose(found, logits, atol=1e-4 * logits.std())
    assert all(torch.equal(before[name], value) for name, value in source.network.plain_state().items())


def test_a_file_that_leaves_zeros_out_is_compared_with_the_same_network_in_onnx(tmp_path: Path) -> None:
    source = rt.load_source(rt.SourceSettings.model_validate({"name": "demo/resnet4", "weights": "random"}))
    rt.draw(source, sparsity=0.9).apply(source.network)
    report = rt.export(source.network, tmp_path / "model.rtk", rounds=3)
    assert report.ticket == report.dense
    assert report.dense.parameters == report.shrunk.parameters
    assert report.shrunk.file_bytes == (tmp_path / "model.rtk").stat().st_size < report.dense.file_bytes / 3
    assert report.sentence.count("dense in ONNX") == 1


def test_channels_that_are_zero_throughout_are_removed(tmp_path: Path) -> None:
    source = small_source()
    rt.draw(source, sparsity=0.5, group="channel").apply(source.network)
    report = rt.export(source.network, tmp_path / "model.onnx", rounds=3)
    assert (report.removal.channels_removed, report.removal.channels_kept) == (8, 4)  # 8 channels are too few to round
    assert report.shrunk.parameters < report.dense.parameters
    (logits,) = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(None, {"images": images().numpy()})
    np.testing.assert_allclose(logits, expected(source.network), atol=1e-4)


def test_a_dense_network_is_written_once_and_nothing_is_claimed(tmp_path: Path) -> None:
    source = small_source()
    with torch.no_grad():
        for name, parameter in source.network.body.named_parameters():
            if name.endswith("bias"):
                parameter.fill_(0.5)
    report = rt.export(source.network, tmp_path / "model.onnx", rounds=3)
    assert report.sentence.startswith("Written as it is: no parameter is zero; ")
    assert report.dense == report.shrunk == report.ticket
    assert "dense" not in report.sentence
    assert "smaller" not in report.sentence


def test_a_ticket_is_compared_with_its_dense_source_and_keeps_its_zeros(tmp_path: Path) -> None:
    settings = rt.SourceSettings.model_validate({"name": "demo/resnet4", "weights": "random"})
    rt.draw(settings, sparsity=0.8, folder=tmp_path / "ticket")
    report = rt.export(tmp_path / "ticket", f"{tmp_path}/small/", rounds=3)
    ticket = rt.Ticket.load(tmp_path / "ticket")
    assert report.dense.nonzero_parameters > 2 * report.shrunk.nonzero_parameters
    again = rt.Ticket.load(tmp_path / "small")
    assert again.sparsity == ticket.sparsity
    assert load_artefact(tmp_path / "small").provenance.ticket == ticket.digest
    report = rt.export(tmp_path / "small", tmp_path / "model.rtk", rounds=3)
    assert report.shrunk.nonzero_parameters < report.shrunk.parameters


def test_what_export_cannot_do_is_one_line(tmp_path: Path) -> None:
    source = small_source()
    with pytest.raises(rt.UserError, match="int8: needs data, but export reads none"):
        rt.export(source, tmp_path / "model.onnx", int8={})
    with pytest.raises(rt.UserError, match="recalibrate: needs data"):
        rt.export(source, tmp_path / "model.onnx", recalibrate=True)
    with pytest.raises(rt.UserError, match=r"model\.pt: its suffix does not say what to write"):
        rt.export(source, tmp_path / "model.pt")
    (tmp_path / "mine.onnx").write_text("not a network")
    with pytest.raises(rt.UserError, match=r"mine\.onnx: is a file that robust-tickets did not write"):
        rt.export(source, tmp_path / "mine.onnx")
    with pytest.raises(rt.UserError, match="nowhere: is not a ticket's folder, and as a network"):
        rt.export("nowhere", tmp_path / "model.onnx")
    rt.transfer(source, PARTS, folder=tmp_path / "runs", **{**QUICK, "seeds": (0,)})
    with pytest.raises(rt.UserError, match="runs: contains transfers; ship the best one with tickets shrink"):
        rt.export(tmp_path / "runs", tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_zeros_that_are_there_are_the_ticket(tmp_path: Path) -> None:
    source = sparse_source()
    ticket = rt.draw(source, score="zeros", folder=tmp_path / "ticket")
    state = source.network.plain_state()
    assert all(torch.equal(ticket.masks[name], state[name] != 0) for name in ticket.prunable)
    assert (ticket.init, ticket.sparsity) == ("source", ticket.target)
    assert rt.draw(source, score="zeros", sparsity=round(ticket.sparsity, 4)).digest == ticket.digest
    assert all(torch.equal(value, state[name]) for name, value in ticket.subnetwork(source).plain_state().items())
    result = rt.transfer(ticket, PARTS, **QUICK)
    for run in result.runs:
        for name, mask in ticket.masks.items():
            assert not run.network.body.get_parameter(name)[~mask].any()
    with pytest.raises(rt.UserError, match=r"score 'zeros' fixes sparsity at 0\.6[0-9]+; 0\.9 was asked for"):
        rt.draw(source, score="zeros", sparsity=0.9)
    with pytest.raises(rt.UserError, match="there is nothing to adopt; draw by magnitude instead"):
        rt.draw(small_source(), score="zeros")
    with pytest.raises(rt.UserError, match="score 'zeros' ranks weights as they are before training"):
        rt.draw(source, score="zeros", data=PARTS, timeline={"kind": "one-shot", "epochs": 1})


def test_what_nobody_says_is_ninety_per_cent_and_what_a_part_says_holds() -> None:
    def sparsities(**values: object) -> tuple[float | None, ...]:
        return rt.DrawSettings.model_validate(values).sparsities

    assert sparsities() == (0.9,)
    assert sparsities(timeline="iterative") == (0.9,)
    assert sparsities(timeline={"kind": "iterative", "rounds": 5}) == (None,)
    assert sparsities(group="n-m") == (0.5,)
    assert sparsities(score="zeros") == (None,)
    assert sparsities(score="zeros", sparsity=0.3) == (0.3,)


@pytest.mark.slow
@needs_shared
def test_a_real_network_with_published_zeros_needs_no_data(tmp_path: Path) -> None:
    """SqueezeNet at a third of its weights, as Deep Compression publishes it; here by magnitude."""
    assert SHARED is not None
    preprocessing = {"mean": [0.482, 0.459, 0.408], "std": [1 / 255] * 3, "size": [227, 227]}
    weights = str(SHARED / "weights" / "squeezenet1_1_imagenet.safetensors")
    values = {"name": "torchvision/squeezenet1_1", "weights": weights, "preprocessing": preprocessing}
    source = rt.load_source(rt.SourceSettings.model_validate(values))
    rt.draw(source, sparsity=0.67).apply(source.network)
    report = rt.export(source.network, tmp_path / "squeezenet.rtk", rounds=5)
    assert report.shrunk.file_bytes < 0.55 * report.dense.file_bytes
    taken = rt.draw(source.network, score="zeros")
    assert taken.sparsity == pytest.approx(0.67, abs=0.01)
