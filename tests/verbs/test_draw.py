"""Draw: the rungs of one timeline, what a ticket must carry, and that a second call draws nothing."""

from pathlib import Path

import pytest
import torch

import robust_tickets as rt
from robust_tickets.pruning.masks import is_nested
from tests.verbs.small import PARTS, small_source, times

TRAINING = {"epochs": 1, "batch_size": 20, "optimiser": {"lr": 0.05}}
ITERATIVE = {"timeline": {"kind": "iterative", "rate": 0.5, "epochs": 1}, "training": TRAINING}


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return small_source()


def settings(**values: object) -> rt.DrawSettings:
    return rt.DrawSettings.model_validate(values)


GATES = {
    "score": "learned",
    "parametrisation": "hard-concrete",
    "timeline": {"kind": "one-shot", "epochs": 2},
    "training": {**TRAINING, "optimiser": {"kind": "adamw", "lr": 0.1}},
}


def test_gates_that_were_learned_once_serve_every_sparsity(source: rt.Source, tmp_path: Path) -> None:
    asked = settings(sparsity=[0.3, 0.5, 0.8], **GATES)
    tickets = rt.draw_all(source, settings=asked, data=PARTS, folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["sparsity-0.8"], "one training, not three"
    for sparsity, ticket in zip((0.3, 0.5, 0.8), tickets, strict=True):
        alone = rt.draw(source, settings=settings(sparsity=sparsity, **GATES), data=PARTS)
        assert all(torch.equal(mask, alone.masks[name]) for name, mask in ticket.masks.items())
        assert ticket.init == "source"
    for sparse, dense in zip(tickets[1:], tickets, strict=False):
        assert is_nested(sparse.masks, dense.masks)
    written = times(tmp_path)
    again = rt.draw_all(source, settings=asked, data=PARTS, folder=tmp_path)
    assert [ticket.digest for ticket in again] == [ticket.digest for ticket in tickets]
    assert times(tmp_path) == written


def test_the_four_lines_of_the_readme(source: rt.Source, tmp_path: Path) -> None:
    quick = {"training": {"epochs": 1, "batch_size": 20}, "seeds": (0, 1)}
    ticket = rt.draw(source, sparsity=0.5, group="channel", scope="layer")
    result = rt.transfer(ticket, data=PARTS, **quick)
    verdict = rt.verify(result, against="dense")
    report = rt.shrink(result, tmp_path / "model.onnx", rounds=3)
    assert verdict.verdict in {"matches", "does not match", "cannot tell"}
    assert report.kind == "channels"
    assert report.shrunk.file_bytes < report.dense.file_bytes
    assert (tmp_path / "model.onnx").stat().st_size == report.shrunk.file_bytes


def test_several_sparsities_come_in_ascending_order_each_exact(source: rt.Source, tmp_path: Path) -> None:
    tickets = rt.draw_all(source, settings=settings(sparsity=[0.9, 0.5, 0.75]), folder=tmp_path)
    total = sum(tickets[0].masks[name].numel() for name in tickets[0].prunable)
    assert [ticket.sparsity for ticket in tickets] == [int(s * total + 0.5) / total for s in (0.5, 0.75, 0.9)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sparsity-0.5", "sparsity-0.75", "sparsity-0.9"]
    assert [rt.Ticket.load(path).digest for path in sorted(tmp_path.iterdir())] == [t.digest for t in tickets]
    with pytest.raises(rt.UserError, match="draw gives one ticket"):
        rt.draw(source, sparsity=[0.5, 0.75])


def test_one_iterative_draw_serves_every_rung_it_passes(source: rt.Source, tmp_path: Path) -> None:
    ladder = settings(sparsity=[0.5, 0.75, 0.875], **ITERATIVE)
    tickets = rt.draw_all(source, settings=ladder, data=PARTS, folder=tmp_path)
    assert [ticket.sparsity for ticket in tickets] == pytest.approx([0.5, 0.75, 0.875], abs=1e-3)
    assert [path.name for path in tmp_path.iterdir()] == ["sparsity-0.875"], "one draw, not three"
    assert [ticket.recipe["draw"]["sparsity"] for ticket in tickets] == pytest.approx([0.5, 0.75, 0.875], abs=1e-3)
    for sparse, dense in zip(tickets[1:], tickets, strict=False):
        assert is_nested(sparse.masks, dense.masks)
    assert all(ticket.init == "source" for ticket in tickets), "rewound to pretrained weights: nothing to store"
    written = times(tmp_path)
    again = rt.draw_all(source, settings=ladder, data=PARTS, folder=tmp_path)
    assert [ticket.digest for ticket in again] == [ticket.digest for ticket in tickets]
    assert times(tmp_path) == written


def test_without_a_rewind_a_ticket_carries_its_weights(source: rt.Source, tmp_path: Path) -> None:
    ticket = rt.draw(source, data=PARTS, sparsity=0.5, rewind="none", folder=tmp_path, **ITERATIVE)
    assert ticket.init == "stored"
    loaded = rt.Ticket.load(tmp_path).subnetwork(source)
    drawn = ticket.subnetwork(source)
    assert all(torch.equal(value, loaded.plain_state()[name]) for name, value in drawn.plain_state().items())
    assert not torch.equal(loaded.plain_state()["features.1.running_mean"], torch.zeros(8))


def test_a_draw_needs_its_head_to_fit_its_data(source: rt.Source, tmp_path: Path) -> None:
    other = small_source(classes=5)
    with pytest.raises(rt.UserError, match=r"draw\.head: keep: .* 5 classes"):
        rt.draw(other, data=PARTS, sparsity=0.5, folder=tmp_path / "ticket", **ITERATIVE)
    assert not (tmp_path / "ticket").exists()
    assert rt.draw(other, data=PARTS, sparsity=0.5, head="fresh", **ITERATIVE).init == "source"


def test_the_seed_decides_a_random_draw(source: rt.Source) -> None:
    one, same, other = (rt.draw(source, sparsity=0.5, score="random", seed=seed) for seed in (0, 0, 1))
    assert one.digest == same.digest != other.digest


def test_exempt_layers_stay_dense_and_do_not_count(source: rt.Source) -> None:
    ticket = rt.draw(source, sparsity=0.5, prunable={"exempt": ["features.0.*"]})
    assert ticket.prunable == ("features.3.weight",)
    assert ticket.sparsity == 0.5
    assert "features.0.weight" not in ticket.masks


def test_structured_groups_compete_per_layer_unless_told_otherwise():
    assert rt.DrawSettings().selection.scope.kind == "global"
    for group in ("row", "kernel", "filter", "channel"):
        assert rt.DrawSettings.model_validate({"group": group}).selection.scope.kind == "layer"
    told = rt.DrawSettings.model_validate({"group": "channel", "scope": "global"})
    assert told.selection.scope.kind == "global"


def test_layers_that_a_draw_empties_are_named_in_the_output_and_on_the_card(
    source: rt.Source, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = rt.draw(source, group="filter", sparsity=0.97, folder=tmp_path / "kept")
    assert [int(kept.masks[name].flatten(1).any(1).sum()) for name in kept.prunable] == [1, 1]
    assert (kept.emptied, [message for message in caplog.messages if "empty" in message]) == ((), [])
    scope = {"kind": "layer", "minimum": 0}
    emptied = rt.draw(source, group="filter", sparsity=0.97, scope=scope, folder=tmp_path / "emptied")
    assert emptied.emptied == ("features.0.weight", "features.3.weight")
    told = "2 layers are empty, all weights removed: features.0.weight, features.3.weight."
    assert [message for message in caplog.messages if "empty" in message] == [f"100 % sparsity: {told}"]
    assert told in (tmp_path / "emptied" / "README.md").read_text()
    assert "empty" not in (tmp_path / "kept" / "README.md").read_text()


@pytest.mark.parametrize("group", ["element", "filter", "channel"])
def test_no_group_is_asked_for_twice_over_rounds_of_a_layer_scope(source: rt.Source, group: str) -> None:
    """Rounds go on below a layer's minimum without an error; what is left is what is there."""
    timeline = {"kind": "iterative", "rate": 0.9, "epochs": 1}
    settings = {"group": group, "scope": "layer", "timeline": timeline, "training": TRAINING}
    ticket = rt.draw(source, data=PARTS, sparsity=0.9999, **settings)
    assert ticket.emptied == ()
    assert ticket.target == 0.9999
