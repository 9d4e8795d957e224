"""Hidden words: logits are computed of these alone in training, and nothing else changes."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

import robust_tickets as rt
from robust_tickets.foundation.batch import Batch
from robust_tickets.models.adaptations.language.library import ENCODERS
from robust_tickets.models.network import Network
from robust_tickets.models.sources import load_source
from robust_tickets.objectives import AnyObjective
from robust_tickets.objectives.teacher import Teacher
from robust_tickets.tasks.masked_language import MaskedLanguage
from tests.language import inputs_of, language_folder

TASK = MaskedLanguage()


def network_and_batch(folder: Path, kind: str = "bert") -> tuple[Network, Batch]:
    """Return a network in float64 with dropout, and two texts of different lengths in which three words are hidden."""
    source = load_source(language_folder(folder, kind, "masked"))
    inputs = inputs_of(source)
    targets = torch.full_like(inputs["input_ids"], -100)
    for row, column, word in ((0, 1, 7), (0, 4, 9), (1, 2, 11)):
        targets[row, column] = word
    return source.network.double().train(), Batch(inputs, targets)


def learned(network: Network, batch: Batch, objective: Any = "standard") -> tuple[Tensor, dict[str, Tensor | None]]:
    """Return the loss of a batch under an objective, and the gradient of every parameter."""
    settings = TypeAdapter(AnyObjective).validate_python(objective)
    teacher = Teacher.copied(network, network.body) if settings.teaches_by is not None else None
    running = settings.build(network.body, teacher)
    network.zero_grad()
    network.train()
    torch.manual_seed(0)  # of dropout
    chance = torch.Generator().manual_seed(0)
    (loss,) = (one for one in running.losses(network, batch, TASK.criterion(0.1), chance))
    loss.backward()
    return loss.detach(), {
        name: None if one.grad is None else one.grad.clone() for name, one in network.named_parameters()
    }


def require_same(network: Network, batch: Batch, objective: Any = "standard") -> None:
    loss, gradients = learned(network, TASK.asking(batch), objective)
    whole, expected = learned(network, batch, objective)
    torch.testing.assert_close(loss, whole)
    assert any(gradient is not None and gradient.any() for gradient in expected.values())
    for name, gradient in expected.items():
        torch.testing.assert_close(gradients[name], gradient, msg=name)


@pytest.mark.parametrize("kind", ENCODERS)
def test_losses_and_gradients_are_those_of_logits_of_every_word(kind: str, tmp_path: Path) -> None:
    network, batch = network_and_batch(tmp_path, kind)
    asking = TASK.asking(batch)
    torch.manual_seed(0)
    whole = network(batch.inputs)
    torch.manual_seed(0)
    hidden = network(asking.inputs)
    assert hidden.shape == (3, network.num_classes)
    torch.testing.assert_close(hidden, whole[batch.targets >= 0])
    require_same(network, batch)


@pytest.mark.parametrize(
    "objective",
    [
        "freelb",
        {"kind": "pgd", "threat": {"norm": "l2", "epsilon": 0.1, "steps": 2, "step_size": 0.1}},
        {"kind": "distillation", "hidden": 1},
    ],
    ids=str,
)
def test_every_objective_learns_the_same(objective: Any, tmp_path: Path) -> None:
    network, batch = network_and_batch(tmp_path)
    require_same(network, batch, objective)


def test_a_batch_in_which_nothing_is_hidden_teaches_nothing(tmp_path: Path) -> None:
    network, batch = network_and_batch(tmp_path)
    nothing = Batch(batch.inputs, torch.full_like(batch.targets, -100))
    loss, gradients = learned(network, TASK.asking(nothing))
    assert loss == 0
    assert not any(gradient is not None and gradient.any() for gradient in gradients.values())
    worse = TASK.criterion(0).aim.loss(network(TASK.asking(batch).inputs), batch.targets)
    assert bool((worse > 0).all())


@pytest.mark.parametrize("parametrisation", ["fixed", "straight-through"])
def test_a_training_does_not_differ(parametrisation: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Masks of the embeddings, which are the output's weights too, are in force for hidden words as well."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for told in ("hidden", "whole"):
        if told == "whole":
            monkeypatch.setattr(MaskedLanguage, "asking", lambda self, batch: batch)
        rt.draw(
            rt.load_source(
                "tiny/bert", weights="random", tokenizer="tales", vocabulary_size=400, preprocessing={"length": 32}
            ),
            data=rt.DataSettings.model_validate({"name": "tales", "tales": {"count": 120}}),
            sparsity=0.3,
            score="learned" if parametrisation == "straight-through" else "magnitude",
            parametrisation=parametrisation,
            prunable={"include_embeddings": True},
            timeline={"kind": "one-shot", "epochs": 2},
            training={"batch_size": 8, "precision": "fp32"},
            head="fresh",
            folder=tmp_path / told,
        )
        (log,) = (tmp_path / told).rglob("metrics.jsonl")
        rows[told] = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(rows["whole"]) == 2
    for ours, theirs in zip(rows["hidden"], rows["whole"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)
