"""Segmentation: a ticket under a head that labels pixels, trained, resumed, verified on mIoU, exported."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

import robust_tickets as rt
from robust_tickets.data.batches import batches
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.files import read_json
from robust_tickets.measures.mean_iou import MeanIoU, mean_iou
from robust_tickets.models.folders import load_folder
from robust_tickets.training.loop import TrainingLoop
from tests.shapes import VOID, shapes_folder
from tests.shared_data import SHARED, needs_shared
from tests.verbs.small import small_source, times

FCN = {"kind": "segmentation", "head": "fcn"}
TRAINING = {
    "epochs": 2,
    "batch_size": 8,
    "precision": "fp32",
    "optimiser": {"kind": "adamw", "lr": 0.003},
    "head_lr": 0.01,
    "schedule": {"kind": "poly"},
    "checkpoint_seconds": 0,
}
LONG = {**TRAINING, "epochs": 8, "validate_every": 8}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> rt.DataSettings:
    return rt.DataSettings(name=str(shapes_folder(tmp_path_factory.mktemp("shapes"))), ignore=(VOID,))


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return rt.load_source(rt.SourceSettings(name="demo/resnet4", weights="random"))


@pytest.fixture(scope="module")
def ticket(source: rt.Source) -> rt.Ticket:
    return rt.draw(source, sparsity=0.5)


@pytest.fixture(scope="module")
def trained(ticket: rt.Ticket, data: rt.DataSettings, tmp_path_factory: pytest.TempPathFactory) -> rt.Transfer:
    folder = tmp_path_factory.mktemp("trained")
    return rt.transfer(ticket, data, task=FCN, training=LONG, seeds=(0, 1), folder=folder)


def trivial(data: rt.DataSettings) -> float:
    """Return the mIoU on test of the class that most training pixels have."""
    splits = rt.load_data(data)
    ((_, labels),) = batches(splits.train, batch_size=256, seed=0, train=False)
    most = int(labels[labels >= 0].bincount().argmax())

    def predict(images: torch.Tensor) -> torch.Tensor:
        return torch.eye(3)[most].reshape(1, 3, 1, 1).expand(len(images), 3, *images.shape[2:])

    (matrix,) = MeanIoU(splits.classes).measured(predict, batches(splits.test, batch_size=256, seed=0, train=False))
    return mean_iou(matrix)


def test_it_learns_and_removed_weights_stay_zero(
    trained: rt.Transfer, ticket: rt.Ticket, data: rt.DataSettings
) -> None:
    for run in trained.runs:
        assert run.validation is not None
        assert run.validation > trivial(data) + 0.05
        state = run.network.plain_state()
        for name, mask in ticket.masks.items():
            weight = state[f"backbone.{name}"]
            assert bool((weight[~mask] == 0).all())
            assert not bool((weight[mask] == 0).any())


def test_metrics_and_results_say_miou(trained: rt.Transfer) -> None:
    folder = trained.runs[0].folder
    assert folder is not None
    row = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    assert row["validation_miou"] == trained.runs[0].validation
    assert not any("accuracy" in key for key in row)
    # 24 steps, of which the default warm-up takes 3.
    assert row["lr"] == pytest.approx(0.003 * (1 / 21) ** 0.9)
    loaded, identity = load_folder(folder)
    assert identity.adaptation is not None
    assert loaded.plain_state().keys() == trained.runs[0].network.plain_state().keys()


def test_a_killed_transfer_ends_bit_for_bit_alike(
    ticket: rt.Ticket, data: rt.DataSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"task": FCN, "training": TRAINING, "seeds": (0,)}
    whole = rt.transfer(ticket, data, **options)
    train_step = TrainingLoop.train_step

    def killed(loop: TrainingLoop, batch: Batch) -> None:
        if loop.trainee.step == 4:
            raise KeyboardInterrupt
        train_step(loop, batch)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingLoop, "train_step", killed)
        with pytest.raises(KeyboardInterrupt):
            rt.transfer(ticket, data, **options, folder=tmp_path)
    assert (tmp_path / "seed-0" / "checkpoint.pt").exists()
    resumed = rt.transfer(ticket, data, **options, folder=tmp_path)
    ours, theirs = (one.runs[0].network.plain_state() for one in (resumed, whole))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    before = times(tmp_path)
    again = rt.transfer(ticket, data, **options, folder=tmp_path).runs[0]
    assert times(tmp_path) == before
    assert all(torch.equal(value, theirs[name]) for name, value in again.network.plain_state().items())


def test_verdict_is_on_the_miou_of_the_whole_test_set(trained: rt.Transfer, data: rt.DataSettings) -> None:
    attack = {"threat": {"epsilon": "8/255", "steps": 2}, "limit": 6}
    verdict = rt.verify(trained, robustness=attack)
    assert verdict.score == "mIoU"
    assert "mIoU. " in verdict.sentence()
    assert "accuracy" not in verdict.sentence()
    assert verdict.standard.test_interval is not None
    assert verdict.standard.examples == len(trained.runs[0].data.test)
    assert verdict.ticket_runs[0].interval is None
    run = trained.runs[0]
    assert run.folder is not None
    (kept,) = [read_json(path / "result.json") for path in run.folder.glob("test-clean-*")]
    assert kept["miou"] == verdict.ticket_runs[0].standard
    assert list(kept["iou"]) == ["0", "1", "2"]
    images, labels = next(iter(batches(run.data.test, batch_size=256, seed=0, train=False)))
    assert sum(int(count) for row in kept["confusion"] for count in row.split()) == int((labels >= 0).sum())
    with torch.no_grad():
        given = run.network.eval()(images).argmax(1)
    ious = [
        float(((given == c) & (labels == c)).sum() / (((given == c) & (labels >= 0)) | (labels == c)).sum())
        for c in range(3)
    ]
    assert verdict.ticket_runs[0].standard == pytest.approx(np.mean(ious), abs=1e-6)
    assert all(one.robust is not None and one.robust < one.standard for one in verdict.dense_runs)
    before = times(run.folder)
    assert rt.verify(trained, robustness=attack) == verdict
    assert times(run.folder) == before


@pytest.mark.parametrize("bn", ["source", "batch"])
def test_linear_trains_the_whole_head_and_nothing_else(
    ticket: rt.Ticket, data: rt.DataSettings, source: rt.Source, bn: str
) -> None:
    result = rt.transfer(ticket, data, mode="linear", bn=bn, task=FCN, training=TRAINING, seeds=(0,))
    state, start = result.runs[0].network.plain_state(), ticket.subnetwork(source).plain_state()
    moved = {name for name, value in start.items() if not torch.equal(state.get(f"backbone.{name}", value), value)}
    assert all("running" in name or "num_batches" in name for name in moved)
    assert bool(moved) == (bn == "batch")
    # Its own batch norm, behind the frozen backbone, follows the target.
    assert int(state["classifier.1.num_batches_tracked"]) == 6


def test_adversarial_training_and_selection(ticket: rt.Ticket, data: rt.DataSettings) -> None:
    training = {**TRAINING, "epochs": 1, "keep": "best", "objective": {"kind": "fgsm-rs", "epsilon": "4/255"}}
    result = rt.transfer(ticket, data, task=FCN, training=training, seeds=(0,))
    assert result.runs[0].validation is not None


def test_a_channel_ticket_is_shrunk_and_exported(data: rt.DataSettings, tmp_path: Path) -> None:
    ticket = rt.draw(small_source(), sparsity=0.5, group="channel", scope="layer")
    result = rt.transfer(ticket, data, task=FCN, training={**TRAINING, "epochs": 1}, seeds=(0,))
    report = rt.shrink(result, tmp_path / "small.onnx", rounds=3, round_to=1)
    assert report.kind == "channels"
    assert report.removal.channels_removed == 12
    images = torch.rand(2, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(tmp_path / "small.onnx", providers=["CPUExecutionProvider"])
    logits = torch.from_numpy(session.run(None, {"images": images.numpy()})[0])
    with torch.no_grad():
        torch.testing.assert_close(logits, result.runs[0].network.eval()(images), atol=1e-4, rtol=1e-4)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "keep": ({"head": "keep"}, "head: keep: demo/resnet4 labels whole images, but shapes"),
    "mixup": ({"training": {**TRAINING, "mixup": 0.2}}, r"training\.mixup: mixes the labels of whole images"),
    "one image": (
        {"training": {**TRAINING, "accumulate": 8}, "task": {"kind": "segmentation", "head": "deeplabv3"}},
        "leaves one image alone, for which a batch norm of this network has only one value per channel",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_does_not_fit_is_told(ticket: rt.Ticket, data: rt.DataSettings, why: str) -> None:
    options, complaint = REFUSED[why]
    with pytest.raises(rt.UserError, match=complaint) as caught:
        rt.transfer(ticket, data, **{"seeds": (0,), **options})
    assert "\n" not in str(caught.value)


def test_a_draw_may_train_on_pixels_and_has_the_sources_names(
    source: rt.Source, data: rt.DataSettings, tmp_path: Path
) -> None:
    """The backbone is pruned under a head for pixels; the ticket is one of the source, for any task."""
    drawing: dict[str, Any] = {
        "sparsity": 0.5,
        "timeline": {"kind": "gradual", "initial": 0.1, "start": 0, "end": 2, "every": 0.5, "epochs": 3},
        "rewind": "none",
        "head": "fresh",
        "task": {"kind": "segmentation", "head": "deeplabv3"},
        "training": TRAINING,
    }
    ticket = rt.draw(source, data=data, folder=tmp_path / "ticket", **drawing)
    assert set(ticket.masks) == set(ticket.prunable) <= set(source.network.plain_state())
    assert ticket.sparsity == pytest.approx(0.5, abs=1e-3)
    assert ticket.stored is not None
    assert ticket.stored.keys() == source.network.plain_state().keys()
    for name, mask in ticket.masks.items():
        assert bool((ticket.stored[name][~mask] == 0).all())
        assert not torch.equal(ticket.stored[name], source.network.plain_state()[name] * mask)
    head = [name for name in ticket.stored if name.startswith(f"{source.network.head}.")]
    assert head
    assert all(torch.equal(ticket.stored[name], source.network.plain_state()[name]) for name in head)
    again = rt.Ticket.load(tmp_path / "ticket").with_network(source)
    assert again.digest == ticket.digest
    (run,) = rt.transfer(again, data, task=FCN, training=TRAINING, seeds=(0,)).runs
    state = run.network.plain_state()
    assert all(bool((state[f"backbone.{name}"][~mask] == 0).all()) for name, mask in ticket.masks.items())
    (run,) = rt.transfer(again, "digits", training={**TRAINING, "schedule": "cosine"}, seeds=(0,)).runs
    assert all(bool((run.network.plain_state()[name][~mask] == 0).all()) for name, mask in ticket.masks.items())


@pytest.mark.parametrize("drawing", [{"score": "snip"}, {"timeline": {"kind": "iterative", "rate": 0.5}}])
def test_statistics_under_masks_are_the_sources(
    source: rt.Source, data: rt.DataSettings, drawing: dict[str, Any]
) -> None:
    """A head for pixels has norms of its own, which the source does not know."""
    ticket = rt.draw(source, sparsity=0.5, data=data, recalibrate=data, head="fresh", training=TRAINING, **drawing)
    assert ticket.statistics is not None
    names = {name for name in source.network.plain_state() if "running_" in name}
    assert names <= ticket.statistics.keys() <= source.network.plain_state().keys()


def test_a_source_that_labels_pixels_keeps_its_head_in_a_ticket_drawn_for_other_classes(
    source: rt.Source, data: rt.DataSettings, tmp_path: Path
) -> None:
    made = rt.pretrain(source, data, folder=tmp_path / "made", **{**TRAINING, "epochs": 1})
    other = rt.DataSettings(name=str(shapes_folder(tmp_path / "shapes")))
    ticket = rt.draw(
        made, data=other, head="fresh", sparsity=0.5, training=TRAINING, timeline={"kind": "iterative", "rate": 0.5}
    )
    assert made.network.num_classes != len(rt.load_data(other).classes)
    ticket.subnetwork(made)
    rt.transfer(ticket, other, training=TRAINING, seeds=(0,))


def test_images_too_small_for_a_backbone_are_told(data: rt.DataSettings) -> None:
    alexnet = rt.load_source(rt.SourceSettings(name="torchvision/alexnet", weights="random", num_classes=5))
    with pytest.raises(rt.UserError, match=r"Output size is too small.*; give a larger data\.size$") as caught:
        rt.transfer(alexnet, data, task=FCN, training=TRAINING, seeds=(0,))
    assert "\n" not in str(caught.value)


def test_weights_that_only_the_classifier_has_are_told(tmp_path: Path) -> None:
    """AlexNet's linear layers have no part in labelling pixels."""
    data = rt.DataSettings(name=str(shapes_folder(tmp_path / "shapes")), ignore=(VOID,), size=(64, 64))
    alexnet = rt.load_source(rt.SourceSettings(name="torchvision/alexnet", weights="random", num_classes=5))
    ticket = rt.draw(
        alexnet, data=data, head="fresh", sparsity=0.5, training=TRAINING, timeline={"kind": "iterative", "rate": 0.5}
    )
    assert ticket.left_out["classifier.1.weight"] == "not in the network that trains"


def test_channels_are_drawn_under_a_head_for_pixels(source: rt.Source, data: rt.DataSettings) -> None:
    drawing: dict[str, Any] = {"group": "channel", "sparsity": 0.3, "timeline": {"kind": "iterative", "rate": 0.2}}
    trained = rt.draw(source, data=data, head="fresh", training=TRAINING, **drawing)
    plain = rt.draw(source, group="channel", sparsity=0.3)
    assert trained.masks.keys() == plain.masks.keys()


def test_pretraining_on_pixels_gives_a_source_that_labels_them(
    source: rt.Source, data: rt.DataSettings, tmp_path: Path
) -> None:
    made = rt.pretrain(source, data, folder=tmp_path / "made", **TRAINING)
    loaded = rt.load_source(tmp_path / "made")
    assert loaded.identity.digest == made.identity.digest
    ticket = rt.draw(loaded, sparsity=0.5)
    (run,) = rt.transfer(ticket, data, training=TRAINING, head="keep", seeds=(0,)).runs
    assert run.task.kind == "segmentation"  # pyright: ignore[reportAttributeAccessIssue]


def test_what_labels_of_pixels_do_not_serve_is_told(
    trained: rt.Transfer, source: rt.Source, data: rt.DataSettings
) -> None:
    with pytest.raises(rt.UserError, match="set landscape: null and interpolation: null"):
        rt.analyse(transfers={"full": trained})
    with pytest.raises(rt.UserError, match=r"measures need one label per image \(calibration"):
        rt.verify(trained, measures=["calibration"])
    with pytest.raises(rt.UserError, match="square attacks the class of an image"):
        rt.verify(trained, robustness={"attack": "square"})
    with pytest.raises(rt.UserError, match="segmentation: digits labels whole images"):
        rt.transfer(source, rt.DataSettings(name="digits", channels=3), task=FCN, seeds=(0,))


def test_masks_beyond_the_backbone_are_told(source: rt.Source, data: rt.DataSettings) -> None:
    ticket = rt.draw(source, sparsity=0.5, prunable={"include_head": True})
    with pytest.raises(rt.UserError, match=r"the ticket masks fc\.weight .*exempt"):
        rt.transfer(ticket, data, task=FCN, training=TRAINING, seeds=(0,))


def test_a_run_refuses_analyses_of_pixels_before_it_trains(data: rt.DataSettings, tmp_path: Path) -> None:
    sources = {"net": {"source": {"name": "demo/resnet4", "weights": "random"}}}
    recipe = rt.Recipe.model_validate({"sources": sources, "data": data.model_dump(mode="json"), "analyse": {}})
    with pytest.raises(rt.UserError, match="analyse computes losses of whole images"):
        rt.run(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_shipped_recipe_at_tiny_scale(data: rt.DataSettings, tmp_path: Path) -> None:
    network = {"name": "demo/resnet4", "weights": "random"}
    ways = {way: {"seeds": [0], "training": {"epochs": 0.5, "batch_size": 8}} for way in ("full", "linear")}
    values = {
        "sources": {"natural": {"source": network}, "robust": {"source": {**network, "seed": 1}}},
        "data": data.model_dump(mode="json"),
        "draw": {"sparsity": [0.5]},
        "controls": [],
        "transfers": ways,
        "shrink": None,
    }
    recipe = rt.load_recipe("segmentation", values=values)
    summary = rt.run(recipe, tmp_path)
    assert {row.score for row in (*summary.rows, *summary.verdicts)} == {"mIoU"}
    assert len(summary.verdicts) == 4
    page = (tmp_path / "report.html").read_text()
    assert "mIoU on the test data" in page
    assert "Standard mIoU (%)" in page
    assert "accuracy" not in page.lower()


@needs_shared
def test_camvid_is_labelled_better_than_by_its_commonest_class() -> None:
    assert SHARED is not None
    name = str(SHARED / "camvid-160x120")
    data = rt.DataSettings(name=name, ignore=(11,), size=(30, 40), fraction=0.2)
    ticket = rt.draw(rt.SourceSettings(name="cifar/resnet8", weights="random"), sparsity=0.5)
    result = rt.transfer(ticket, data, task=FCN, training={**LONG, "epochs": 5}, seeds=(0,))
    (run,) = result.runs
    (matrix,) = MeanIoU(run.data.classes).measured(
        run.network.eval(), batches(run.data.test, batch_size=256, seed=0, train=False)
    )
    commonest = float(matrix.sum(1).max() / matrix.sum()) / len(run.data.classes)
    assert mean_iou(matrix) > 3 * commonest
