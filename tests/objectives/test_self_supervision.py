"""What objectives without labels minimise, by their papers' equations, and what becomes of what they keep."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_tickets.foundation.batch import Batch
from robust_tickets.objectives.dino import DINO
from robust_tickets.objectives.moco import MoCo
from robust_tickets.objectives.objective import Objective, Running
from robust_tickets.objectives.simclr import SimCLR
from robust_tickets.objectives.teacher import Teacher
from robust_tickets.tasks.self_supervision import NoLabels

ROWS: list[Any] = [SimCLR(temperature=0.3), MoCo(queue=64, temperature=0.2, momentum=0.9), DINO(momentum=0.9)]
rows = pytest.mark.parametrize("settings", ROWS, ids=lambda settings: settings.kind)
following = pytest.mark.parametrize("settings", ROWS[1:], ids=lambda settings: settings.kind)


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 6)).train()


def views(settings: Objective, seed: int = 0, count: int = 4) -> Tensor:
    assert settings.own_views is not None
    chance = torch.Generator().manual_seed(seed)
    return torch.rand(count, settings.own_views.count, 3, 2, 2, generator=chance)


def begin(settings: Objective, student: nn.Module) -> Running:
    return settings.build(student, Teacher.copied(student, student) if settings.follows_itself else None)


def step(running: Running, student: nn.Module, inputs: Tensor, rate: float = 0.1) -> float:
    """Take one step as the loop does; return the loss."""
    optimiser = torch.optim.SGD(student.parameters(), lr=rate)
    optimiser.zero_grad()
    batch = Batch(inputs, torch.zeros(len(inputs), dtype=torch.long))
    (found,) = [
        (loss.backward(), optimiser.step(), loss.item())[2]
        for loss in running.losses(student, batch, NoLabels(), torch.Generator())
    ]
    return found


def contrast(query: Tensor, keys: Tensor, positive: int, temperature: float) -> Tensor:
    """Return -log of the share of the key at `positive` among all keys."""
    cosines = F.cosine_similarity(query[None], keys, dim=1) / temperature
    return -(cosines[positive] - cosines.logsumexp(0))


def test_simclr_is_the_papers_equation_over_all_views_of_a_batch() -> None:
    settings, student = SimCLR(temperature=0.3), network()
    inputs = views(settings)
    with torch.no_grad():
        said = copy.deepcopy(student)(torch.cat([inputs[:, 0], inputs[:, 1]]))
    terms = []
    for view in range(8):
        others = [index for index in range(8) if index != view]
        terms.append(contrast(said[view], said[others], others.index((view + 4) % 8), 0.3))
    assert step(begin(settings, student), student, inputs) == pytest.approx(torch.stack(terms).mean().item(), abs=1e-5)


def test_moco_tells_a_key_from_the_keys_before_it() -> None:
    settings, student = MoCo(queue=8, temperature=0.2, momentum=0.9), network()
    running, slow = begin(settings, student), copy.deepcopy(student)
    queued: list[Tensor] = []
    for number in range(4):
        inputs = views(settings, number)
        with torch.no_grad():
            keys = F.normalize(slow(inputs[:, 1]), dim=1)
            queries = copy.deepcopy(student)(inputs[:, 0])
        loss = step(running, student, inputs)
        if number >= 2:
            # By now all noise has left the queue of two batches.
            negatives = torch.cat(queued[-2:])
            expected = [
                contrast(q, torch.cat([k[None], negatives]), 0, 0.2) for q, k in zip(queries, keys, strict=True)
            ]
            assert loss == pytest.approx(torch.stack(expected).mean().item(), abs=1e-5)
        queued.append(keys)
        with torch.no_grad():
            for own, theirs in zip(slow.parameters(), student.parameters(), strict=True):
                own.mul_(0.9).add_(theirs, alpha=0.1)


def test_dino_teaches_what_large_views_say_to_all_others() -> None:
    settings, student = DINO(centre=0.5), network()
    running, inputs = begin(settings, student), views(DINO())
    with torch.no_grad():
        taught = copy.deepcopy(student)(torch.cat([inputs[:, 0], inputs[:, 1]])).chunk(2)
        said = copy.deepcopy(student)(torch.cat([*inputs.unbind(1)])).chunk(inputs.shape[1])
    terms = [
        -(F.softmax(taught[one] / 0.04, 1) * F.log_softmax(said[other] / 0.1, 1)).sum(1).mean()
        for one in range(2)
        for other in range(len(said))
        if other != one
    ]
    assert step(running, student, inputs) == pytest.approx(torch.stack(terms).mean().item(), abs=1e-4)
    assert torch.allclose(running.state()["centre"].flatten(), 0.5 * torch.cat(taught).mean(0), atol=1e-6)


@pytest.mark.parametrize("settings", ROWS[:2], ids=lambda settings: settings.kind)
def test_training_brings_views_of_an_image_together(settings: Objective) -> None:
    """Of 16 images that it has not seen, most views find their partner; at first hardly any do."""
    assert settings.own_views is not None
    count, chance = settings.own_views.count, torch.Generator().manual_seed(5)

    def drawn(images: int) -> Tensor:
        plain = torch.rand(images, 1, 3, 2, 2, generator=chance)
        plain[..., 0] = 0  # half of the pixels say nothing of the image
        return plain + 0.8 * torch.rand(images, count, 3, 2, 2, generator=chance) * torch.tensor([1.0, 0.02])

    def found(student: nn.Module) -> float:
        with torch.no_grad():
            first, second = (F.normalize(student(unseen[:, view]), dim=1) for view in range(2))
        return (first @ second.T).argmax(1).eq(torch.arange(16)).float().mean().item()

    student, unseen = network(), drawn(16)
    running, before = begin(settings, student), found(student)
    for _ in range(200):
        step(running, student, drawn(16), 0.1)
    assert found(student) > before + 0.25


@following
def test_the_copy_follows_slowly_and_its_state_brings_it_back(settings: Objective) -> None:
    student = network()
    running, before = begin(settings, student), copy.deepcopy(student)
    step(running, student, views(settings))
    state = running.state()
    for name, own in student.named_parameters():
        expected = 0.9 * dict(before.named_parameters())[name] + 0.1 * own
        assert torch.allclose(state[f"copy.{name}"], expected, atol=1e-6)
    twin = copy.deepcopy(student)
    other = begin(settings, twin)
    other.load_state(state)
    losses = [step(one, net, views(settings, 1)) for one, net in ((running, student), (other, twin))]
    assert losses[0] == losses[1]
    assert all(torch.equal(value, other.state()[name]) for name, value in running.state().items())
    assert not torch.equal(state["copy.1.weight"], running.state()["copy.1.weight"]), "a state is a copy"


@following
def test_a_loss_that_is_not_stepped_leaves_the_copy_as_it_is(settings: Objective) -> None:
    """Growth by gradients asks for a loss and takes no step."""
    student = network()
    running = begin(settings, student)
    kept = running.state()
    batch = Batch(views(settings), torch.zeros(4, dtype=torch.long))
    next(iter(running.losses(student, batch, NoLabels(), torch.Generator()))).backward()
    running.load_state(kept)
    after = running.state()
    assert all(torch.equal(value, after[name]) for name, value in kept.items())


@following
def test_what_is_pruned_is_pruned_of_the_copy_and_a_rewind_starts_it_anew(settings: Objective) -> None:
    student = network()
    running = begin(settings, student)
    step(running, student, views(settings))
    gone = torch.zeros(8, 12, dtype=torch.bool)
    gone[2:4] = True
    with torch.no_grad():
        student.get_parameter("1.weight")[gone] = 0
    running.after_event(rewound=False)
    slow = running.state()["copy.1.weight"]
    assert not slow[gone].any()
    assert (slow[~gone] != 0).all()
    assert not torch.equal(slow, student.get_parameter("1.weight")), "it still lags behind"
    running.after_event(rewound=True)
    state = running.state()
    assert all(torch.equal(state[f"copy.{name}"], value) for name, value in student.state_dict().items())
    assert not {"queue", "centre"} & set(state), "what the copy said before is forgotten"


@rows
def test_batches_are_not_split(settings: Objective) -> None:
    from pydantic import ValidationError

    from robust_tickets.training.settings import Training

    with pytest.raises(ValidationError, match=f"{settings.model_dump()['kind']} training .* and cannot accumulate"):
        Training.model_validate({"objective": settings.model_dump(), "accumulate": 2})
