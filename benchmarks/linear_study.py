"""What linear evaluation at several learning rates costs: heads that train together against one after the other."""

import copy
from collections.abc import Callable

import torch
from torch.utils.data import TensorDataset

from benchmarks.device import CPU, training_on
from benchmarks.row import Row
from benchmarks.scale import Scale
from benchmarks.steps import CLASSES, source
from benchmarks.timing import in_turns, ratios, repeated, spread, typical
from robust_tickets.tasks.classification import Classification
from robust_tickets.tasks.target import target_data
from robust_tickets.training.loop import fit
from robust_tickets.verbs.transfer import job_of, transfer
from robust_tickets.verbs.transfer_settings import TransferSettings

RATES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
TARGET = 10.0


def measure(scale: Scale) -> Row:
    """Train a head at each rate in three ways, in turns; the ratio is to one by one through the frozen network."""
    network, images = source(scale.trained), scale.linear_images
    random = torch.Generator().manual_seed(0)
    pictures = torch.rand(images, 3, 32, 32, generator=random)
    data = TensorDataset(pictures, torch.arange(images) % CLASSES)
    settings = TransferSettings.model_validate(
        {
            "mode": "linear",
            "seeds": [0],
            "training": {"epochs": scale.linear_epochs, "batch_size": 64, "optimiser": {"kind": "sgd", "lr": 0.1}},
        }
    )
    at = [settings.model_copy(update={"training": settings.training.model_copy(update={"head_lr": r})}) for r in RATES]
    splits = target_data(data, network, 0)

    def through_the_network() -> None:
        for one in at:
            adapted = copy.deepcopy(network.network)
            adapted.reset_head(CLASSES, 0)
            fit(job_of(adapted, Classification(), splits, one, 0))

    contestants: dict[str, Callable[[], object]] = {
        "through the network": through_the_network,
        "features for each": lambda: [transfer(network, data, settings=one) for one in at],
        "together": lambda: transfer(network, data, settings=settings, rates=RATES),
    }
    with training_on(CPU):
        seconds = in_turns({name: repeated(action) for name, action in contestants.items()}, scale.linear_rounds)
    over_rounds = ratios(seconds["through the network"], seconds["together"])
    each = typical(ratios(seconds["features for each"], seconds["together"]))
    details = {
        "summary": f"{len(RATES)} rates, {scale.linear_epochs} epochs of {len(splits.train)} images; over features "
        f"computed for each rate: {each:.1f}",
        "network": scale.trained,
        "image": [3, 32, 32],
        "seconds": {name: spread(values) for name, values in seconds.items()},
        "ratio": spread(over_rounds),
        "over_features_for_each": each,
    }
    return Row.judged("linear_study", typical(over_rounds), TARGET, details, "heads are a larger part of the work")
