"""What every task promises, one row a task: a new task enters here, and the loop and the verbs stay as they are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

import robust_tickets as rt
from robust_tickets.data.batches import batches
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.files import read_json
from robust_tickets.models.adaptations.adapted_body import place_in
from robust_tickets.objectives.standard import Standard
from robust_tickets.tasks.kinds import IMPLIED, task_for
from robust_tickets.training.loop import TrainingLoop
from tests.pictures import ramp, written
from tests.scenes import coco_folder
from tests.shapes import VOID, shapes_folder
from tests.told import asked, scored, tagged

TRAINING = {
    "epochs": 2,
    "batch_size": 4,
    "precision": "fp32",
    "optimiser": {"kind": "adamw", "lr": 0.003},
    "warmup": 0,
    "checkpoint_seconds": 0,
}


@dataclass(frozen=True)
class Row:
    """One task."""

    kind: str
    data: Callable[[Path], rt.DataSettings]
    """Writes a small data set into a folder, or names a built-in one."""
    wrong: Callable[[Path], tuple[rt.DataSettings, dict[str, Any], str]]
    """Data or settings that do not fit, and what is said of them."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the task, where the defaults would take long."""
    unexported: str | None = None
    """What is said instead of exporting its networks to ONNX; None: they are exported."""
    source: str = "images"
    """What its networks take."""
    objective: str = "standard"
    """What it trains by; of self-supervision, it and not the data implies the task."""
    changes: dict[str, Any] = field(default_factory=dict)
    """Of the training, where an example alone is a batch."""

    @property
    def training(self) -> dict[str, Any]:
        return {**TRAINING, "objective": {"kind": self.objective}, **self.changes}

    @property
    def is_attacked(self) -> bool:
        """Whether examples have a loss each that an attack may drive up."""
        return self.kind not in {"self-supervision", "image-prior"}


def shapes(folder: Path) -> rt.DataSettings:
    return rt.DataSettings(name=str(shapes_folder(folder)), ignore=(VOID,))


def digits(folder: Path) -> rt.DataSettings:
    return rt.DataSettings(name="digits", channels=3, size=(16, 16), per_class=6)


def scenes(folder: Path) -> rt.DataSettings:
    return rt.DataSettings(name=str(coco_folder(folder)))


def picture(folder: Path) -> rt.DataSettings:
    folder.mkdir(parents=True)
    path = written(ramp(16, 16), folder / "ramp.png")
    return rt.DataSettings.model_validate({"name": path, "restoration": {"noise": 0.1}})


ROWS = [
    Row(
        "classification",
        digits,
        lambda folder: (digits(folder), {"head": "keep"}, "head: keep: the network has 4 classes, but digits has"),
    ),
    Row(
        "segmentation",
        shapes,
        lambda folder: (digits(folder), {"task": "segmentation"}, "task: segmentation: digits labels whole images"),
        settings={"head": "fcn"},
    ),
    Row(
        "detection",
        scenes,
        lambda folder: (digits(folder), {"task": "detection"}, "task: detection: digits labels whole images"),
        settings={"head": "fcos", "width": 64},
    ),
]

ROWS += [
    Row(
        "self-supervision",
        digits,
        lambda folder: (
            shapes(folder),
            {"training": {**TRAINING, "objective": {"kind": "moco"}}},
            "task: self-supervision: data labels pixels; give images without labels",
        ),
        unexported="self-supervision",
        objective="moco",
    ),
    Row(
        "image-prior",
        picture,
        lambda folder: (
            digits(folder),
            {"task": "image-prior"},
            "digits: contains images, but the network takes fixed",
        ),
        unexported="it holds a single picture, which `tickets restore` writes as an image file",
        source="noise",
        changes={"epochs": 6, "batch_size": 1},
    ),
]

TEXTS: dict[str, Callable[[Path], rt.DataSettings]] = {
    "masked-language": lambda folder: rt.DataSettings(name="tales", tales={"count": 160}),  # pyright: ignore
    "regression": scored,
    "token-classification": tagged,
    "question-answering": asked,
}


def text_row(kind: str, data: Callable[[Path], rt.DataSettings]) -> Row:
    said = f"task: {kind}: tale-moods labels whole texts; leave it out, or give"
    return Row(kind, data, lambda folder: (rt.DataSettings(name="tale-moods"), {"task": kind}, said), source="texts")


ROWS += [text_row(kind, data) for kind, data in TEXTS.items()]

rows = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind)
supervised_rows = pytest.mark.parametrize(
    "row", [row for row in ROWS if row.kind != "self-supervision"], ids=lambda row: row.kind
)
attacked_rows = pytest.mark.parametrize("row", [row for row in ROWS if row.is_attacked], ids=lambda row: row.kind)

# The check of exported files measures by the spread of logits, which one number for each text hardly has.
exported_rows = pytest.mark.parametrize(
    "row", [row for row in ROWS if row.kind != "regression"], ids=lambda row: row.kind
)


@dataclass(frozen=True)
class Made:
    """What one row's task was tried on."""

    row: Row
    data: rt.DataSettings
    ticket: rt.Ticket
    options: dict[str, Any]
    result: rt.Transfer


@pytest.fixture(scope="module")
def sources() -> dict[str, rt.Source]:
    return {
        "images": rt.load_source("demo/resnet4", weights="random", num_classes=4),
        "texts": rt.load_source("tiny/bert", weights="random"),
        "noise": rt.load_source("prior/unet2-x0.25", weights="random"),
    }


@pytest.fixture(scope="module")
def made(sources: dict[str, rt.Source], tmp_path_factory: pytest.TempPathFactory) -> Callable[[Row], Made]:
    """Return what gives a row's ticket, transferred; every row once."""
    known: dict[str, Made] = {}
    tickets = {kind: rt.draw(source, sparsity=0.5) for kind, source in sources.items()}

    def of(row: Row) -> Made:
        if row.kind not in known:
            ticket = tickets[row.source]
            data = row.data(tmp_path_factory.mktemp(row.kind) / "data")
            task = {"kind": row.kind, **row.settings}
            options = {"task": task, "training": row.training, "seeds": (0, 1)}
            folder = tmp_path_factory.mktemp(row.kind) / "run"
            known[row.kind] = Made(row, data, ticket, options, rt.transfer(ticket, data, **options, folder=folder))
        return known[row.kind]

    return of


def test_a_teacher_of_another_task_is_refused(made: Callable[[Row], Made]) -> None:
    """Both give two numbers a token, which mean other things."""
    tags, answers = (
        made(next(row for row in ROWS if row.kind == kind)) for kind in ("token-classification", "question-answering")
    )
    objective = {"kind": "distillation", "teacher": str(tags.result.runs[0].folder)}
    with pytest.raises(
        rt.UserError, match="does another task; use a network finetuned on such data, or soft_labels: 0"
    ):
        rt.transfer(
            answers.ticket, answers.data, **{**answers.options, "training": {**TRAINING, "objective": objective}}
        )


def test_every_task_has_a_row() -> None:
    assert {row.kind for row in ROWS} == {task.model_dump()["kind"] for task in IMPLIED}


@rows
def test_data_or_objective_imply_it(row: Row, made: Callable[[Row], Made]) -> None:
    one = made(row)
    objective = one.result.settings.training.objective
    assert task_for(one.result.runs[0].data, None, objective).model_dump()["kind"] == row.kind


@rows
def test_a_killed_transfer_ends_bit_for_bit_alike(
    row: Row, made: Callable[[Row], Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = made(row)
    train_step = TrainingLoop.train_step

    def killed(loop: TrainingLoop, batch: Batch) -> None:
        if loop.trainee.step == 3:
            raise KeyboardInterrupt
        train_step(loop, batch)

    options = {**one.options, "seeds": (0,)}
    with monkeypatch.context() as patch:
        patch.setattr(TrainingLoop, "train_step", killed)
        with pytest.raises(KeyboardInterrupt):
            rt.transfer(one.ticket, one.data, **options, folder=tmp_path)
    assert (tmp_path / "seed-0" / "checkpoint.pt").exists()
    resumed = rt.transfer(one.ticket, one.data, **options, folder=tmp_path).runs[0]
    ours, theirs = (run.network.plain_state() for run in (resumed, one.result.runs[0]))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert one.result.runs[0].folder is not None
    logs = [(folder / "metrics.jsonl").read_bytes() for folder in (tmp_path / "seed-0", one.result.runs[0].folder)]
    assert logs[0] == logs[1]


@attacked_rows
def test_the_loss_that_attacks_drive_up_is_each_examples_own(row: Row, made: Callable[[Row], Made]) -> None:
    run = made(row).result.runs[0]
    batch = next(iter(batches(run.data.train, batch_size=6, seed=0, train=False)))
    aim, network = run.task.criterion(0.0).aim, run.network.eval()
    losses = aim.loss(network(batch.inputs), batch.targets)
    assert losses.shape == (6,)
    if row.source == "images":
        inputs = batch.inputs.requires_grad_()
        (gradient,) = torch.autograd.grad(aim.loss(network(inputs), batch.targets)[2], inputs)
        assert [bool(one.any()) for one in gradient] == [index == 2 for index in range(6)], "of no other example"
    for index in (0, 3, 5):
        alone = batch.between(index, index + 1)
        with torch.no_grad():
            loss = aim.loss(network(alone.inputs), alone.targets)
        torch.testing.assert_close(loss[0], losses[index].detach(), atol=1e-4, rtol=1e-4)


@rows
def test_masks_land_on_the_sources_weights_and_stay(row: Row, made: Callable[[Row], Made]) -> None:
    one = made(row)
    for run in one.result.runs:
        state = run.network.plain_state()
        for name, mask in one.ticket.masks.items():
            weight = state[place_in(run.network.body, name)]
            assert not bool(weight[~mask].any())
            assert bool((weight[mask] != 0).all())


@rows
def test_the_metric_feeds_the_decision(row: Row, made: Callable[[Row], Made]) -> None:
    one = made(row)
    run = one.result.runs[0]
    metric = run.task.metric(run.data.classes)
    verdict = rt.verify(one.result)
    assert verdict.score == metric.name
    if len(run.data.test) > 1:
        assert verdict.standard.test_interval is not None
        assert verdict.standard.examples == len(run.data.test)
    else:
        assert verdict.standard.test_interval is None, "one example says nothing of others"
    assert run.folder is not None
    (kept,) = [read_json(path / "result.json") for path in run.folder.glob("test-clean-*")]
    value = metric.value(metric.unpacked(kept))
    assert value == verdict.ticket_runs[0].standard
    least, greatest = metric.bounds
    assert least is None or value >= least
    assert greatest is None or value <= greatest
    means = [sum(one.standard for one in runs) / 2 for runs in (verdict.ticket_runs, verdict.dense_runs)]
    assert [verdict.standard.ticket, verdict.standard.dense] == pytest.approx(means)


@rows
def test_a_network_verified_against_itself_matches(row: Row, made: Callable[[Row], Made]) -> None:
    dense = made(row).result.dense()
    assert dense.ticket is None
    assert rt.verify(dense).matches
    assert dense.dense() is dense


@exported_rows
def test_its_export_answers_as_the_network_or_is_refused_by_name(
    row: Row, made: Callable[[Row], Made], tmp_path: Path
) -> None:
    # Dense has no other beside it to be timed with, so that one network is exported and not two.
    dense, file = made(row).result.dense(), tmp_path / "model.onnx"
    if row.unexported is not None:
        with pytest.raises(rt.UserError, match=row.unexported):
            rt.shrink(dense, file, rounds=3)
        assert not file.exists()
        return
    rt.shrink(dense, file, rounds=3)
    network = dense.best.network.eval()
    inputs = network.interface.example(1, "a stream")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    given = inputs if isinstance(inputs, Mapping) else {"images": inputs}
    answers = session.run(None, {name: values.numpy() for name, values in given.items()})
    with torch.no_grad():
        expected = [leaf for leaf in tree_leaves(network.exported(inputs)) if isinstance(leaf, Tensor)]
    for ours, theirs in zip(answers, expected, strict=True):
        torch.testing.assert_close(torch.from_numpy(ours), theirs, atol=1e-4, rtol=1e-4)


@rows
def test_what_does_not_fit_is_refused_before_training(row: Row, sources: dict[str, rt.Source], tmp_path: Path) -> None:
    data, options, said = row.wrong(tmp_path / "data")
    with pytest.raises(rt.UserError, match=said) as caught:
        rt.transfer(sources[row.source], data, **{"seeds": (0,), **options}, folder=tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


DEFAULT = {
    "images": {"name": "demo/resnet4", "weights": "random", "num_classes": 4},
    "texts": {"name": "tiny/bert", "weights": "random"},
    "noise": {"name": "prior/unet2-x0.25", "weights": "random"},
}
"""Sources by what they take, as recipes name them."""


@supervised_rows
def test_the_default_recipe_draws_on_its_data(row: Row, tmp_path: Path) -> None:
    """What `tickets run --source --data` does: finetuned, pruned gradually on the target, transferred.

    A teacher's boxes and pictures cannot be imitated, which is told; drawn by its labels alone, a detector is like the
    others, and so is a generator.
    """
    short = {"epochs": 1, "batch_size": row.changes.get("batch_size", 8), "precision": "fp32"}
    recipe = rt.load_recipe(
        "default",
        values={
            "sources": {"net": {"source": DEFAULT[row.source]}},
            "data": row.data(tmp_path / "data").model_dump(mode="json"),
            "draw": {
                "sparsity": 0.5,
                "timeline": {"end": 1, "epochs": 1.5, "min_steps": 0},
                "finetune": short,
                "training": {"batch_size": short["batch_size"], "precision": "fp32"},
            },
            "transfers": {"full": {"training": short, "seeds": [0]}},
            "shrink": None,
        },
    )
    if row.kind in {"detection", "image-prior"}:
        with pytest.raises(rt.UserError, match=r"^draw\.training\.objective: .*; use standard( or pgd)?$"):
            rt.run(recipe, tmp_path / "run")
        assert not (tmp_path / "run").exists()
        training = recipe.draw.training.model_copy(update={"objective": Standard()})
        recipe = recipe.model_copy(update={"draw": recipe.draw.model_copy(update={"training": training})})
    summary = rt.run(recipe, tmp_path / "run")
    assert [round(one.sparsity, 2) for one in summary.rows] == [0, 0.5]
    ticket = rt.load_transfer(tmp_path / "run").ticket
    assert ticket is not None
    assert ticket.stored, "it carries what it learned on the data"
