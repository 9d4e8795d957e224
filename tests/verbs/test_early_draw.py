"""EarlyBERT's search on a small transformer: heads and neurons drawn early, from the weights that it came with."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch

import robust_tickets as rt
from robust_tickets.data.settings import DataSettings
from robust_tickets.findings.early_draws import early_draw_sections
from robust_tickets.foundation.files import read_json, write_json
from robust_tickets.models.couplings import trace_couplings
from robust_tickets.pipeline.draw_records import draw_distances
from robust_tickets.recipe import load_recipe
from robust_tickets.shrinking.removal import remove_channels
from robust_tickets.ticket.cost import Cost

HEADS, NEURONS, LAYERS = 6, 20, 2
SETTINGS: dict[str, Any] = {
    "sparsity": 0.4,
    "score": "learned",
    "group": "several",
    "scope": {"kind": "each", "head": {"sparsity": 1 / 3}, "neuron": {"scope": "global"}},
    "parametrisation": "coefficients",
    "timeline": {"kind": "early", "epochs": 0.5, "every": 2},
    "head": "fresh",
    "training": {
        "batch_size": 16,
        "schedule": "constant",
        "optimiser": {"kind": "adamw", "lr": 0.01, "weight_decay": 0},
    },
}
DATA = DataSettings(name="digits", per_class=32)


def source() -> rt.Source:
    torch.manual_seed(0)
    body = timm.models.VisionTransformer(
        img_size=8, patch_size=4, in_chans=1, embed_dim=24, depth=LAYERS, num_heads=HEADS,
        mlp_ratio=NEURONS / 24, num_classes=10,
    )  # fmt: skip
    return rt.load_source(body, preprocessing={"mean": [0.5], "std": [0.5], "size": 8})


def early(folder: Path, **timeline: float) -> rt.Ticket:
    settings = SETTINGS | {"timeline": SETTINGS["timeline"] | timeline}
    return rt.draw(source(), settings=rt.DrawSettings.model_validate(settings), data=DATA, folder=folder)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[rt.Ticket, Path]:
    folder = tmp_path_factory.mktemp("early") / "ticket"
    return early(folder), folder


def test_a_third_of_the_heads_of_each_layer_and_two_fifths_of_all_neurons_are_removed(
    drawn: tuple[rt.Ticket, Path],
) -> None:
    ticket, _ = drawn
    body = source().network.body
    couplings = trace_couplings(body, torch.zeros(1, 1, 8, 8), ticket.prunable)
    gone = {}
    for coupling in couplings:
        rows = ~ticket.masks[coupling.name].any(1)
        gone[coupling.name] = int(rows[coupling.producers[0].index].all(1).sum())
    assert [gone[coupling.name] for coupling in couplings if coupling.are_heads] == [HEADS // 3] * LAYERS
    neurons = [gone[coupling.name] for coupling in couplings if not coupling.are_heads]
    assert sum(neurons) == round(0.4 * NEURONS * LAYERS)


def test_the_ticket_restarts_from_the_weights_it_came_with(drawn: tuple[rt.Ticket, Path]) -> None:
    ticket, _ = drawn
    assert ticket.stored is None
    network = ticket.subnetwork(source())
    for name, parameter in source().network.body.named_parameters():
        if not name.startswith("head."):
            kept = ticket.masks.get(name, torch.ones_like(parameter, dtype=torch.bool))
            assert torch.equal(network.body.get_parameter(name), parameter * kept), name


def test_heads_and_neurons_go_from_the_network_for_good(drawn: tuple[rt.Ticket, Path]) -> None:
    ticket, _ = drawn
    masked = ticket.subnetwork(source())
    removal = remove_channels(masked.body, ticket.masks, torch.zeros(1, 1, 8, 8))
    assert removal.counts.channels_removed == LAYERS * HEADS // 3 + round(0.4 * NEURONS * LAYERS)
    assert removal.counts.multiply_adds_after < 0.75 * removal.counts.multiply_adds_before


def test_the_distance_of_draws_is_recorded_over_steps(drawn: tuple[rt.Ticket, Path]) -> None:
    _, folder = drawn
    distances = read_json(folder / "result.json")["mask_distances"]
    steps = [step for step, _ in distances]
    assert steps == [4, 6, 8, 10]  # from the second draw on, up to half an epoch of 20 steps
    assert all(0 <= distance <= 1 for _, distance in distances)
    assert any(distance > 0 for _, distance in distances)


def test_a_draw_ends_as_soon_as_draws_agree_and_never_after_its_latest_time(
    drawn: tuple[rt.Ticket, Path], tmp_path: Path
) -> None:
    ticket, _ = drawn
    sooner = early(tmp_path / "sooner", threshold=1.0)
    assert [step for step, _ in read_json(tmp_path / "sooner" / "result.json")["mask_distances"]] == [4]
    cost = Cost.of(tmp_path / "sooner")
    assert cost is not None
    assert (cost.steps, cost.examples) == (4, 4 * 16), "what the plan had left was not trained"
    fixed = early(tmp_path / "fixed", epochs=0.2)
    assert all(torch.equal(mask, fixed.masks[name]) for name, mask in sooner.masks.items())
    same = early(tmp_path / "same", threshold=1.0, times=99)
    assert all(torch.equal(mask, same.masks[name]) for name, mask in ticket.masks.items())


def test_draws_that_compare_nothing_record_nothing(tmp_path: Path) -> None:
    rt.draw(source(), sparsity=0.5, group="head", folder=tmp_path / "ticket")
    assert "mask_distances" not in read_json(tmp_path / "ticket" / "result.json")


def test_the_report_shows_the_distance_over_steps(tmp_path: Path) -> None:
    pairs = [[4, 0.25], [6, 0.125], [8, 0.0]]
    for name, result in (("early", {"mask_distances": pairs}), ("other", {"rungs": []})):
        write_json(tmp_path / "tickets" / "source" / name / "result.json", result)
    (section,) = early_draw_sections(draw_distances(tmp_path))
    assert section.tables[0].rows == (("source/early", 8, 25.0, 0.0),)
    (line,) = section.charts[0].lines
    assert (line.name, line.x, line.y) == ("source/early", (4, 6, 8), (25.0, 12.5, 0.0))
    assert early_draw_sections(draw_distances(tmp_path / "elsewhere")) == []


def test_the_recipe_draws_from_a_language_model_and_trains_what_is_left(tmp_path: Path) -> None:
    """The paper's own case, at tiny scale: everything but sizes is the recipe's."""
    small = {"name": "tale-topics", "per_class": 24}
    recipe = load_recipe("early-bert", values={"draw": {"data": small}, "data": small})
    source = rt.load_source("tiny/bert", weights="random", vocabulary_size=400)
    ticket = rt.draw(source, settings=recipe.draw, folder=tmp_path / "ticket")
    assert ticket.stored is None
    body = source.network.body
    couplings = trace_couplings(body, source.network.interface.example(1), ticket.prunable)
    heads = [coupling for coupling in couplings if coupling.are_heads]
    assert [heads[0].channels, len(heads)] == [2, 2]
    for coupling in heads:
        rows = ~ticket.masks[coupling.name].any(1)
        assert int(rows[coupling.producers[0].index].all(1).sum()) == 1
    settings = recipe.transfers["full"].model_copy(update={"seeds": (0,)})
    assert settings.compact
    run = rt.transfer(ticket, DataSettings.model_validate(small), settings=settings).runs[0]
    for name, mask in ticket.masks.items():
        assert not run.network.body.get_parameter(name)[~mask].any(), name
