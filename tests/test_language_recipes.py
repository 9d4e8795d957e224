"""The recipes of language tickets: at tiny scale each draws what its paper says, and a whole run ends in a report."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

import robust_tickets as rt
from robust_tickets.foundation.settings import changed
from robust_tickets.pruning.masks import is_nested
from robust_tickets.pruning.ranking import exact_count
from robust_tickets.recipe import Recipe, load_recipe
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.draw import draw_all
from robust_tickets.verbs.draw_settings import DrawSettings

RECIPES = ("language", "bert-lth", "tamt", "robust-language", "early-bert")
FEW = {"tales": {"count": 48}}


@pytest.fixture(scope="module")
def source() -> rt.Source:
    """Return a tiny BERT that has seen one batch of hidden words, and so has a head for them."""
    made = rt.load_source("tiny/bert", weights="random", preprocessing={"length": 16}, vocabulary_size=1000)
    data = rt.DataSettings.model_validate({"name": "tales", "tales": {"count": 24}})
    return rt.pretrain(made, data, epochs=1, batch_size=16)


def quick(settings: DrawSettings) -> DrawSettings:
    """Return a way of drawing on a few texts, for a step or two."""
    changes: dict[str, Any] = {"training": {"batch_size": 16, "precision": "fp32"}}
    if settings.data is not None:
        changes["data"] = FEW
    if settings.finetune is not None:
        changes["finetune"] = {"epochs": 1, "batch_size": 16}
    if settings.timeline.kind == "iterative":
        changes["timeline"] = {"epochs": 0.5}
    elif settings.timeline.kind == "early":
        changes["timeline"] = {"epochs": 1, "every": 1}
    elif settings.timeline.kind == "one-shot" and settings.timeline.epochs:
        changes["timeline"] = {"epochs": 1}
    return changed(settings, changes)


def drawn(source: rt.Source, recipe: Recipe, way: str) -> tuple[Ticket, ...]:
    """Return the tickets of one way of a recipe."""
    return draw_all(source, settings=quick(recipe.draws()[way]), seed=0)


WAYS = [(name, way) for name in RECIPES for way in load_recipe(name).draws()]


@pytest.mark.parametrize(("name", "way"), WAYS, ids=[f"{name}-{way}" for name, way in WAYS])
def test_masks_are_of_the_encoder_and_of_the_exact_count(name: str, way: str, source: rt.Source) -> None:
    recipe = load_recipe(name)
    tickets = drawn(source, recipe, way)
    for ticket, asked in zip(tickets, recipe.draws()[way].sparsities, strict=True):
        groups = sum(ticket.masks[weight].numel() for weight in ticket.prunable)
        removed = sum(int((~ticket.masks[weight]).sum()) for weight in ticket.prunable)
        table = [weight for weight in ticket.prunable if "embeddings" in weight]
        assert table == (["bert.embeddings.word_embeddings.weight"] if name == "tamt" else [])
        assert all(weight.startswith("bert.") for weight in ticket.prunable)
        assert not any("LayerNorm" in weight or weight.endswith(".bias") for weight in ticket.prunable)
        if name != "early-bert" and name != "tamt":
            assert asked is not None
            assert removed == exact_count(groups, asked)
        if name == "tamt":
            assert asked is not None
            for weight in ticket.prunable:
                mask = ticket.masks[weight]
                assert int((~mask).sum()) == exact_count(mask.numel(), asked)
        state, original = ticket.subnetwork(source).plain_state(), source.network.plain_state()
        encoder = [one for one in original if one.startswith("bert.") and one not in ticket.masks]
        assert all(torch.equal(state[one], original[one]) for one in encoder), "the ticket restarts from the source"


def test_bert_tickets_lose_a_tenth_of_the_original_in_every_round(source: rt.Source) -> None:
    settings = changed(quick(load_recipe("bert-lth").draw), {"sparsity": [0.1, 0.2, 0.3]})
    tickets = draw_all(source, settings=settings, seed=0)
    assert [ticket.sparsity for ticket in tickets] == pytest.approx([0.1, 0.2, 0.3], abs=1e-5)
    assert all(is_nested(after.masks, before.masks) for before, after in pairwise(tickets))


def test_the_learning_rate_ends_at_zero_in_every_round(source: rt.Source, tmp_path: Path) -> None:
    """The public code's schedule spans all rounds, so that its first round ends at nine tenths of the peak."""
    settings = load_recipe("bert-lth").draw
    peak, few = settings.training.optimiser.lr, {"tales": {"count": 64}, "validation": 0.25}
    training = {"batch_size": 8, "validate_every": 1, "precision": "fp32"}
    changes = {"sparsity": [0.3], "data": few, "timeline": {"epochs": 1}, "training": training}
    draw_all(source, settings=changed(settings, changes), seed=0, folder=tmp_path)
    logged = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in logged] == [6, 12, 18], "three rounds of six steps"
    assert [entry["lr"] for entry in logged] == pytest.approx([peak / 6] * 3), "the last of six steps to zero"


def test_early_bert_removes_half_of_the_heads_of_each_layer(source: rt.Source) -> None:
    (ticket,) = drawn(source, load_recipe("early-bert"), "draw")
    for layer in (0, 1):
        value = ticket.masks[f"bert.encoder.layer.{layer}.attention.self.value.weight"]
        rows = value.reshape(2, -1).all(1)
        assert rows.tolist().count(True) == 1
        assert rows.tolist().count(False) == 1
    inner = [ticket.masks[f"bert.encoder.layer.{layer}.intermediate.dense.weight"].all(1) for layer in (0, 1)]
    neurons = torch.cat(inner)
    assert int((~neurons).sum()) == exact_count(len(neurons), 0.4)


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_whole_run_ends_in_a_report(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    values: dict[str, Any] = {
        "sources": {
            "tiny": {
                "source": recipe.sources["tiny"].source.model_dump(),
                "pretrain": {"data": {"name": "tales", **FEW}, "training": {"epochs": 1, "batch_size": 16}},
            }
        },
        "data": FEW,
        "draw": quick(recipe.draw).model_dump(mode="json"),
        "transfers": {"full": {"seeds": [0], "training": {"epochs": 1, "batch_size": 16}}},
        "controls": [],
    }
    summary = rt.run(load_recipe(name, values=values), tmp_path / "run")
    assert (tmp_path / "run" / "report.html").exists()
    assert len(summary.rows) > 1
    assert "image" not in summary.model_dump_json()
