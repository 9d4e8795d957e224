"""Distillation: its formulas, its teacher, and how layers are named."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
from pydantic import ValidationError
from torch import Tensor, nn

from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError
from robust_tickets.objectives import Distillation
from robust_tickets.objectives.hidden_states import blocks_of, distance, named_layers
from robust_tickets.objectives.teacher import Teacher
from robust_tickets.tasks.classification import Classification, CrossEntropy
from robust_tickets.tasks.detection import Detection
from robust_tickets.tasks.masked_language import MaskedLanguage
from robust_tickets.tasks.question_answering import QuestionAnswering
from robust_tickets.tasks.regression import Regression
from robust_tickets.tasks.segmentation import Segmentation
from robust_tickets.tasks.task import Task
from robust_tickets.tasks.token_classification import TokenClassification
from robust_tickets.training.settings import Training
from robust_tickets.training.targets import criterion_for
from tests.objectives.digits import digits, fresh_network, trained_network


class Given(nn.Module):
    """Logits that are a table, and nothing else."""

    def __init__(self, logits: list[list[float]]) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.tensor(logits))

    def forward(self, rows: Tensor) -> Tensor:
        return self.table[rows]


class Encoder(nn.Module):
    """Three layers over tokens, some of which are padding; a head on the first token."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.words = nn.Embedding(20, width)
        self.layer = nn.ModuleList(Layer(width) for _ in range(3))
        self.head = nn.Linear(width, 2)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        states = self.words(inputs["input_ids"])
        for layer in self.layer:
            (states,) = layer(states)
        return self.head(states[:, 0])


class Layer(nn.Module):
    """Returns a tuple, as the layers of transformers do."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width)

    def forward(self, states: Tensor) -> tuple[Tensor]:
        return (self.inner(states).tanh() + states,)


def loss_of(settings: Distillation, network: nn.Module, teacher: nn.Module, batch: Batch) -> Tensor:
    running = settings.build(network, Teacher.copied(teacher, teacher))
    (loss,) = running.losses(network, batch, CrossEntropy(0), torch.Generator())
    return loss


def test_soft_labels_are_the_divergence_at_a_temperature_worked_out_by_hand() -> None:
    ours, theirs, t = [[0.0, 1.0], [2.0, -1.0]], [[1.0, 0.0], [0.5, 0.5]], 2.0
    batch = Batch(torch.tensor([0, 1]), torch.tensor([1, 0]))
    network = Given(ours)
    loss = loss_of(Distillation(task=0.5, soft_labels=3, temperature=t), network, Given(theirs), batch)

    def softmax(row: list[float], temperature: float) -> list[float]:
        powers = [math.exp(x / temperature) for x in row]
        return [power / sum(powers) for power in powers]

    divergence = (
        sum(
            p * math.log(p / q)
            for a, b in zip(ours, theirs, strict=True)
            for p, q in zip(softmax(b, t), softmax(a, t), strict=True)
        )
        / 2
    )
    fitted = -(math.log(softmax(ours[0], 1)[1]) + math.log(softmax(ours[1], 1)[0])) / 2
    assert loss.item() == pytest.approx(0.5 * fitted + 3 * t**2 * divergence, rel=1e-5)
    loss.backward()
    # d/dz of T^2 KL is T (q - p), here for the first class of the first example.
    assert network.table.grad is not None
    expected = 3 * t * (softmax(ours[0], t)[0] - softmax(theirs[0], t)[0]) / 2 + 0.5 * softmax(ours[0], 1)[0] / 2
    assert network.table.grad[0, 0].item() == pytest.approx(expected, rel=1e-4)


def test_a_network_that_equals_its_teacher_has_nothing_to_learn() -> None:
    images, labels, _, _ = digits()
    network = copy.deepcopy(trained_network()).eval()
    settings = Distillation(task=0, soft_labels=1, hidden=1, layers=("0", "3"))
    assert abs(loss_of(settings, network, network, Batch(images[:32], labels[:32])).item()) < 1e-6


def test_hidden_states_are_a_mean_over_layers_of_one_minus_cosine() -> None:
    tokens = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, -2.0]])[None]
    theirs = torch.tensor([[0.0, 3.0], [2.0, 2.0], [0.0, 5.0]])[None]
    # Cosines 0, 1, -1; without the padded third token 0, 1.
    assert distance({"a": tokens}, {"a": theirs}).item() == pytest.approx(1.0)
    counted = torch.tensor([[True, True, False]])
    assert distance({"a": tokens}, {"a": theirs}, counted).item() == pytest.approx(0.5)
    maps = torch.tensor([[[[1.0, 0.0]]], [[[0.0, 2.0]]]])
    other = torch.tensor([[[[1.0, 1.0]]], [[[0.0, 1.0]]]])
    assert distance({"m": maps}, {"m": other}).item() == pytest.approx((1 - math.sqrt(0.5)) / 2)
    both = distance({"a": tokens, "m": maps}, {"a": theirs, "m": other}).item()
    assert both == pytest.approx((1.0 + (1 - math.sqrt(0.5)) / 2) / 2)


def test_layers_of_an_encoder_are_found_and_padding_does_not_count() -> None:
    torch.manual_seed(0)
    network, teacher = Encoder(), Encoder()
    assert blocks_of(network) == ["layer.0", "layer.1", "layer.2"]
    ids = torch.randint(0, 20, (4, 6))
    mask = torch.arange(6) < torch.tensor([[6], [4], [2], [5]])
    inputs = {"input_ids": ids, "attention_mask": mask.long()}
    settings = Distillation(task=0, soft_labels=0, hidden=1)
    loss = loss_of(settings, network, teacher, Batch(inputs, torch.zeros(4, dtype=torch.int64)))
    with torch.no_grad():
        expected, ours, theirs = [], network.words(ids), teacher.words(ids)
        for one, other in zip(network.layer, teacher.layer, strict=True):
            (ours,), (theirs,) = one(ours), other(theirs)
            expected.append(1 - torch.cosine_similarity(ours, theirs, dim=-1)[mask].mean())
    assert loss.item() == pytest.approx(torch.stack(expected).mean().item(), rel=1e-5)
    other_padding = {"input_ids": torch.where(mask, ids, 7), "attention_mask": mask.long()}
    again = loss_of(settings, network, teacher, Batch(other_padding, torch.zeros(4, dtype=torch.int64)))
    assert again.item() == pytest.approx(loss.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("resnet18", [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]),
        ("vit_b_16", [f"encoder.layers.encoder_layer_{number}" for number in range(12)]),
        ("vgg11", []),
    ],
)
def test_the_blocks_of_known_networks(name: str, blocks: list[str]) -> None:
    with torch.device("meta"):
        assert blocks_of(torchvision.models.get_model(name)) == blocks


def test_layers_are_named_by_patterns_of_which_the_outer_match_counts() -> None:
    with torch.device("meta"):
        body = torchvision.models.resnet18()
    assert named_layers(body, ["layer[13]"]) == ["layer1", "layer3"]
    assert named_layers(body, ["layer1.*", "fc"]) == ["layer1.0", "layer1.1", "fc"]
    with pytest.raises(UserError, match=r"no layer matches 'encoder\.\*'; there are for example layer1\.0"):
        named_layers(body, ["layer1.*", "encoder.*"])
    assert named_layers(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2, 2)), []) == ["0"]
    with pytest.raises(UserError, match="has no layer before its last one; set hidden: 0"):
        named_layers(nn.Sequential(nn.Flatten(), nn.Linear(2, 2)), [])


def test_the_teacher_is_evaluated_frozen_and_left_alone() -> None:
    images, labels, _, _ = digits()
    teacher, network = copy.deepcopy(trained_network()).train(), fresh_network().train()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    frozen = Teacher.copied(teacher, teacher)
    settings = Distillation(hidden=1, layers=("0", "3"))
    (loss,) = settings.build(network, frozen).losses(
        network, Batch(images[:32], labels[:32]), CrossEntropy(0), torch.Generator()
    )
    loss.backward()
    assert all(torch.equal(value, before[name]) for name, value in frozen.network.state_dict().items())
    assert all(parameter.grad is None for parameter in frozen.network.parameters())
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert not frozen.network.training
    assert network[1].num_batches_tracked == 1
    assert not any(module._forward_hooks for module in (*network.modules(), *frozen.network.modules()))


def test_soft_labels_teach_without_any_label() -> None:
    images, labels, test, answers = digits()
    network = fresh_network(seed=3)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    running = Distillation(task=0).build(network, Teacher.copied(trained_network(), trained_network()))
    wrong = (labels + 1) % 10
    for epoch in range(4):
        for chosen in torch.randperm(len(labels), generator=torch.Generator().manual_seed(epoch)).split(100):
            for loss in running.losses(
                network, Batch(images[chosen], wrong[chosen]), CrossEntropy(0), torch.Generator()
            ):
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    with torch.no_grad():
        assert network.eval()(test).argmax(1).eq(answers).float().mean() > 0.9


def test_what_does_not_fit_is_refused() -> None:
    images, labels, _, _ = digits()
    batch = Batch(images[:4], labels[:4])
    narrow = nn.Sequential(*list(fresh_network())[:-1], nn.Linear(32 * 16, 4))
    with pytest.raises(UserError, match=r"the teacher gives logits \[4\] an example, the network \[10\]"):
        loss_of(Distillation(), fresh_network(), narrow, batch)
    with pytest.raises(UserError, match=r"hidden states: 7 gives \[4, 4\] in the teacher and \[4, 10\] in the network"):
        loss_of(Distillation(soft_labels=0, hidden=1, layers=("7",)), fresh_network(), narrow, batch)
    with pytest.raises(UserError, match="the teacher source has no layer 7; use a teacher of the same architecture"):
        loss_of(
            Distillation(soft_labels=0, hidden=1, layers=("7",)), fresh_network(), nn.Sequential(nn.Flatten()), batch
        )
    with pytest.raises(ValidationError, match="learns nothing from its teacher"):
        Distillation(soft_labels=0)


def test_what_is_needed_of_a_task_follows_from_what_is_learned() -> None:
    assert Distillation().required() == {"imitation"}
    assert Distillation(soft_labels=0, hidden=1).required() == frozenset()
    assert Distillation().describe() == "distillation by soft labels (T 2) and the task, from source"


RANDOM = torch.Generator().manual_seed(0)
SPANS = {"span": torch.tensor([[1, 2], [0, 0]])}
TASKS: dict[str, tuple[Task, tuple[int, ...], Any, Callable[[Tensor], Tensor] | None]] = {
    # The task, its outputs' shape, targets, and outputs -> probabilities that are held against the teacher's.
    "classification": (Classification(), (2, 4), torch.tensor([0, 3]), lambda z: z.softmax(1)),
    "segmentation": (Segmentation(), (2, 4, 3, 3), torch.full((2, 3, 3), -100), lambda z: z.softmax(1).movedim(1, -1)),
    "token-classification": (
        TokenClassification(),
        (2, 5, 4),
        torch.tensor([[-100, 1, -100, 2, -100], [0, -100, -100, -100, 3]]),
        lambda z: z.softmax(2)[[0, 0, 1, 1], [1, 3, 0, 4]],
    ),
    "masked-language": (
        MaskedLanguage(),
        (2, 5, 30),
        torch.tensor([[-100, 7, -100, -100, -100], [-100] * 5]),
        lambda z: z.softmax(2)[[0], [1]],
    ),
    "question-answering": (QuestionAnswering(), (2, 6, 2), SPANS, lambda z: z.softmax(1).movedim(1, -1)),
    "regression": (Regression(), (4, 1), torch.rand(4), None),
}


@pytest.mark.parametrize("kind", TASKS)
def test_every_task_says_what_of_its_outputs_is_held_against_a_teacher(kind: str) -> None:
    task, shape, targets, probabilities = TASKS[kind]
    assert "imitation" in task.provides
    ours, theirs = (torch.randn(shape, generator=RANDOM) for _ in range(2))
    criterion, t = task.criterion(0), 2.0
    if probabilities is None:
        expected = (ours - theirs).square().mean()
    else:
        p, q = probabilities(theirs / t), probabilities(ours / t)
        expected = t**2 * (p * (p / q).log()).sum(-1).mean()
    assert criterion.imitation(ours, theirs, targets, t).item() == pytest.approx(expected.item(), rel=1e-5)
    assert criterion.imitation(theirs, theirs, targets, t).item() == pytest.approx(0, abs=1e-6)
    with pytest.raises(UserError, match="use a teacher with the same classes, or soft_labels: 0"):
        criterion.imitation(ours, theirs[..., :1].expand(*shape[:-1], shape[-1] + 1), targets, t)


def test_a_batch_in_which_nothing_is_asked_teaches_nothing() -> None:
    logits = torch.randn(2, 5, 4, requires_grad=True)
    nothing = torch.full((2, 5), -100)
    loss = TokenClassification().criterion(0).imitation(logits, torch.randn(2, 5, 4), nothing, 2.0)
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_detectors_are_not_held_against_a_teacher() -> None:
    assert "imitation" not in Detection().provides
    with pytest.raises(UserError, match="needs imitation, which detection does not have"):
        criterion_for(Detection(), Training(objective={"kind": "distillation"}))
