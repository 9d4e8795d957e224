"""A search gives a smaller network and its ticket, which agree, and goes on where it was."""

from math import cos, pi
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

import robust_tickets as rt
from robust_tickets.foundation.files import read_json
from robust_tickets.models.names import require_for_images
from robust_tickets.shrinking.counts import multiply_adds, parameter_count
from robust_tickets.verbs.search import Searched
from tests.verbs.small import PARTS, small_source, times

QUICK: dict[str, Any] = {
    "epochs": 2,
    "min_steps": 0,
    "pull": 4,
    "threshold": 0.1,
    "training": {"warmup": 0},
    "shrink": {"round_to": 1, "rounds": 3},
}
"""A search that removes channels in 32 steps, and learns nothing worth keeping."""

SMALL = {**QUICK, "epochs": 6, "training": {"warmup": 0, "batch_size": 10}}
"""The same for the small network and its few images."""


def supernet() -> rt.Source:
    stated = {"preprocessing": {"size": [8, 8]}, "num_classes": 10, "in_channels": 1}
    return rt.load_source("supernet/hr8-1", weights="random", **stated)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("searched") / "search"


@pytest.fixture(scope="module")
def found(place: Path) -> Searched:
    return rt.search(supernet(), "digits", folder=place, **QUICK)


def test_the_smaller_network_computes_what_the_masked_one_does(found: Searched, place: Path) -> None:
    masked, small = found.ticket.subnetwork(supernet()).eval(), rt.load(place / "network")
    images = found.data.test[0][0][None].repeat(8, 1, 1, 1) * torch.rand(8, 1, 8, 8)
    with torch.no_grad():
        expected = masked(images)
        for network in (small, found.network):
            assert torch.allclose(network(images), expected, atol=1e-4 * expected.std().item())
    assert parameter_count(small) < parameter_count(masked)
    assert multiply_adds(small, images[:1]) < multiply_adds(masked, images[:1])
    assert (small.num_classes, masked.num_classes) == (10, 10)


def test_what_it_says_of_the_network_is_so(found: Searched, place: Path) -> None:
    network = rt.load(place / "network")
    assert found.report.shrunk.parameters == parameter_count(network)
    assert found.report.shrunk.multiply_adds == multiply_adds(network, torch.rand(1, 1, 8, 8))
    assert found.zeros == pytest.approx(
        1 - sum(int(p.count_nonzero()) for p in network.parameters()) / parameter_count(network)
    )
    images, labels = zip(*(found.data.test[number] for number in range(len(found.data.test))), strict=True)
    with torch.no_grad():
        right = (network(torch.stack(images)).argmax(1) == torch.tensor([int(label) for label in labels])).sum()
    assert found.evaluated.runs[0].standard == pytest.approx(int(right) / len(images), abs=2 / len(images))
    assert found.evaluated.images == len(images)


def test_channels_are_counted_layer_by_layer(found: Searched) -> None:
    gone = sum(one.channels - one.left for one in found.channels)
    assert gone > 0
    assert all(1 <= one.left <= one.channels for one in found.channels)
    whole = sum(one.channels for one in found.channels if not one.reason)
    assert found.removals[-1].channels == pytest.approx(1 - gone / whole)
    for one in found.channels:
        (layer,) = {found.network.body.get_submodule(name).out_channels for name in one.layers}
        assert layer == one.written <= one.left
    assert found.sentences()[0] == (
        f"A training of 32 steps removed {gone} of {whole} channels, and with them "
        f"{100 * (1 - found.removals[-1].multiply_adds):.1f} % of the multiply-adds. In all, 80 % of the weights are "
        "removed."
    )


def test_the_ticket_is_an_ordinary_one(found: Searched, place: Path) -> None:
    ticket = rt.Ticket.load(place / "ticket")
    assert ticket.digest == found.ticket.digest
    assert ticket.sparsity == pytest.approx(0.8, abs=1e-3)
    assert ticket.recipe["draw"]["parametrisation"]["penalty"] == found.penalty
    assert ticket.recipe["draw"]["timeline"]["kind"] == "search"


def test_a_second_call_draws_measures_and_writes_nothing(found: Searched, place: Path) -> None:
    before = times(place)
    again = rt.search(supernet(), "digits", folder=place, **QUICK)
    assert times(place) == before
    assert (again.sentences(), again.channels, again.removals) == (found.sentences(), found.channels, found.removals)


def test_a_network_of_ones_own_is_searched_and_nothing_is_kept() -> None:
    found = rt.search(small_source(), PARTS, **SMALL, sparsity=0.5)
    assert found.folder is None
    assert found.ticket.sparsity == pytest.approx(0.5, abs=1e-3)
    assert isinstance(found.network.body, type(small_source().network.body))
    assert found.network(torch.rand(2, 3, 8, 8)).shape == (2, 3)


def test_a_search_that_removes_no_channel_says_why() -> None:
    found = rt.search(small_source(), PARTS, **{**QUICK, "threshold": 0.001, "pull": 0.5})
    assert found.removals == ()
    assert found.sentences()[0].startswith(
        "A training of 2 steps removed 0 of 24 channels: no gain fell to 0.001, or the sparsity left no room (a higher "
        "pull than 0.5, "
    )


def test_other_settings_are_another_search_but_the_network_may_be_written_otherwise(tmp_path: Path) -> None:
    found = rt.search(small_source(), PARTS, folder=tmp_path, **SMALL)
    with pytest.raises(rt.UserError, match=r"contains work with settings.pull = 4.0, now 5.0"):
        rt.search(small_source(), PARTS, folder=tmp_path, **{**SMALL, "pull": 5})
    drawn = times(tmp_path / "ticket")
    rounded = rt.search(small_source(), PARTS, folder=tmp_path, **{**SMALL, "shrink": {"round_to": 4, "rounds": 3}})
    assert times(tmp_path / "ticket") == drawn
    assert rounded.ticket.digest == found.ticket.digest
    assert rounded.report.removal.multiple == 4
    assert rounded.report.shrunk.parameters > found.report.shrunk.parameters
    for one, before in zip(rounded.channels, found.channels, strict=True):
        assert (one.channels, one.left) == (before.channels, before.left)
        assert one.written == -(-one.left // 4) * 4
        assert before.written == before.left


def test_the_penalty_takes_the_pull_over_the_whole_training() -> None:
    """By hand: 4 epochs of 5 steps, one of them warm-up, cosine; rho rises over the first tenth, which is 2 steps."""
    settings = rt.SearchSettings(epochs=4, min_steps=0, pull=1.5)
    rates = [0.05 * step / 5 for step in (1, 2, 3, 4, 5)]
    rates += [0.05 * 0.5 * (1 + cos(pi * step / 15)) for step in range(15)]
    weight = [0.0, 0.5, *[1.0] * 18]
    moved = sum(rate * share for rate, share in zip(rates, weight, strict=True)) / (1 - 0.9)
    assert settings.penalty_over(5) == pytest.approx(1.5 / moved)


def test_a_constant_pull_does_take_that_much_from_a_gain() -> None:
    """The formula against SGD itself, but for the steps that momentum still has to go after the last one."""
    settings = rt.SearchSettings.model_validate({"epochs": 40, "min_steps": 0, "pull": 0.7, "training": {"warmup": 2}})
    plan, rho = settings.timeline.plan(0.8, 25), settings.penalty_over(25)
    gain = nn.Parameter(torch.ones(()))
    optimiser = settings.training.optimiser.build([{"params": [gain], "lr": 0.0, "weight_decay": 0.0}])
    for step in range(plan.steps):
        warm, late = min(1.0, (step + 1) / 50), (step - 50) / (plan.steps - 50)
        optimiser.param_groups[0]["lr"] = 0.05 * (warm if step < 50 else 0.5 * (1 + cos(pi * late)))
        gain.grad = torch.tensor(rho * min(1.0, plan.moment(step).progress / 0.1))
        optimiser.step()
    assert 1 - gain.item() == pytest.approx(0.7, rel=0.03)


def test_the_penalty_may_be_given_and_needs_to_be_where_it_cannot_be_derived() -> None:
    assert rt.SearchSettings(penalty=0.02).penalty_over(5) == 0.02
    adamw = {"optimiser": {"kind": "adamw", "lr": 1e-3}}
    assert rt.SearchSettings.model_validate({"penalty": 0.02, "training": adamw}).penalty_over(5) == 0.02
    with pytest.raises(ValidationError, match="penalty: is missing; under adamw it cannot be derived from pull"):
        rt.SearchSettings.model_validate({"training": adamw})
    clipped = {"optimiser": {"kind": "sgd", "lr": 0.05}, "clip_norm": 1.0}
    with pytest.raises(ValidationError, match="penalty: is missing; under clip_norm it cannot be derived"):
        rt.SearchSettings.model_validate({"training": clipped})
    with pytest.raises(ValidationError, match="objective free, which steps several times, it cannot be derived"):
        rt.SearchSettings.model_validate({"training": {"objective": {"kind": "free"}}})


def test_the_timeline_keeps_the_papers_proportions_whatever_the_length() -> None:
    timeline = rt.SearchSettings(epochs=60).timeline
    assert (timeline.prune_every, timeline.final, timeline.epochs) == (5, 50, 60)
    assert timeline.plan(0.8, 3).steps == 1000
    assert timeline.plan(0.8, 30).steps == 1800


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"training": {"epochs": 3}}, "training.epochs: how long a search trains is said by `epochs`"),
        ({"shrink": {"half": True}}, "shrink.half: is of files, and a search writes a folder"),
        ({"shrink": {"int8": {}}}, "shrink.int8: is of files"),
        ({"epochs": 0.01}, "epochs: 0.01 epochs are too few training steps to search in"),
        ({"training": {"objective": "simclr", "warmup": 0}}, "training.objective: SimCLR learns without labels"),
        ({"training": {"keep": "best", "warmup": 0}}, "training.keep: best: a draw ends where its timeline ends"),
    ],
    ids=str,
)
def test_settings_that_no_search_can_have_are_refused_before_training(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(rt.UserError, match=said):
        rt.search(small_source(), PARTS, folder=tmp_path / "new", **{**QUICK, **change})
    assert not (tmp_path / "new").exists()


def test_sources_and_data_that_cannot_be_searched_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    plain = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 3))
    without = rt.load_source(plain, preprocessing=rt.Pixels(mean=(0.5,) * 3, std=(0.25,) * 3, size=(8, 8)))
    with pytest.raises(rt.UserError, match="has no batch norm, whose scales are the gains of channels"):
        rt.search(without, PARTS, folder=folder)
    with pytest.raises(rt.UserError, match="takes texts; a search needs a convolutional network for images"):
        rt.search("tiny/bert", "tales", weights="random", folder=folder)
    with pytest.raises(rt.UserError, match="glyph-scenes: has boxes around objects; a search needs one label for each"):
        rt.search(small_source(), "glyph-scenes", folder=folder)
    assert not folder.exists()


def test_names_of_language_models_need_no_loading_to_be_refused() -> None:
    for name in ("tiny/bert", "hf/google-bert/bert-base-uncased"):
        with pytest.raises(rt.UserError, match=f"{name}: reads texts, and a network for images is needed"):
            require_for_images(name)
    require_for_images("supernet/hr8-2")


def test_the_penalty_is_recorded_where_work_is_kept(found: Searched, place: Path) -> None:
    assert read_json(place / "settings.json")["verb"] == "search"
    assert found.penalty == pytest.approx(rt.SearchSettings.model_validate(QUICK).penalty_over(16))
