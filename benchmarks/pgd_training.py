"""Adversarial training with PGD-3: the product's loop against a plain fp32 one, on the CPU and on a GPU."""

from typing import Any

import torch

from benchmarks.device import CPU, training_on
from benchmarks.matrix_rate import matrix_rates
from benchmarks.robust_accuracy import compare
from benchmarks.row import Row
from benchmarks.scale import Scale, Steps
from benchmarks.steps import network, plain, product, random_batch
from benchmarks.timing import in_turns, ratios, spread, typical
from robust_tickets.attacks import Threat
from robust_tickets.objectives import PGDTraining
from robust_tickets.shrinking.counts import multiply_adds
from robust_tickets.training.precision import has_native_bf16, resolved
from robust_tickets.training.settings import Training

THREAT = Threat(norm="linf", epsilon=8 / 255, steps=3)
TARGET, TARGET_GPU = 2.0, 3.0

PASSES = {"plain": 3 * (THREAT.steps + 1), "ours": 2 * THREAT.steps + 3}
"""Times a step multiplies through the network: forward 1, gradients of activations 1, gradients of weights 1. The
plain loop computes all three in every pass; ours leaves the weights' gradients out of the attack."""


def measure(scale: Scale) -> Row:
    """Compare images per second on the CPU, and robust accuracy after equal trainings."""
    return compared("pgd_training", TARGET, scale, scale.on_cpu, CPU)


def measure_gpu(scale: Scale) -> Row:
    """Do the same on a GPU, where there is one."""
    if not torch.cuda.is_available():
        return Row.not_run("pgd_training_gpu", TARGET_GPU, "no GPU")
    return compared("pgd_training_gpu", TARGET_GPU, scale, scale.on_gpu, torch.device("cuda"))


def compared(name: str, target: float, scale: Scale, steps: Steps, device: torch.device) -> Row:
    """Time both loops in turns on one device, and relate them to its matrix rate."""
    classifier, batch = network(scale.trained), random_batch(steps.batch_size)
    training = {
        precision: Training(batch_size=steps.batch_size, objective=PGDTraining(threat=THREAT), precision=precision)
        for precision in ("auto", "fp32")
    }
    with training_on(device):
        contestants = {"plain": plain(classifier, THREAT, batch, steps.timed, device)}
        contestants |= {
            kind: product(classifier, chosen, batch, steps=steps.timed) for kind, chosen in training.items()
        }
        seconds = in_turns(contestants, scale.rounds)
        robust = compare(scale, THREAT, device)
    over_rounds = {precision: ratios(seconds["plain"], seconds[precision]) for precision in training}
    images = steps.batch_size * steps.timed
    rates = {contestant: images / typical(values) for contestant, values in seconds.items()}
    formats = {"plain": "fp32", "fp32": "fp32", "auto": resolved("auto", classifier, device)}
    used = matrix_use(rates, formats, multiply_adds(classifier, batch.inputs[:1]), steps.matrix, device)
    share = {contestant: f"{part:.0%}" for contestant, part in used["share"].items()}
    details = {
        "summary": f"plain {rates['plain']:.0f}, ours {rates['auto']:.0f} images/s "
        f"({typical(over_rounds['fp32']):.2f} in fp32), {share['plain']} and {share['auto']} of the matrix rate; "
        f"{robust.sentence()}",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "network": scale.trained,
        "batch_size": steps.batch_size,
        "steps_timed_together": steps.timed,
        "attack": THREAT.describe(),
        "images_per_second": {contestant: round(rate, 2) for contestant, rate in rates.items()},
        "seconds": {contestant: spread(values) for contestant, values in seconds.items()},
        "ratio": {precision: spread(values) for precision, values in over_rounds.items()},
        "matrix": used,
        "robust_accuracy": robust.model_dump(mode="json"),
    }
    reason = f"{why_below(device)}; in fp32 the ratio is {typical(over_rounds['fp32']):.2f}"
    return Row.judged(name, typical(over_rounds["auto"]), target, details, reason, robust.loss())


def matrix_use(
    rates: dict[str, float], formats: dict[str, str], per_image: int, side: int, device: torch.device
) -> dict[str, Any]:
    """Return which share of the machine's matrix rate each loop reaches, and what that is made of.

    Args:
        rates: images per second by loop.
        formats: the number format of each.
        per_image: multiply-adds of one forward pass of one image.
        side: of the matrices whose product is the yardstick.
        device: on which all of it was measured.
    """
    measured = matrix_rates(side, device)
    work = {contestant: PASSES["plain" if contestant == "plain" else "ours"] * per_image for contestant in rates}
    return {
        "multiply_adds_per_image_forward": per_image,
        "forward_equivalents_per_image": PASSES,
        "multiply_adds_per_second": {kind: round(rate) for kind, rate in measured.items()},
        "side": side,
        "format": formats,
        "share": {
            contestant: round(rate * work[contestant] / measured[formats[contestant]], 4)
            for contestant, rate in rates.items()
        },
    }


def why_below(device: torch.device) -> str:
    """Return what explains a ratio below the target."""
    if has_native_bf16(device):
        return "bf16 gains less here than elsewhere"
    return "this processor has no native bf16, so that only the attack's saved gradients gain"
