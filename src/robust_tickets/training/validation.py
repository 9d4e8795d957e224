"""The score that selects epochs: the task's, and under an adversarial objective that under attack."""

from itertools import chain
from typing import Any, NamedTuple

from torch import Tensor

from robust_tickets.attacks import Threat
from robust_tickets.attacks.aim import MISCLASSIFICATION, Aim
from robust_tickets.attacks.pgd import pgd
from robust_tickets.attacks.predict import Predict
from robust_tickets.foundation.seeds import generator
from robust_tickets.measures.logits import Batches
from robust_tickets.measures.metric import Accuracy, Metric
from robust_tickets.training.settings import Training

STEPS = 10
"""Of PGD, in the objective's own ball, wherever a validation attack decides."""

ACCURACY = Accuracy()


class Validation(NamedTuple):
    """A measurement, as a row of metrics, and the figure in it that selects."""

    row: dict[str, float | None]
    selects: float | None


def validate(
    predict: Predict,
    batches: Batches,
    training: Training,
    seed: int,
    score: Metric = ACCURACY,
    aim: Aim = MISCLASSIFICATION,
) -> Validation:
    """Return `validation_accuracy`, and `validation_robust_accuracy` if it selects; None without a part.

    (Of another score than accuracy, under its key.) The attack, of which `aim` says what it is after, has the same
    noise at every validation of a run, so that epochs are compared under one attack.
    """
    clean, robust = f"validation_{score.key}", f"validation_robust_{score.key}"
    some = iter(batches)
    if (first := next(some, None)) is None:
        return Validation({clean: None}, None)
    everything = chain([first], some)
    ball = training.objective.ball
    if ball is None or training.keep != "best":
        value = score.value(score.measured(predict, everything)[0])
        return Validation({clean: value}, value)
    threat = Threat(norm=ball.norm, epsilon=ball.epsilon, steps=STEPS)
    chance = generator(seed, "validation")

    def attacker(images: Tensor, targets: Any) -> Tensor:
        return pgd(predict, images, targets, threat, chance, aim)

    figures = [score.value(one) for one in score.measured(predict, everything, [attacker])]
    return Validation({clean: figures[0], robust: figures[1]}, figures[1])
