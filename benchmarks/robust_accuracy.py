"""Whether the product's adversarial training is as robust as a plain loop's, at equal seeds, batches and rates."""

from statistics import fmean, stdev

import torch
from pydantic import Field

from benchmarks.scale import Scale
from benchmarks.steps import network, plain_step
from robust_tickets.attacks import Threat
from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.data.batches import batches
from robust_tickets.data.load import load_data
from robust_tickets.data.settings import DataSettings, GlyphSettings
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.seeds import generator, global_stream
from robust_tickets.foundation.settings import Settings
from robust_tickets.measures.accuracy import Interval, accuracy
from robust_tickets.measures.matching import decide
from robust_tickets.measures.robust_accuracy import robust_correctness
from robust_tickets.models.network import Network
from robust_tickets.objectives import PGDTraining
from robust_tickets.pruning.plans import Plan
from robust_tickets.training.batch_source import ImageBatches
from robust_tickets.training.job import Job
from robust_tickets.training.loop import fit
from robust_tickets.training.optimisers import SGD
from robust_tickets.training.settings import Training
from robust_tickets.training.trainable import Trainable

NETWORK, SIZE = "demo/resnet4", 16
RATE = 0.1
TEST_STEPS = 20


class Accuracies(Settings):
    """Of one way of training, over seeds, in [0, 1]."""

    clean: tuple[float, ...]
    robust: tuple[float, ...]

    def sentence(self) -> str:
        """Return mean and standard deviation of robust accuracy over seeds."""
        return f"{fmean(self.robust):.2%} ± {stdev(self.robust):.2%}"


class Comparison(Settings):
    """Robust accuracy of both ways of training."""

    data: str
    network: str
    steps: int = Field(description="Training steps.")
    attack: str = Field(description="The attack on test images.")
    plain: Accuracies
    product: Accuracies
    difference: Interval = Field(description="Of robust accuracy, product - plain: 90 % t-interval over seeds.")

    def sentence(self) -> str:
        """Return the comparison in a few words."""
        return f"robust accuracy {self.plain.sentence()} plain, {self.product.sentence()} ours"

    def loss(self) -> str:
        """Return a sentence if the product is shown to be less robust, else nothing."""
        if self.difference.upper >= 0:
            return ""
        return f"robust accuracy is lower by {-self.difference.upper:.2%} at least"


def compare(scale: Scale, threat: Threat, device: torch.device) -> Comparison:
    """Train both ways with each seed on `device`, and attack the same test images."""
    splits = small_set(scale)
    results: dict[str, list[tuple[float, float]]] = {"plain": [], "product": []}
    for seed in range(scale.seeds):
        for train in (plain, product):
            trained = train(scale, splits, threat, seed, device)
            results[train.__name__].append(accuracies(trained, splits, scale.test_images, device))
    pairs = {
        name: Accuracies(clean=tuple(c for c, _ in both), robust=tuple(r for _, r in both))
        for name, both in results.items()
    }
    interval = decide(pairs["product"].robust, pairs["plain"].robust).interval
    assert interval is not None
    return Comparison(
        data=splits.describe().splitlines()[0],
        network=NETWORK,
        steps=scale.epochs * ImageBatches(splits, training_of(scale, threat), 0).per_epoch,
        attack=Threat(norm=threat.norm, epsilon=threat.epsilon, steps=TEST_STEPS).describe(),
        plain=pairs["plain"],
        product=pairs["product"],
        difference=interval,
    )


def small_set(scale: Scale) -> DataSplits:
    """Return the built-in letters, 16 x 16, which are at hand everywhere."""
    letters = GlyphSettings(count=scale.letters)
    return load_data(DataSettings(name="glyphs", glyphs=letters, channels=3, validation=0), size=(SIZE, SIZE), seed=0)


def training_of(scale: Scale, threat: Threat) -> Training:
    """Return the product's settings: its defaults but for the length, the rate and the attack."""
    optimiser = SGD(lr=RATE)
    return Training(epochs=scale.epochs, batch_size=128, objective=PGDTraining(threat=threat), optimiser=optimiser)


def fresh(splits: DataSplits, seed: int) -> Network:
    """Return the network of a seed, equal for both ways of training."""
    with global_stream(seed, "bench"):
        classifier = network(NETWORK, SIZE)
    classifier.reset_head(len(splits.classes), seed)
    return classifier


def product(scale: Scale, splits: DataSplits, threat: Threat, seed: int, device: torch.device) -> Network:
    """Train by the product, which finds the device itself."""
    classifier, training = fresh(splits, seed), training_of(scale, threat)
    source = ImageBatches(splits, training, seed)
    fit(Job(Trainable.of(classifier), source, training, Plan(scale.epochs * source.per_epoch, ()), seed))
    return classifier


def plain(scale: Scale, splits: DataSplits, threat: Threat, seed: int, device: torch.device) -> Network:
    """Train by a plain loop, on the same batches with the same rates."""
    classifier, training = fresh(splits, seed).to(device), training_of(scale, threat)
    source = ImageBatches(splits, training, seed)
    optimiser = torch.optim.SGD(
        classifier.parameters(), lr=RATE, momentum=0.9, weight_decay=training.optimiser.weight_decay
    )
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, scale.epochs * source.per_epoch)
    classifier.train()
    with global_stream(seed, "plain"):
        for epoch in range(scale.epochs):
            for images, labels in source.train(epoch, 0):
                plain_step(classifier, optimiser, threat, images.to(device), labels.to(device))
                rates.step()
    return classifier.eval()


def accuracies(classifier: Network, splits: DataSplits, images: int, device: torch.device) -> tuple[float, float]:
    """Return clean and robust accuracy on test images, equal ones for every network."""
    part = splits.test.subset(torch.arange(min(images, len(splits.test))))
    threat = Threat(norm="linf", epsilon=8 / 255, steps=TEST_STEPS)
    with evaluation_mode(classifier.to(device), device) as predict:
        correct = robust_correctness(
            predict, batches(part, batch_size=256, seed=0, train=False), threat, generator(0, "bench")
        )
    return round(accuracy(correct.clean), 4), round(accuracy(correct.robust), 4)
