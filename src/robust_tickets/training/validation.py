"""The score that selects epochs: accuracy, and under an adversarial objective also robust accuracy."""

import torch

from robust_tickets.foundation.seeds import generator
from robust_tickets.measures.accuracy import accuracy, correctness
from robust_tickets.measures.predict import Batches, Predict, logits
from robust_tickets.measures.robust_accuracy import robust_correctness
from robust_tickets.objectives import Threat
from robust_tickets.training.settings import Training

STEPS = 10
"""Of PGD, in the objective's own ball, wherever a validation attack decides."""


def validate(predict: Predict, batches: Batches, training: Training, seed: int) -> dict[str, float | None]:
    """Return `validation_accuracy`, and `validation_robust_accuracy` where it selects; None without a part.

    The attack's noise is the same at every validation of a run, so that epochs are compared under one attack.
    """
    pairs = list(batches)
    if not pairs:
        return {"validation_accuracy": None}
    ball = training.objective.ball
    if ball is not None and training.keep == "best":
        threat = Threat(norm=ball.norm, epsilon=ball.epsilon, steps=STEPS)
        correct = robust_correctness(predict, pairs, threat, generator(seed, "validation"))
        return {
            "validation_accuracy": accuracy(correct.clean),
            "validation_robust_accuracy": accuracy(correct.robust),
        }
    with torch.no_grad():
        return {"validation_accuracy": accuracy(correctness(*logits(predict, pairs)))}
