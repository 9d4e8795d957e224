"""The patterns of arXiv 2304.11834 and removable channels, drawn in every way, against brute force over what they rank.

In the public code structured scores were those of the weights before the pretrained ones were loaded; so here every
source is trained, saved and loaded again.
"""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

import robust_tickets as rt
from robust_tickets.models.couplings import trace_couplings
from robust_tickets.pruning.ranking import exact_count
from robust_tickets.verbs.draw_settings import DrawSettings
from robust_tickets.verbs.pretrain import pretrain

DATA = {"name": "digits", "per_class": 10, "validation": 0}
TRAINING = {"epochs": 2, "batch_size": 25, "optimiser": {"kind": "sgd", "lr": 0.05}, "precision": "fp32"}
OBJECTIVES: dict[str, Any] = {"natural": "standard", "robust": {"kind": "fgsm-rs", "epsilon": 0.1}}
WAYS: dict[str, dict[str, Any]] = {
    "one-shot": {},
    "iterative": {"timeline": {"kind": "iterative", "rounds": 2, "rate": None, "epochs": 0.5}},
    "learned": {
        "score": "learned",
        "parametrisation": {"kind": "straight-through", "init": "scaled"},
        "timeline": {"kind": "one-shot", "epochs": 1},
    },
}
PATTERNS = {"element": 0, "row": 1, "kernel": 2, "filter": 3}
"""How many of the last dimensions of a weight [out, in, height, width] are one group."""

SPARSITY = 0.4


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, rt.Source]:
    made = {}
    network = rt.SourceSettings(name="demo/resnet4", weights="random", num_classes=10, in_channels=1)
    for name, objective in OBJECTIVES.items():
        folder = tmp_path_factory.mktemp("sources") / name
        training = rt.Training.model_validate({**TRAINING, "objective": objective})
        pretrain(network, rt.DataSettings.model_validate(DATA), training=training, folder=folder)
        made[name] = rt.load_source(str(folder))
    return made


class LastRanked:
    """The prunable tensors that the optimiser left last: weights, or the scores of a learned mask."""

    def __init__(self, shapes: dict[str, torch.Size]) -> None:
        self.shapes, self.values = shapes, dict[str, Tensor]()

    def look(self, optimiser: torch.optim.Optimizer, *_: Any) -> None:
        trained = [p for group in optimiser.param_groups for p in group["params"] if p.dim() == 4]
        assert [p.shape for p in trained] == list(self.shapes.values())
        self.values = {name: p.detach().clone() for name, p in zip(self.shapes, trained, strict=True)}


@cache
def channels_of(source: rt.Source, names: tuple[str, ...]) -> list[list[tuple[str, int]]]:
    couplings = trace_couplings(source.network.body, torch.zeros(1, 1, 16, 16), names)
    return [[(one.parameter, one.dim) for one in coupling.producers] for coupling in couplings]


def drawn(source: rt.Source, way: str, group: str, scope: str) -> tuple[rt.Ticket, dict[str, Tensor]]:
    """Return a ticket, and the weights or scores it was selected from, as they were seen from outside."""
    settings = DrawSettings.model_validate(
        {"sparsity": SPARSITY, "group": group, "scope": scope, "data": DATA, "training": TRAINING, **WAYS[way]}
    )
    weights = {name: p.detach() for name, p in source.network.body.named_parameters() if p.dim() == 4}
    ranked = LastRanked({name: weight.shape for name, weight in weights.items()})
    hook = register_optimizer_step_post_hook(ranked.look)
    try:
        ticket = rt.draw(source, settings=settings)
    finally:
        hook.remove()
    assert list(ticket.prunable) == list(weights)
    return ticket, ranked.values or weights


@pytest.mark.parametrize("series", OBJECTIVES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("group", PATTERNS)
def test_a_pattern_keeps_exactly_the_groups_that_brute_force_keeps(
    sources: dict[str, rt.Source], series: str, way: str, group: str
) -> None:
    ticket, ranked = drawn(sources[series], way, group, "layer")
    for name in ticket.prunable:
        last = 4 - PATTERNS[group]
        size = ranked[name].flatten(last).shape[-1] if last < 4 else 1
        scores = ranked[name].abs().reshape(-1, size).sum(1)
        mask = ticket.masks[name].reshape(-1, size)
        assert torch.equal(mask.any(1), mask.all(1)), "a group goes as one"
        removed = exact_count(SPARSITY, len(scores))
        expected = torch.ones(len(scores), dtype=torch.bool)
        expected[scores.argsort()[:removed]] = False
        assert torch.equal(mask.all(1), expected)
    assert ticket.init == "source"


@pytest.mark.parametrize("series", OBJECTIVES)
@pytest.mark.parametrize("way", WAYS)
def test_channels_are_removed_whole_and_end_up_exactly_zero(
    sources: dict[str, rt.Source], series: str, way: str
) -> None:
    source = sources[series]
    ticket, ranked = drawn(source, way, "channel", "layer")
    removed_at = {}
    for producers in channels_of(source, ticket.prunable):
        scores = sum(ranked[name].abs().flatten(1).sum(1) for name, _ in producers)
        assert isinstance(scores, Tensor)
        alive = ticket.masks[producers[0][0]].flatten(1).any(1)
        expected = torch.ones_like(alive)
        expected[scores.argsort()[: exact_count(SPARSITY, len(scores))]] = False
        assert torch.equal(alive, expected)
        for name, _ in producers:
            assert torch.equal(ticket.masks[name].flatten(1).all(1), alive)
            removed_at[name] = ~alive
    outputs = {}
    network = ticket.subnetwork().eval()
    for name, module in network.body.named_modules():
        if f"{name}.weight" in removed_at and isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda _, __, out, name=name: outputs.update({name: out}))
    network(torch.rand(2, 1, 16, 16))
    assert outputs
    assert all(not outputs[name][:, removed_at[f"{name}.weight"]].any() for name in outputs)


@pytest.mark.parametrize("way", WAYS)
def test_scores_may_compete_over_the_whole_network(sources: dict[str, rt.Source], way: str) -> None:
    ticket, ranked = drawn(sources["robust"], way, "element", "global")
    scores = torch.cat([ranked[name].abs().flatten() for name in ticket.prunable])
    kept = torch.cat([ticket.masks[name].flatten() for name in ticket.prunable])
    assert int((~kept).sum()) == exact_count(SPARSITY, len(scores))
    assert scores[kept].min() >= scores[~kept].max()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"group": "kernel", "timeline": {"kind": "drop-and-grow", "every": 1}}, "moves single weights"),
        ({"group": "channel", "scope": "erk"}, "works with scope"),
        ({"group": "filter", "score": "learned"}, "needs parametrisation"),
        ({"group": "channel", "parametrisation": "straight-through"}, "needs score 'learned'"),
        ({**WAYS["learned"], "timeline": "iterative"}, "decides masks once, at one sparsity"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_trains(
    sources: dict[str, rt.Source], settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(rt.UserError, match=message):
        rt.draw(sources["natural"], data=rt.DataSettings.model_validate(DATA), folder=tmp_path / "ticket", **settings)
    assert not (tmp_path / "ticket").exists()
