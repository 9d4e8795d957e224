"""Attacks on texts move word embeddings: in the embeddings' own ball, and never what is no word."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

import robust_tickets as rt
from robust_tickets.attacks import Threat
from robust_tickets.attacks.perturbable import perturbable
from robust_tickets.attacks.predict import attack_mode
from robust_tickets.data.batches import batches
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.language.library import ENCODERS
from robust_tickets.models.network import Network
from robust_tickets.models.sources import load_source
from robust_tickets.objectives import FreeLB, PGDTraining
from robust_tickets.tasks.classification import Classification, CrossEntropy
from robust_tickets.tasks.target import target_data
from tests.language import inputs_of, language_folder

MOODS = rt.DataSettings.model_validate({"name": "tale-moods", "tales": {"count": 48}})


@pytest.fixture(scope="module")
def subject() -> tuple[Network, Batch]:
    """Return a tiny BERT with a head for two classes, and eight texts of several lengths."""
    source = load_source("tiny/bert", weights="random", vocabulary_size=600)
    splits = target_data(MOODS, source, 0)
    network = Classification().adapt(source.network, splits, "fresh", 0, "tiny")
    return network.train(), next(iter(batches(splits.train, batch_size=8, seed=0)))


def points_of(network: Network, batch: Batch, objective: PGDTraining | FreeLB) -> list[Tensor]:
    """Return the embeddings that went into every pass of an objective."""
    seen: list[Tensor] = []

    def look(module: object, inputs: tuple[dict[str, Tensor]]) -> None:
        if "inputs_embeds" in inputs[0]:
            seen.append(inputs[0]["inputs_embeds"].detach().clone())

    hook = network.register_forward_pre_hook(look)
    generator = torch.Generator().manual_seed(0)
    for loss in objective.losses(network, batch, CrossEntropy(0.0), generator):
        loss.backward()
    hook.remove()
    return seen


@pytest.mark.parametrize(
    "objective",
    [PGDTraining(threat=Threat(norm="l2", epsilon=0.3, steps=3)), FreeLB()],
    ids=["pgd", "freelb"],
)
def test_embeddings_stay_in_the_ball_and_only_words_move(
    objective: PGDTraining | FreeLB, subject: tuple[Network, Batch]
) -> None:
    network, batch = subject
    network.zero_grad()
    clean = perturbable(network, batch.inputs)
    moves = torch.stack(points_of(network, batch, objective)) - clean.point.detach()
    lengths = moves.flatten(2).norm(dim=2)
    assert lengths.max() <= objective.threat.epsilon * (1 + 1e-5)
    assert lengths[-1].min() > 0.01
    ids: Tensor = batch.inputs["input_ids"]
    no_word = (batch.inputs["attention_mask"] == 0) | (ids <= 4)  # [PAD], [UNK], [CLS], [SEP], [MASK]
    assert no_word.any()
    assert moves[:, no_word].abs().max() == 0


def test_training_on_attacked_texts_teaches_the_table_of_words(subject: tuple[Network, Batch]) -> None:
    network, batch = subject
    network.zero_grad()
    points_of(network, batch, PGDTraining(threat=Threat(norm="l2", epsilon=0.3, steps=1)))
    table = next(p for name, p in network.body.named_parameters() if name.endswith("word_embeddings.weight"))
    assert table.grad is not None
    used = batch.inputs["input_ids"].unique()
    assert table.grad[used[used > 4]].abs().sum(1).min() > 0


def test_the_attack_raises_the_loss(subject: tuple[Network, Batch]) -> None:
    network, batch = subject
    objective = PGDTraining(threat=Threat(norm="l2", epsilon=1.0, steps=5))
    *_, last = points_of(network, batch, objective)
    with attack_mode(network) as attacked, torch.no_grad():
        given = perturbable(attacked, batch.inputs)
        before = CrossEntropy(0.0)(attacked(batch.inputs), batch.targets)
        after = CrossEntropy(0.0)(attacked(given.inputs(last)), batch.targets)
    assert after > before


@pytest.mark.parametrize("kind", ENCODERS)
@torch.no_grad()
def test_embeddings_in_the_place_of_ids_give_the_same_logits(kind: str, tmp_path: Path) -> None:
    source = load_source(language_folder(tmp_path, kind, "sequence", num_labels=3))
    network, inputs = source.network.eval(), inputs_of(source)
    given = perturbable(network, inputs)
    torch.testing.assert_close(network(given.inputs(given.point)), network(inputs))


def refusals() -> Iterator[tuple[dict[str, object], str]]:
    yield {"objective": "trades"}, "needs pixel-inputs, which classification of texts does not have"
    yield {"mixup": 0.2}, "training.mixup: mixes images, but these data are texts; set it to 0"
    yield {"objective": "pgd", "keep": "best"}, "epochs are selected under attack, which is for images"


@pytest.mark.parametrize(("training", "words"), list(refusals()), ids=["trades", "mixup", "keep"])
def test_what_only_images_have_is_refused_in_one_line(training: dict[str, object], words: str) -> None:
    source = load_source("tiny/bert", weights="random", vocabulary_size=600)
    with pytest.raises(UserError, match=words):
        rt.transfer(source, MOODS, training=training, seeds=(0,))
