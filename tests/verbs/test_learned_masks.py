"""What learning a mask is for: without any further training, it keeps more of what the dense network can do."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor, nn

import robust_tickets as rt
from robust_tickets.models.network import Network
from robust_tickets.objectives.hidden_states import caught, distance
from tests.verbs.small import PARTS, THOROUGH, small_source

PAGE = Path(__file__).resolve().parents[2] / "docs" / "learned_masks.md"
ADAMW = {"kind": "adamw", "weight_decay": 0}
LAYERS = ["features.0", "features.3"]
HIDDEN = {"kind": "distillation", "task": 0, "soft_labels": 0, "hidden": 1, "layers": LAYERS}
AT: dict[str, Any] = {"sparsity": 0.85, "scope": "layer"}
LEARNED: dict[str, dict[str, Any]] = {
    "gates": {
        "parametrisation": {"kind": "hard-concrete", "penalty": 2},
        "timeline": {"kind": "one-shot", "epochs": 40},
        "training": {"batch_size": 20, "optimiser": {**ADAMW, "lr": 0.1}, "head_lr": 0.001},
    },
    "thresholds": {
        "parametrisation": {"kind": "thresholded", "every": 10},
        "timeline": {"kind": "one-shot", "epochs": 20},
        "training": {"batch_size": 20, "optimiser": {**ADAMW, "lr": 0.002}},
    },
    "movement": {
        "parametrisation": "movement",
        "timeline": {"kind": "gradual", "initial": 0, "start": 2, "end": 15, "every": 0.5, "epochs": 20},
        "rewind": "none",
        "training": {"batch_size": 20, "optimiser": {**ADAMW, "lr": 0.003}},
    },
}


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return rt.pretrain(small_source(), PARTS, **{**THOROUGH, "epochs": 25, "validate_every": 25})


def loss_of(network: nn.Module) -> float:
    """Return the loss on test images, with the statistics of these images."""
    with torch.no_grad():
        logits = copy.deepcopy(network).train()(PARTS["test"].images)
    return F.cross_entropy(logits, PARTS["test"].labels).item()


def hidden_states_of(network: Network) -> dict[str, Tensor]:
    """Return the outputs of `LAYERS` on test images."""
    with torch.no_grad(), caught(network.body, LAYERS) as states:
        network.eval()(PARTS["test"].images)
    return states


@pytest.mark.parametrize("way", LEARNED)
def test_learned_masks_keep_more_than_one_shot_magnitude(way: str, source: rt.Source) -> None:
    magnitude = rt.draw(source, **AT)
    learned = rt.draw(source, score="learned", data=PARTS, **AT, **LEARNED[way])
    assert learned.sparsity == magnitude.sparsity
    assert loss_of(learned.subnetwork()) < 0.7 * loss_of(magnitude.subnetwork())


def test_masks_learned_by_hidden_states_keep_those(source: rt.Source) -> None:
    """They know of no labels, so that these may suffer: what they keep is what they learned."""
    by_hidden = {**LEARNED["thresholds"], "training": {**LEARNED["thresholds"]["training"], "objective": HIDDEN}}
    dense = hidden_states_of(source.network)

    def apart(ticket: rt.Ticket) -> float:
        return distance(hidden_states_of(ticket.subnetwork()), dense).item()

    learned = [apart(rt.draw(source, score="learned", data=PARTS, seed=s, **AT, **by_hidden)) for s in (0, 1)]
    assert sum(learned) / 2 < 0.9 * apart(rt.draw(source, **AT))


def test_the_settings_of_the_page_are_settings() -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in text.split("```yaml")[1:]]
    assert len(blocks) >= 4
    for block in blocks:
        drawn = rt.DrawSettings.model_validate(yaml.safe_load(block)["draw"])
        assert drawn.timeline.plan(drawn.sparsities[-1] or 0.9, 100).steps > 0
