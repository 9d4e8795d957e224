"""Draws and transfers that learn from a dense teacher: which network it is, and what becomes of the finetuned one."""

from pathlib import Path
from typing import Any

import pytest
import torch

import robust_tickets as rt
from tests.verbs.small import PARTS, QUICK, small_source, times

DISTILLED = {"kind": "distillation", "soft_labels": 1, "hidden": 0.5, "layers": ["features.[03]"]}
TRAINING: dict[str, Any] = {"epochs": 1, "batch_size": 20, "optimiser": {"lr": 0.05}, "objective": DISTILLED}
DENSE = {"epochs": 2, "batch_size": 20, "optimiser": {"lr": 0.1}}
GRADUAL = {
    "timeline": {"kind": "gradual", "initial": 0.1, "start": 0, "end": 2, "every": 0.5, "epochs": 3},
    "rewind": "none",
    "finetune": DENSE,
    "training": TRAINING,
}
MASKS = {
    "score": "learned",
    "scope": "layer",
    "parametrisation": {"kind": "thresholded", "every": 2},
    "timeline": {"kind": "one-shot", "epochs": 4},
    "training": {
        **TRAINING,
        "optimiser": {"lr": 5},
        "objective": {**DISTILLED, "task": 0, "soft_labels": 0, "hidden": 1},
    },
}


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return small_source()


def settings(**values: Any) -> rt.DrawSettings:
    return rt.DrawSettings.model_validate(values)


def test_gradual_pruning_during_finetuning_learns_from_the_dense_finetuned_network(
    source: rt.Source, tmp_path: Path
) -> None:
    drawn = rt.draw_all(source, settings=settings(sparsity=[0.5, 0.8], **GRADUAL), data=PARTS, folder=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["finetuned", "sparsity-0.5", "sparsity-0.8"]
    finetuned = rt.load_source(tmp_path / "finetuned", like=source.network)
    alone = rt.pretrain(source, PARTS, **DENSE)
    assert finetuned.identity.digest == alone.identity.digest, "it is an ordinary dense training of the source"
    assert all(ticket.stored is not None for ticket in drawn)
    written = times(tmp_path)
    again = rt.draw_all(source, settings=settings(sparsity=[0.5, 0.8], **GRADUAL), data=PARTS, folder=tmp_path)
    assert [ticket.digest for ticket in again] == [ticket.digest for ticket in drawn]
    assert times(tmp_path) == written
    named = {**GRADUAL, "training": {**TRAINING, "objective": {**DISTILLED, "teacher": str(tmp_path / "finetuned")}}}
    same = rt.draw(source, settings=settings(sparsity=0.8, **named), data=PARTS)
    assert all(torch.equal(mask, drawn[1].masks[name]) for name, mask in same.masks.items())
    assert same.stored is not None
    assert drawn[1].stored is not None
    assert all(torch.equal(value, drawn[1].stored[name]) for name, value in same.stored.items())
    other = {**named, "finetune": None}
    begun = rt.draw(source, settings=settings(sparsity=0.8, **other), data=PARTS)
    assert any(not torch.equal(mask, same.masks[name]) for name, mask in begun.masks.items()), (
        "from the source's weights"
    )


@pytest.mark.parametrize("rewind", ["none", "pretrained"])
def test_one_shot_tickets_of_the_finetuned_network(source: rt.Source, rewind: str, tmp_path: Path) -> None:
    """Its smallest weights go, whether it or the source is what the ticket starts from."""
    once = settings(sparsity=[0.5, 0.8], finetune=DENSE, rewind=rewind)
    low, high = rt.draw_all(source, settings=once, data=PARTS, folder=tmp_path)
    finetuned = rt.load_source(tmp_path / "finetuned", like=source.network)
    for ticket, sparsity in ((low, 0.5), (high, 0.8)):
        alone = rt.draw(finetuned, sparsity=sparsity)
        assert all(torch.equal(mask, alone.masks[name]) for name, mask in ticket.masks.items())
        assert (ticket.stored is None) == (rewind == "pretrained")
    with pytest.raises(rt.UserError, match=r"draw.data is missing: draw.finetune trains"):
        rt.draw_all(source, settings=once)


def test_masks_over_finetuned_weights_return_to_the_pretrained_ones(source: rt.Source) -> None:
    """Robust Lottery Tickets: gates are learned over the finetuned network, and the ticket restarts from the source."""
    gates = {
        **MASKS,
        "scope": "global",
        "parametrisation": "hard-concrete",
        "training": {**TRAINING, "objective": "standard", "optimiser": {"kind": "adamw", "lr": 0.1}},
    }
    ticket = rt.draw(source, settings=settings(sparsity=0.5, finetune=DENSE, **gates), data=PARTS)
    assert ticket.init == "source"
    assert ticket.stored is None
    total = sum(ticket.masks[name].numel() for name in ticket.prunable)
    assert sum(int((~mask).sum()) for mask in ticket.masks.values()) == int(0.5 * total + 0.5)
    plain = rt.draw(source, settings=settings(sparsity=0.5, **gates), data=PARTS)
    assert any(not torch.equal(mask, plain.masks[name]) for name, mask in ticket.masks.items())


def test_masks_learned_from_hidden_states_alone_need_no_label(source: rt.Source) -> None:
    drawn = rt.draw(source, settings=settings(sparsity=0.6, **MASKS), data=PARTS)

    class Wrong(type(PARTS["train"])):
        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            image, label = super().__getitem__(index)
            return image, (label + 1) % 3

    blind = rt.draw(source, settings=settings(sparsity=0.6, **MASKS), data={**PARTS, "train": Wrong()})
    assert all(torch.equal(mask, blind.masks[name]) for name, mask in drawn.masks.items())
    magnitude = rt.draw(source, sparsity=0.6, scope="layer")
    assert any(not torch.equal(mask, magnitude.masks[name]) for name, mask in drawn.masks.items())


def test_a_ticket_is_transferred_under_its_dense_source_or_a_finished_run(source: rt.Source, tmp_path: Path) -> None:
    ticket = rt.draw(source, sparsity=0.5)
    dense = rt.transfer(source, PARTS, folder=tmp_path / "dense", **QUICK)
    named = {**QUICK["training"], "objective": {"kind": "distillation", "teacher": str(tmp_path / "dense" / "seed-0")}}
    result = rt.transfer(ticket, PARTS, training=named, seeds=(0,), folder=tmp_path / "taught")
    untaught = rt.transfer(ticket, PARTS, training=QUICK["training"], seeds=(0,))
    weight = "classifier.weight"
    assert not torch.equal(result.best.network.plain_state()[weight], untaught.best.network.plain_state()[weight])
    assert dense.runs[0].network.training is False
    own = {**QUICK["training"], "objective": {**DISTILLED, "soft_labels": 0}}
    assert rt.transfer(ticket, PARTS, training=own, seeds=(0,)).best.validation is not None
    with pytest.raises(rt.UserError, match=r"source has a fresh head \(head: fresh\), whose soft labels say nothing"):
        rt.transfer(ticket, PARTS, training={**QUICK["training"], "objective": DISTILLED}, seeds=(0,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": {**TRAINING, "objective": {**DISTILLED, "teacher": "no/such/network"}}}, "no/such/network"),
        ({"head": "fresh", "finetune": None}, r"source has a fresh head \(draw.head: fresh\)"),
    ],
)
def test_teachers_that_cannot_teach_are_refused_before_anything_trains(
    changes: dict[str, Any], message: str, source: rt.Source, tmp_path: Path
) -> None:
    with pytest.raises(rt.UserError, match=message):
        rt.draw(source, settings=settings(sparsity=0.5, **{**GRADUAL, **changes}), data=PARTS, folder=tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_teacher_of_other_classes_is_refused_for_soft_labels(source: rt.Source, tmp_path: Path) -> None:
    other = small_source(classes=5)
    rt.pretrain(other, {name: type(part)(classes=5) for name, part in PARTS.items()}, folder=tmp_path / "five", **DENSE)
    taught = {**TRAINING, "objective": {**DISTILLED, "teacher": str(tmp_path / "five")}}
    with pytest.raises(rt.UserError, match="has 5 classes, but the data 3; use a network finetuned on them"):
        rt.draw(source, settings=settings(sparsity=0.5, **{**GRADUAL, "training": taught}), data=PARTS)


def test_another_teacher_in_the_same_folder_is_noticed(source: rt.Source, tmp_path: Path) -> None:
    def teach(seed: int) -> None:
        rt.pretrain(source, PARTS, folder=tmp_path / "teacher", seed=seed, **DENSE)

    def drawn() -> rt.Ticket:
        taught = {**TRAINING, "objective": {**DISTILLED, "teacher": str(tmp_path / "teacher")}}
        wanted = settings(sparsity=0.5, **{**GRADUAL, "finetune": None, "training": taught})
        return rt.draw(source, settings=wanted, data=PARTS, folder=tmp_path / "drawn")

    teach(0)
    first = drawn()
    assert drawn().digest == first.digest
    for path in sorted((tmp_path / "teacher").rglob("*"), reverse=True):
        path.unlink()
    teach(1)
    with pytest.raises(rt.UserError, match="contains work with teacher"):
        drawn()


def test_settings_without_a_finetuning_are_written_as_they_always_were() -> None:
    assert "finetune" not in rt.DrawSettings().model_dump(mode="json")
    written = settings(sparsity=0.5, **GRADUAL).model_dump(mode="json")
    assert rt.DrawSettings.model_validate(written) == settings(sparsity=0.5, **GRADUAL)
