"""What shrink writes beside an ONNX file: folders that are sources, leftover masks, 8-bit files, recalibrated norms."""

import shutil
from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import robust_tickets as rt
from robust_tickets.findings.exported import exported_section
from robust_tickets.measures.accuracy import correctness
from robust_tickets.shrinking.artefact import load_artefact
from robust_tickets.shrinking.removal import RemovalCounts, remove_channels
from robust_tickets.shrinking.shrink import ShrinkReport, Shrunken
from robust_tickets.verbs.exported import provenance_of
from robust_tickets.verbs.shrink import save_folder
from tests.verbs.small import PARTS, QUICK, THOROUGH, small_source, times

ONCE = {"training": THOROUGH, "seeds": (0,)}


def validation() -> tuple[Tensor, Tensor]:
    part = PARTS["validation"]
    return part.images, part.labels


def write(result: rt.Transfer, folder: Path) -> RemovalCounts:
    """Do what shrink does for a folder, without the ONNX files and the times."""
    run, ticket = result.best, result.ticket
    assert ticket is not None
    network = run.network
    images = torch.zeros(1, 3, *network.interface.size)
    removal = remove_channels(network.body, ticket.masks, images)
    smaller = rt.Network(removal.body, network.interface, network.head)
    write = save_folder(folder, ticket, result.source.identity, provenance=provenance_of(result, run))
    write(Shrunken(smaller, network.cpu(), removal.masks))
    return removal.counts


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("forms")


@pytest.fixture(scope="module")
def result(place: Path) -> rt.Transfer:
    settings = {"name": "cifar/resnet8-x0.5", "weights": "random", "num_classes": 3, "preprocessing": {"size": 8}}
    source = rt.load_source(rt.SourceSettings.model_validate(settings))
    ticket = rt.draw(source, sparsity=0.4, group="channel")
    return rt.transfer(ticket, PARTS, folder=place / "runs", **ONCE)


@pytest.fixture(scope="module")
def folder(result: rt.Transfer, place: Path) -> Path:
    report = rt.shrink(result, place / "small", folder=place / "shrink", rounds=3, round_to=1)
    assert report.kind == "channels"
    assert report.shrunk.parameters < 0.75 * report.dense.parameters
    return place / "small"


@pytest.fixture(scope="module")
def mixed(folder: Path, place: Path) -> tuple[rt.Transfer, Path]:
    """Channels are gone, and nine in ten of the weights that are left are zero."""
    ticket = rt.draw(folder, sparsity=0.9)
    transferred = rt.transfer(ticket, PARTS, folder=place / "mixed-runs", head="keep", **ONCE)
    write(transferred, place / "mixed")
    return transferred, place / "mixed"


@torch.no_grad()
def test_a_folder_is_the_run_without_its_zero_channels(result: rt.Transfer, folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["origin.json", "source.json", "weights.safetensors"]
    network = rt.load(folder)
    expected = result.best.network.cpu().eval()(validation()[0])
    assert torch.allclose(network(validation()[0]), expected, atol=1e-4 * float(expected.std()))
    assert sum(p.numel() for p in network.parameters()) < sum(p.numel() for p in result.best.network.parameters())


def test_a_folder_is_verified_beside_its_run(result: rt.Transfer, folder: Path) -> None:
    exported = rt.verify(result, exported=folder).exported
    assert exported is not None
    assert [row.measure for row in exported.rows] == ["accuracy"]
    assert not exported_section(exported).text  # no attack was made, so none is told of
    assert abs(exported.rows[0].file - exported.rows[0].network) <= 1 / 45 + 1e-9
    other = rt.transfer(small_source(), PARTS, **QUICK)
    with pytest.raises(rt.UserError, match=r"small: was made from another transfer"):
        rt.verify(other, exported=folder)


def test_what_was_written_is_not_written_again(result: rt.Transfer, folder: Path, place: Path) -> None:
    written = times(place)
    assert rt.shrink(result, folder, folder=place / "shrink", rounds=3, round_to=1).kind == "channels"
    assert times(place) == written


def test_zeros_that_are_left_stay_zeros_wherever_the_folder_goes(
    mixed: tuple[rt.Transfer, Path], tmp_path: Path
) -> None:
    transferred, folder = mixed
    shutil.copytree(folder, tmp_path / "elsewhere")
    ticket = rt.Ticket.load(tmp_path / "elsewhere")
    assert transferred.ticket is not None
    assert ticket.sparsity == transferred.sparsity == pytest.approx(0.9, abs=1e-3)
    assert transferred.sparsity == transferred.ticket.sparsity
    further = rt.transfer(tmp_path / "elsewhere", PARTS, folder=tmp_path / "runs", **ONCE)
    assert further.sparsity == ticket.sparsity
    weights = further.best.network.body.state_dict()
    trained = rt.load(folder).body.state_dict()
    for name, mask in ticket.masks.items():
        assert not weights[name][~mask].any()
        assert not torch.equal(weights[name][mask], trained[name][mask])
    assert rt.load_transfer(tmp_path / "runs", data=PARTS).sparsity == ticket.sparsity


def test_channels_that_die_later_are_cut_out_of_the_masks_too(folder: Path, tmp_path: Path) -> None:
    """Element masks that happen to hold whole channels: the rest of them survives removal, bit for bit."""
    source = rt.load_source(folder)
    elements, channels = rt.draw(source, sparsity=0.5), rt.draw(source, sparsity=0.3, group="channel")
    both = {name: mask & elements.masks.get(name, torch.ones_like(mask)) for name, mask in channels.masks.items()}
    ticket = rt.Ticket(both, channels.prunable, channels.source, recipe=channels.recipe, network=source)
    transferred = rt.transfer(ticket, PARTS, head="keep", **ONCE)
    assert write(transferred, tmp_path / "both").channels_removed > 0
    left = rt.Ticket.load(tmp_path / "both")
    network = rt.load(tmp_path / "both")
    assert 0.2 < left.sparsity < ticket.sparsity
    for name, mask in left.masks.items():
        weight = network.body.get_parameter(name)
        assert weight.shape == mask.shape
        assert not weight[~mask].any()
    kept = sum(int(mask.sum()) for name, mask in left.masks.items() if name in left.prunable)
    # What is kept of weights that read only removed channels is gone with them, nothing else.
    assert kept <= sum(int(both[name].sum()) for name in ticket.prunable)
    nonzero = sum(int(network.body.get_parameter(name).count_nonzero()) for name in left.prunable)
    assert nonzero == kept


@pytest.fixture(scope="module")
def forms(result: rt.Transfer, place: Path) -> ShrinkReport:
    return rt.shrink(result, place / "model.onnx", rounds=3, round_to=1, recalibrate=True, int8={"images": 40})


def test_every_form_is_checked_on_validation(forms: ShrinkReport, result: rt.Transfer, place: Path) -> None:
    images, labels = validation()
    predicts = [
        result.best.network.cpu().eval(),
        load_artefact(place / "model.onnx").predict,
        load_artefact(place / "model-int8.onnx").predict,
    ]
    with torch.no_grad():
        logits = [predict(images) for predict in predicts]
    assert [check.form for check in forms.checks] == ["ticket", "model.onnx", "model-int8.onnx"]
    for check, found in zip(forms.checks, logits, strict=True):
        assert check.value == pytest.approx(correctness(found, labels).double().mean().item())
        assert check.images == 30
    for check, before, after in zip(forms.checks[1:], logits, logits[1:], strict=False):
        assert check.agreement == pytest.approx((before.argmax(1) == after.argmax(1)).double().mean().item())
    assert forms.checks[-1].agreement > 0.9
    assert "Accuracy on 30 validation images: ticket " in forms.sentence
    assert forms.int8 is not None
    assert forms.int8.file_bytes == (place / "model-int8.onnx").stat().st_size
    assert forms.int8.latency.median_ms > 0
    assert f"in 8 bits {forms.int8.file_bytes / 1e6:.3g} MB, " in forms.sentence
    assert f"{forms.int8.latency.speedup:.2f} times the speed of dense" in forms.sentence
    assert ShrinkReport.model_validate_json(forms.model_dump_json()) == forms


def test_a_folder_that_holds_something_else_is_not_written_over(result: rt.Transfer, tmp_path: Path) -> None:
    """A ticket drawn, a transfer, a source: the name of one is easily given for the name of the smaller network."""
    assert result.ticket is not None
    result.ticket.save(tmp_path / "ticket")
    before = {path.name: path.read_bytes() for path in (tmp_path / "ticket").iterdir()}
    with pytest.raises(rt.UserError, match=r"ticket: contains something else \(ticket.json\), which would be lost"):
        rt.shrink(result, f"{tmp_path / 'ticket'}/", rounds=3)
    assert {path.name: path.read_bytes() for path in (tmp_path / "ticket").iterdir()} == before
    with pytest.raises(rt.UserError, match="out: is empty; give a name"):
        rt.shrink(result, "", rounds=3)


def test_a_folder_written_over_a_sparse_one_has_no_masks_of_the_old(
    result: rt.Transfer, mixed: tuple[rt.Transfer, Path], tmp_path: Path
) -> None:
    shutil.copytree(mixed[1], tmp_path / "over")
    assert (tmp_path / "over" / "ticket.json").exists()
    (tmp_path / "over" / "notes.txt").write_text("mine")
    write(result, tmp_path / "over")
    assert not (tmp_path / "over" / "ticket.json").exists()
    assert not (tmp_path / "over" / "masks.safetensors").exists()
    assert (tmp_path / "over" / "notes.txt").read_text() == "mine"
    assert rt.load(tmp_path / "over").num_classes == 3


@torch.no_grad()
def test_recalibration_takes_the_averages_of_the_training_images(
    forms: ShrinkReport, folder: Path, place: Path
) -> None:
    assert forms.removal.max_difference < 1e-5  # found exact before statistics were changed
    network, images = rt.load(folder), validation()[0]
    before = network(images)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0  # one batch of all training images: its averages alone
    network.train()(PARTS["train"].images)
    expected = network.eval()(images)
    assert (expected - before).abs().max() > 0.01 * before.std()
    logits = load_artefact(place / "model.onnx").predict(images)
    assert torch.allclose(logits, expected, atol=1e-3 * float(expected.std()))


def test_the_8_bit_file_is_verified_and_takes_any_batch(result: rt.Transfer, forms: ShrinkReport, place: Path) -> None:
    exported = rt.verify(result, exported=place / "model-int8.onnx").exported
    assert exported is not None
    assert exported.rows[0].file == pytest.approx(exported.rows[0].network, abs=0.1)
    session = onnxruntime.InferenceSession(place / "model-int8.onnx", providers=["CPUExecutionProvider"])
    for batch in (1, 3, 8):
        assert session.run(None, {"images": validation()[0][:batch].numpy()})[0].shape == (batch, 3)  # pyright: ignore


def test_what_cannot_be_is_refused_before_anything_is_written(result: rt.Transfer, tmp_path: Path) -> None:
    with pytest.raises(rt.UserError, match="int8: an 8-bit file is written next to an ONNX file"):
        rt.shrink(result, tmp_path / "small", int8={})
    with pytest.raises(rt.UserError, match=r"model\.onx: its suffix does not say what to write; end it in \.onnx"):
        rt.shrink(result, tmp_path / "model.onx")
    data = rt.DataSettings(name="digits", validation=0, fraction=0.05)
    alone = rt.transfer(small_source(channels=1), data, **QUICK)
    with pytest.raises(rt.UserError, match="the validation part is empty, on which recalibrate is checked"):
        rt.shrink(alone, tmp_path / "model.onnx", recalibrate=True)
    assert list(tmp_path.iterdir()) == []
