"""The journey of a source that learned without labels: pretrained, drawn on the same objective, transferred."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import robust_tickets as rt
from robust_tickets.models.adaptations.adapted_body import place_in
from robust_tickets.models.adaptations.projection import ProjectionNetwork
from tests.data.test_unlabelled import photographs
from tests.scenes import coco_folder
from tests.shapes import VOID, shapes_folder

SHORT: dict[str, Any] = {"epochs": 1, "batch_size": 8, "precision": "fp32", "checkpoint_seconds": 0}
DIGITS = rt.DataSettings(name="digits", channels=3, size=(16, 16), per_class=6)


def learned(data: Any, folder: Path | None = None, objective: str = "simclr", **changes: Any) -> rt.Source:
    return rt.pretrain(
        "demo/resnet4", data, weights="random", **{**SHORT, "objective": {"kind": objective}, **changes}, folder=folder
    )


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photographs(tmp_path_factory.mktemp("data") / "seen", count=16)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, unlabelled: Path) -> rt.Source:
    return learned(unlabelled, tmp_path_factory.mktemp("source") / "net")


def test_a_source_is_the_plain_architecture_with_its_projector_beside_it(source: rt.Source) -> None:
    plain = rt.load_source("demo/resnet4", weights="random")
    assert source.network.plain_state().keys() == plain.network.plain_state().keys()
    assert source.network.headless
    assert source.network.projector is not None
    assert source.network.projector.outputs == 128
    stem = "conv1.weight"
    assert not torch.equal(source.network.plain_state()[stem], plain.network.plain_state()[stem]), "it was trained"
    with pytest.raises(rt.UserError, match="the weights came without a head, so it cannot predict; transfer it"):
        rt.transfer(source, DIGITS, head="keep", training=SHORT, seeds=(0,))


def test_the_same_command_returns_it_and_memory_holds_the_same(unlabelled: Path, tmp_path: Path) -> None:
    one, again, held = learned(unlabelled, tmp_path), learned(unlabelled, tmp_path), learned(unlabelled)
    assert one.identity.digest == again.identity.digest == held.identity.digest
    assert one.identity.projector == again.identity.projector == held.identity.projector
    assert again.network.projector is not None


def test_pretraining_goes_on_under_the_same_projector(source: rt.Source, unlabelled: Path) -> None:
    still = rt.pretrain(source, unlabelled, **{**SHORT, "objective": {"kind": "simclr"}, "optimiser": {"lr": 1e-12}})
    assert source.network.projector is not None
    assert still.network.projector is not None
    for name, value in source.network.projector.state.items():
        torch.testing.assert_close(still.network.projector.state[name], value)


def test_a_draw_on_the_objective_begins_with_the_projector(source: rt.Source, unlabelled: Path) -> None:
    drawing: dict[str, Any] = {
        "sparsity": 0.51,
        "data": unlabelled,
        "timeline": {"kind": "iterative", "rate": 0.3, "epochs": 1},
        "training": {**SHORT, "objective": {"kind": "simclr"}},
    }
    ticket = rt.draw(source, **drawing)
    assert ticket.sparsity == pytest.approx(0.51, abs=0.001)
    assert set(ticket.masks) <= set(source.network.plain_state()), "masks have the plain architecture's names"
    assert not ticket.stored, "an iterative ticket restarts from the source"
    fresh = rt.draw(source, **drawing, head="fresh")
    assert any(not torch.equal(mask, fresh.masks[name]) for name, mask in ticket.masks.items()), "the projector matters"
    with pytest.raises(rt.UserError, match="keep: the projector of demo/resnet4 is 128 wide, but 2048 prototypes"):
        rt.draw(source, **{**drawing, "training": {**SHORT, "objective": {"kind": "dino"}}})


def test_without_a_projector_a_draw_asks_for_a_fresh_one(unlabelled: Path) -> None:
    plain = rt.load_source("demo/resnet4", weights="random")
    training = {**SHORT, "objective": {"kind": "moco"}}
    drawing: dict[str, Any] = {"sparsity": 0.3, "data": unlabelled, "training": training}
    timeline = {"kind": "iterative", "rate": 0.3, "epochs": 1}
    with pytest.raises(
        rt.UserError, match=r"draw\.head: keep: demo/resnet4 came without a projector; use draw\.head: f"
    ):
        rt.draw(plain, **drawing, timeline=timeline)
    assert rt.draw(plain, **drawing, timeline=timeline, head="fresh").sparsity == pytest.approx(0.3, abs=0.001)


@pytest.mark.parametrize("kind", ["class", "pixels", "boxes"])
def test_a_ticket_of_it_is_transferred_to_every_task(source: rt.Source, tmp_path: Path, kind: str) -> None:
    ticket = rt.draw(source, sparsity=0.5)
    data, task = {
        "class": (DIGITS, None),
        "pixels": (rt.DataSettings(name=str(shapes_folder(tmp_path / "shapes")), ignore=(VOID,)), {"head": "fcn"}),
        "boxes": (rt.DataSettings(name=str(coco_folder(tmp_path / "boxes"))), {"head": "fcos", "width": 64}),
    }[kind]
    named = {"pixels": "segmentation", "boxes": "detection"}.get(kind)
    options: dict[str, Any] = {"task": {"kind": named, **task}} if task is not None else {}
    result = rt.transfer(ticket, data, training=SHORT, seeds=(0,), **options)
    (run,) = result.runs
    assert not isinstance(run.network.body, ProjectionNetwork)
    state = run.network.plain_state()
    for name, mask in ticket.masks.items():
        weight = state[place_in(run.network.body, name)]
        assert bool((weight[mask] != 0).all())
        assert not bool(weight[~mask].any())


def test_labels_judge_and_do_not_teach(tmp_path: Path) -> None:
    """With other labels the same network comes out, and other accuracies of its neighbours."""
    splits = rt.load_data(DIGITS)
    parts = (splits.train, splits.validation, splits.test)
    found = []
    for name, shift in (("true", 0), ("shifted", 1)):
        named = tuple(
            [(image, (label + shift * number) % 10) for number, (image, label) in enumerate(part)] for part in parts
        )
        digest = learned(named, tmp_path / name, "moco").identity.digest
        row = json.loads((tmp_path / name / "metrics.jsonl").read_text())
        found.append((digest, row["loss"], row["validation_knn_accuracy"]))
    assert found[0][:2] == found[1][:2]
    assert found[0][2] != found[1][2]


def test_a_damaged_projector_is_told(unlabelled: Path, tmp_path: Path) -> None:
    learned(unlabelled, tmp_path / "net")
    file = tmp_path / "net" / "projector.safetensors"
    kept = file.read_bytes()
    file.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    with pytest.raises(rt.UserError, match=r"projector\.safetensors: was altered: its digest is"):
        rt.load_source(tmp_path / "net")
    file.unlink()
    with pytest.raises(rt.UserError, match=r"projector\.safetensors"):
        rt.load_source(tmp_path / "net")


def test_what_the_copy_cannot_follow_is_refused(source: rt.Source, unlabelled: Path) -> None:
    wanted = r"draw\.training\.objective: MoCo v2 looks at the weights themselves, which parametrisation hard-concrete"
    with pytest.raises(rt.UserError, match=wanted):
        rt.draw(
            source,
            sparsity=0.5,
            data=unlabelled,
            score={"kind": "learned"},
            parametrisation={"kind": "hard-concrete"},
            timeline={"kind": "one-shot", "epochs": 1},
            training={**SHORT, "objective": {"kind": "moco"}},
        )


def test_a_score_that_reads_labels_is_refused(source: rt.Source, unlabelled: Path) -> None:
    with pytest.raises(
        rt.UserError, match=r"draw\.score: snip reads gradients of the loss over labels, and nothing here"
    ):
        rt.draw(
            source,
            sparsity=0.5,
            data=unlabelled,
            score={"kind": "snip"},
            training={**SHORT, "objective": {"kind": "simclr"}},
        )


def test_a_projector_goes_wherever_its_network_goes_and_leaves_with_its_features(
    source: rt.Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source.identity.projector is not None
    again = rt.load_source(rt.load(source.settings.name))
    assert again.identity.projector == source.identity.projector
    (tmp_path / "mine.py").write_text(
        "import robust_tickets as rt\n\n\ndef net():\n"
        "    return rt.load_source('demo/resnet4', weights='random').network.body\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    stated = {"mean": [0, 0, 0], "std": [1, 1, 1], "size": [16, 16]}
    options = {**SHORT, "objective": {"kind": "simclr"}, "preprocessing": stated}
    own = rt.pretrain("mine:net", DIGITS, **options, folder=tmp_path / "own")
    assert rt.load_source(own.settings).identity.projector == own.identity.projector is not None
    labelled = rt.pretrain(source, DIGITS, **SHORT, folder=tmp_path / "labelled")
    assert not labelled.network.headless
    assert labelled.network.projector is None
    assert not (tmp_path / "labelled" / "projector.safetensors").exists()
    rt.evaluate(labelled, DIGITS)
    result = rt.transfer(source, DIGITS, training=SHORT, seeds=(0,), folder=tmp_path / "moved")
    assert result.runs[0].network.projector is None
    assert not list((tmp_path / "moved").rglob("projector.safetensors"))


def test_a_transfer_that_learns_without_labels_is_measured_by_neighbours(source: rt.Source, tmp_path: Path) -> None:
    training = {**SHORT, "objective": {"kind": "simclr"}}
    with pytest.raises(
        rt.UserError, match="SimCLR learns features, which mode: linear leaves as they are; use mode: full"
    ):
        rt.transfer(source, DIGITS, mode="linear", training=training)
    recipe = rt.load_recipe(
        "one-shot",
        values={
            "sources": {"net": {"source": {"name": source.settings.name}}},
            "data": DIGITS.model_dump(mode="json"),
            "draw": {"sparsity": 0.5},
            "transfers": {"full": {"head": "keep", "training": training, "seeds": [0]}},
            "shrink": None,
        },
    )
    rt.run(recipe, tmp_path / "run")
    dense = rt.load_transfer(tmp_path / "run").dense()
    assert dense.runs[0].metric.key == "knn_accuracy"
    evaluated = rt.evaluate(dense, rt.DataSettings(name="glyphs", channels=3, size=(16, 16)))
    assert 0 < evaluated.runs[0].standard < 1
    with pytest.raises(
        rt.UserError, match="is learned from without labels, but analyse computes losses of whole images"
    ):
        rt.analyse({}, {"dense": dense})


def test_every_source_of_a_recipe_may_be_drawn_in_its_own_way(tmp_path: Path) -> None:
    network = {"name": "demo/resnet4", "weights": "random", "num_classes": 10}
    digits = DIGITS.model_dump(mode="json", exclude_defaults=True)
    recipe = rt.load_recipe(
        "cv-lth",
        values={
            "sources": {
                "supervised": {"source": network, "pretrain": {"data": digits, "training": SHORT}},
                "simclr": {
                    "source": network,
                    "pretrain": {"data": digits, "training": {**SHORT, "objective": {"kind": "simclr"}}},
                    "draw": {"training": {"objective": {"kind": "simclr"}}},
                },
            },
            "data": digits,
            "draw": {"sparsity": [0.36], "timeline": {"epochs": 1}, "data": digits, "training": SHORT},
            "variants": {"one-shot": None},
            "controls": [],
            "transfers": {"full": {"training": SHORT, "seeds": [0]}},
        },
    )
    kinds = {name: recipe.draws(name)["draw"].training.objective.describe() for name in recipe.sources}
    assert kinds == {"supervised": "standard", "simclr": "SimCLR"}
    summary = rt.run(recipe, tmp_path / "run")
    assert {row.series for row in summary.rows} == {"supervised", "simclr"}
    report = (tmp_path / "run" / "report.html").read_text()
    assert "overlap" in report


def test_sources_have_the_same_sparsities() -> None:
    with pytest.raises(rt.UserError, match=r"sources\.simclr\.draw: every source has the same sparsities"):
        rt.load_recipe("cv-lth", ["sources.simclr.draw.sparsity=0.5"])
