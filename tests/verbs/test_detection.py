"""Detection: a ticket under a detector, trained, attacked, verified on mAP, shrunk and exported."""

import copy
import json
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from torchmetrics.detection import MeanAveragePrecision

import robust_tickets as rt
from robust_tickets.data.batches import batches
from robust_tickets.foundation.files import read_json
from robust_tickets.models.folders import load_folder
from robust_tickets.shrinking.artefact import load_artefact
from tests.commands import Tickets
from tests.scenes import coco_folder, voc_folder

FCOS = {"kind": "detection", "head": "fcos", "width": 64, "frozen_norm": False}
TRAINING = {
    "epochs": 2,
    "batch_size": 4,
    "precision": "fp32",
    "optimiser": {"kind": "adamw", "lr": 0.003},
    "warmup": 0,
}
LONG = {**TRAINING, "epochs": 12, "validate_every": 12}
TOY = (
    "--sparsity 0.5 --set sources.letters.pretrain.data.glyphs.count=520 "
    "--set sources.letters.pretrain.training.epochs=1 "
    "--set data.scenes.count=32 --set data.scenes.size=32 --set transfers.full.training.epochs=1 "
    "--set transfers.full.training.validate_every=1 --set transfers.full.seeds=[0,1] --set shrink.rounds=3"
)
PGD = {"threat": {"epsilon": "8/255", "steps": 3}, "limit": 6}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> rt.DataSettings:
    return rt.DataSettings(name=str(coco_folder(tmp_path_factory.mktemp("boxes") / "data")))


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return rt.load_source(rt.SourceSettings(name="demo/resnet4", weights="random"))


@pytest.fixture(scope="module")
def ticket(source: rt.Source) -> rt.Ticket:
    return rt.draw(source, sparsity=0.3, group="channel", scope="layer")


@pytest.fixture(scope="module")
def trained(ticket: rt.Ticket, data: rt.DataSettings, tmp_path_factory: pytest.TempPathFactory) -> rt.Transfer:
    folder = tmp_path_factory.mktemp("trained")
    return rt.transfer(ticket, data, task=FCOS, training=LONG, seeds=(0, 1), folder=folder)


def test_it_learns_and_says_map(trained: rt.Transfer) -> None:
    """Two blobs of one colour each on noise: after a few epochs many are found; without training next to none is."""
    for run in trained.runs:
        assert run.validation is not None
        assert run.validation > 0.12
        assert run.folder is not None
        row = json.loads((run.folder / "metrics.jsonl").read_text().splitlines()[-1])
        assert row["validation_map"] == run.validation
        assert not any("accuracy" in key for key in row)
        loaded, identity = load_folder(run.folder)
        assert identity.adaptation is not None
        assert identity.adaptation.model_dump()["head"] == "fcos"
        assert loaded.plain_state().keys() == run.network.plain_state().keys()


def test_the_verdict_is_torchmetrics_map_of_the_test_set_and_of_it_under_attack(trained: rt.Transfer) -> None:
    verdict = rt.verify(trained, robustness=PGD)
    assert verdict.score == "mAP"
    assert "mAP" in verdict.sentence()
    assert "accuracy" not in verdict.sentence()
    run = trained.runs[0]
    accumulator = MeanAveragePrecision(backend="faster_coco_eval")
    for batch in batches(run.data.test, batch_size=256, seed=0, train=False):
        with torch.no_grad():
            accumulator.update(run.network.eval()(batch.inputs).detections(), batch.targets)
    found = accumulator.compute()
    assert verdict.ticket_runs[0].standard == pytest.approx(float(found["map"]), abs=1e-6)
    assert run.folder is not None
    (kept,) = [read_json(path / "result.json") for path in run.folder.glob("test-clean-*")]
    assert kept["map_50"] == pytest.approx(float(found["map_50"]), abs=1e-6)
    assert set(kept["map_of"]) == {"blue", "red"}
    robust = [one.robust for one in verdict.ticket_runs]
    standard = [one.standard for one in verdict.ticket_runs]
    assert all(under is not None and under < clean for under, clean in zip(robust, standard, strict=True))


def test_an_attack_drives_the_losses_up_within_its_ball(trained: rt.Transfer) -> None:
    run = trained.runs[0]
    network = copy.deepcopy(run.network).eval()
    batch = next(iter(batches(run.data.test, batch_size=4, seed=0, train=False)))
    aim = run.task.criterion(0.0).aim
    with torch.no_grad():
        before = network(batch.inputs).per_image(batch.targets)
    images = batch.inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(aim.loss(network(images), batch.targets).sum(), images)
    with torch.no_grad():
        after = network((batch.inputs + 4 / 255 * gradient.sign()).clamp(0, 1)).per_image(batch.targets)
    assert bool((after > before).all())


def test_adversarial_training_of_a_detector(ticket: rt.Ticket, data: rt.DataSettings) -> None:
    objective = {"kind": "pgd", "threat": {"epsilon": "2/255", "steps": 1}}
    result = rt.transfer(ticket, data, task=FCOS, training={**TRAINING, "objective": objective}, seeds=(0,))
    plain = rt.transfer(ticket, data, task=FCOS, training=TRAINING, seeds=(0,))
    ours, theirs = (one.runs[0].network.plain_state() for one in (result, plain))
    assert any(not torch.equal(value, theirs[name]) for name, value in ours.items())


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "label smoothing": (
        {"training": {**TRAINING, "label_smoothing": 0.1}},
        "training.label_smoothing: 0.1 has no meaning for boxes",
    ),
    "trades": (
        {"training": {**TRAINING, "objective": {"kind": "trades"}}},
        "training.objective: TRADES .* needs logits, which detection does not have; use standard or pgd",
    ),
    "a narrow pyramid": ({"task": {**FCOS, "width": 32}}, "task.width: should be greater than or equal to 64"),
    "an unknown head": ({"task": {"kind": "detection", "head": "yolo"}}, "task.head: "),
    "its own head": ({"head": "keep"}, "head: keep: .* has boxes around objects; use head: fresh"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_does_not_go_with_boxes_is_refused_before_training(
    why: str, source: rt.Source, data: rt.DataSettings, tmp_path: Path
) -> None:
    changes, said = REFUSED[why]
    with pytest.raises(rt.UserError, match=said) as caught:
        rt.transfer(source, data, **{"task": FCOS, "training": TRAINING, **changes}, folder=tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"robustness": {**PGD, "attack": "autoattack"}}, "autoattack"),
        ({"measures": ["calibration"]}, "calibration"),
    ],
)
def test_attacks_and_measures_that_need_logits_are_refused_by_name(
    trained: rt.Transfer, asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(rt.UserError, match=said) as caught:
        rt.verify(trained, **asked)
    assert "\n" not in str(caught.value)


def test_shrunk_its_file_answers_as_the_network_and_is_verified(trained: rt.Transfer, tmp_path: Path) -> None:
    report = rt.shrink(trained, tmp_path / "model.onnx", rounds=3)
    assert report.removal.channels_removed > 0
    assert ".rtk" not in report.sentence
    kept = {one.name for one in report.kept}
    assert not any(name.startswith("backbone.body") and "conv1" in name for name in kept)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_outputs()] == ["boxes", "scores"]
    network = trained.best.network.eval()
    file = load_artefact(tmp_path / "model.onnx", like=network)
    batch = next(iter(batches(trained.best.data.test, batch_size=4, seed=0, train=False)))
    with torch.no_grad():
        expected = network(batch.inputs).detections()
    for ours, theirs in zip(file.predict(batch.inputs).detections(), expected, strict=True):
        torch.testing.assert_close(ours["scores"], theirs["scores"], atol=1e-4, rtol=1e-3)
        assert torch.equal(ours["labels"], theirs["labels"])
    said = r"gives boxes and scores, but logits are needed here; measure it with tickets verify RUN --exported FILE"
    with pytest.raises(rt.UserError, match=said):
        rt.evaluate(tmp_path / "model.onnx", trained.data)
    exported = rt.verify(trained, exported=tmp_path / "model.onnx")
    assert exported is not None


def test_what_cannot_be_shipped_is_refused_by_name(trained: rt.Transfer, tmp_path: Path) -> None:
    with pytest.raises(rt.UserError, match="FCOSNetwork cannot become a runtime file: it gives boxes and scores"):
        rt.shrink(trained, tmp_path / "model.rtk", rounds=3)
    with pytest.raises(rt.UserError, match="int8: what that changes is checked logit by logit"):
        rt.shrink(trained, tmp_path / "model.onnx", rounds=3, int8={})
    assert list(tmp_path.iterdir()) == []


def test_a_two_stage_detector_transfers_and_is_refused_by_name_as_a_file(source: rt.Source, tmp_path: Path) -> None:
    data = rt.DataSettings(name=str(voc_folder(tmp_path / "data")))
    task = {"kind": "detection", "width": 64}
    result = rt.transfer(source, data, task=task, training=TRAINING, seeds=(0,))
    assert rt.verify(result, margin=0.5).score == "mAP"
    others = coco_folder(tmp_path / "others")
    for path in (others / "annotations").iterdir():
        content = json.loads(path.read_text())
        content["categories"][0]["id"], content["categories"][1]["id"] = 7, 3
        path.write_text(json.dumps(content))
    with pytest.raises(rt.UserError, match=r"has its classes in a different order .* cannot be reordered"):
        rt.evaluate(result, others)
    with pytest.raises(rt.UserError, match=r"FasterRCNNNetwork cannot be exported: which regions .*use head retinanet"):
        rt.shrink(result, tmp_path / "model.onnx", rounds=3)


def test_the_command_line_from_boxes_to_a_verdict(
    data: rt.DataSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = "--set task.kind=detection --set task.head=ssdlite --set training.epochs=1 --set training.batch_size=4"
    tickets, run = Tickets(capsys, monkeypatch), tmp_path / "run"
    made = tickets(f"transfer demo/resnet4 --weights random -d {data.name} -o {run} {options} --set seeds=[0,1]")
    assert made.code == 0, made.err
    for command in (f"verify {run}", f"evaluate {run} -d {data.name}"):
        done = tickets(command)
        assert done.code == 0, done.err
        assert "mAP" in done.out
    refused = tickets(f"predict {run} {data.name}/test2017/test0.png")
    assert "finds objects; tickets predict is for networks that label images" in refused.complaint


def test_the_recipe_runs_offline_from_start_to_finish(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = Tickets(capsys, monkeypatch)(f"run detection -o {tmp_path / 'run'} {TOY}")
    assert ran.code == 0, ran.err
    assert "mAP" in ran.out
    assert "accuracy" not in ran.out
    assert (tmp_path / "run" / "report.html").is_file()
    session = onnxruntime.InferenceSession(tmp_path / "run" / "draw.onnx", providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_outputs()] == ["boxes", "scores"]
    assert not (tmp_path / "run" / "draw.rtk").exists()
