"""Training the head alone: on features computed once, or through the network."""

import pytest
import torch

from robust_tickets.pruning.plans import Plan
from robust_tickets.training.batch_norm import recalibrate
from robust_tickets.training.batch_source import FeatureBatches, ImageBatches
from robust_tickets.training.features import cached_features
from robust_tickets.training.job import Job
from robust_tickets.training.loop import fit
from robust_tickets.training.settings import Training
from robust_tickets.training.trainable import Trainable
from tests.training.small import PLAIN, classifier, digits

TRAINING = Training.model_validate(PLAIN)


def through_the_network(batch_norm: str) -> dict[str, torch.Tensor]:
    network = classifier()
    trainable = Trainable.of(network, linear=True, batch_norm=batch_norm)  # pyright: ignore[reportArgumentType]
    fit(Job(trainable, ImageBatches(digits(), TRAINING, 0, augment=False), TRAINING, Plan(12, ()), 0))
    return network.plain_state()


def test_cached_features_train_the_same_head() -> None:
    network = classifier()
    cached = cached_features(network, digits())
    assert cached is not None
    head, train, validation = cached
    batches = FeatureBatches(train, validation, TRAINING.batch_size, seed=0)
    result = fit(Job(Trainable.of_head(head), batches, TRAINING, Plan(12, ()), 0))
    slow = through_the_network("frozen")
    for name, value in network.plain_state().items():
        torch.testing.assert_close(value, slow[name], rtol=1e-5, atol=1e-6)
    assert not torch.equal(slow["fc.weight"], classifier().plain_state()["fc.weight"])
    assert result.validation is not None


@pytest.mark.parametrize("batch_norm", ["frozen", "updated"])
def test_only_head_and_statistics_change(batch_norm: str) -> None:
    before, after = classifier().plain_state(), through_the_network(batch_norm)
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    statistics = {name for name in before if "running" in name or "batches" in name}
    assert changed == {"fc.weight", "fc.bias"} | (statistics if batch_norm == "updated" else set())


def test_recalibrated_statistics_are_those_of_the_training_images() -> None:
    network = classifier()
    recalibrate(network, ImageBatches(digits(), TRAINING, 0, augment=False).once())
    images = torch.stack([digits().train[index][0] for index in range(len(digits().train))])
    with torch.no_grad():
        out = network.body.get_submodule("conv1")((images - network.mean) / network.std)
    state = network.plain_state()
    torch.testing.assert_close(state["bn1.running_mean"], out.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(state["bn1.running_var"], out.var((0, 2, 3)), rtol=1e-4, atol=1e-5)
    assert network.body.get_submodule("bn1").momentum == 0.1
