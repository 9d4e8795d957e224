"""Adversarial training with PGD-3: the product's loop against a plain fp32 one."""

import torch

from benchmarks.robust_accuracy import compare
from benchmarks.row import Row
from benchmarks.scale import Scale
from benchmarks.steps import network, plain, product, random_batch
from benchmarks.timing import in_turns, ratios, spread, typical
from robust_tickets.objectives import PGD, Threat
from robust_tickets.training import Training
from robust_tickets.training.precision import has_native_bf16

THREAT = Threat(norm="linf", epsilon=8 / 255, steps=3)
TARGET = 2.0


def measure(scale: Scale) -> Row:
    """Compare images per second, and robust accuracy after equal trainings."""
    classifier, batch = network(scale.trained), random_batch(scale.batch_size)
    training = {
        precision: Training(batch_size=scale.batch_size, objective=PGD(threat=THREAT), precision=precision)
        for precision in ("auto", "fp32")
    }
    seconds = in_turns(
        {
            "plain": plain(classifier, THREAT, batch),
            "auto": product(classifier, training["auto"], batch),
            "fp32": product(classifier, training["fp32"], batch),
        },
        scale.rounds,
    )
    over_rounds = {precision: ratios(seconds["plain"], seconds[precision]) for precision in training}
    rates = {name: scale.batch_size / typical(values) for name, values in seconds.items()}
    robust = compare(scale, THREAT)
    details = {
        "summary": f"plain {rates['plain']:.0f}, ours {rates['auto']:.0f} images/s "
        f"({typical(over_rounds['fp32']):.2f} in fp32); {robust.sentence()}",
        "network": scale.trained,
        "batch_size": scale.batch_size,
        "attack": THREAT.describe(),
        "images_per_second": {name: round(rate, 2) for name, rate in rates.items()},
        "seconds": {name: spread(values) for name, values in seconds.items()},
        "ratio": {precision: spread(values) for precision, values in over_rounds.items()},
        "robust_accuracy": robust.model_dump(mode="json"),
    }
    if has_native_bf16(torch.device("cpu")):
        reason = "bf16 gains less here than elsewhere"
    else:
        reason = "this processor has no native bf16, so that only the attack's saved gradients gain"
    reason += f"; in fp32 the ratio is {typical(over_rounds['fp32']):.2f}"
    return Row.judged("pgd_training", typical(over_rounds["auto"]), TARGET, details, reason, robust.loss())
