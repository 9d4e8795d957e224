"""Heads that train side by side are those that train one by one, and validation decides between them."""

import copy

import pytest
import torch
from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import changed
from robust_tickets.pruning.plans import Plan
from robust_tickets.training.batch_source import FeatureBatches
from robust_tickets.training.heads_together import HeadSearch, HeadsTogether
from robust_tickets.training.job import Job
from robust_tickets.training.loop import fit
from robust_tickets.training.settings import Training
from robust_tickets.training.trainable import Trainable
from tests.training.small import PLAIN

RATES = (0.001, 0.1, 0.01)
CLASSES = ("a", "b", "c")


def features(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, 6, generator=chance)
    noise = torch.randn(count, 3, generator=chance)
    return inputs, (inputs[:, :3] + noise).argmax(1)


def head() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(6, 3)


@pytest.mark.parametrize("optimiser", [{"kind": "sgd", "lr": 1.0, "weight_decay": 0.01}, {"kind": "adamw", "lr": 1.0}])
def test_the_best_head_is_the_one_that_trains_alone_at_its_rate(optimiser: dict) -> None:
    training = changed(Training.model_validate(PLAIN), {"epochs": 3, "batch_size": 16, "optimiser": optimiser})
    training = training.model_copy(update={"precision": "fp32"})
    train, validation = features(160, 1), features(400, 2)
    alone: dict[float, tuple[nn.Linear, float]] = {}
    for rate in RATES:
        batches = FeatureBatches(train, validation, training.batch_size, seed=5)
        one, at_rate = head(), training.model_copy(update={"head_lr": rate})
        result = fit(Job(Trainable.of_head(one), batches, at_rate, at_rate.plan(batches.per_epoch), 5, classes=CLASSES))
        assert result.validation is not None
        alone[rate] = one, result.validation
    chosen = head()
    job = Job(Trainable.of_head(chosen), None, training, Plan(0, ()), 5, classes=CLASSES)
    found = HeadSearch(RATES, train, validation).run(job, chosen)
    best = max(RATES, key=lambda rate: alone[rate][1])
    assert found.rate == best
    assert found.validation == pytest.approx(alone[best][1])
    torch.testing.assert_close(chosen.weight, alone[best][0].weight, rtol=1e-4, atol=1e-5)
    assert len({round(score, 6) for _, score in alone.values()}) > 1, "the rates would have to differ in something"


@pytest.mark.parametrize("optimiser", [{"kind": "sgd", "lr": 1.0}, {"kind": "adamw", "lr": 1.0}])
def test_what_a_ticket_removed_of_a_kept_head_stays_removed_from_all(optimiser: dict) -> None:
    training = changed(Training.model_validate(PLAIN), {"epochs": 2, "batch_size": 16, "optimiser": optimiser})
    chosen, mask = head(), torch.rand(3, 6, generator=torch.Generator().manual_seed(0)) > 0.5
    job = Job(Trainable.of_head(chosen), None, training, Plan(0, ()), 5, classes=CLASSES, masks={"weight": mask})
    HeadSearch(RATES, features(160, 1), features(400, 2)).run(job, chosen)
    assert torch.equal(chosen.weight != 0, mask)


def test_a_rate_at_which_a_head_diverges_is_named() -> None:
    training = Training.model_validate({**PLAIN, "epochs": 30, "batch_size": 16})
    job = Job(Trainable.of_head(head()), None, training, Plan(0, ()), 5, classes=CLASSES)
    inputs, labels = features(160, 1)
    wild = HeadSearch((0.001, 1e30), (1e6 * inputs, labels), features(40, 2))
    with pytest.raises(UserError, match=r"became (nan|inf) at step .*; leave out the highest of rates \(1e\+30\)$"):
        wild.run(job, head())


def test_each_head_has_the_gradient_of_its_own_loss() -> None:
    inputs, labels = features(32, 3)
    together = HeadsTogether(head(), 4)
    with torch.no_grad():
        for number, one in enumerate(together.heads):
            one.weight.mul_(number + 1)
    loss = nn.functional.cross_entropy(together(inputs), labels[:, None].expand(-1, 4))
    loss.backward()
    losses = []
    for one in together.heads:
        apart = copy.deepcopy(one)
        apart.zero_grad()
        own = nn.functional.cross_entropy(apart(inputs), labels)
        own.backward()
        losses.append(own)
        torch.testing.assert_close(one.weight.grad, apart.weight.grad)
    torch.testing.assert_close(loss, torch.stack(losses).mean())
