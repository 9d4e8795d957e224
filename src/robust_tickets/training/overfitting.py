"""Catastrophic overfitting: training against a single step has taught the network to defeat only that step.

Accuracy under PGD collapses while accuracy under the single step goes on rising (Wong, Rice and Kolter 2020, arXiv
2001.03994, who advise to watch PGD accuracy on a few images; Andriushchenko and Flammarion 2020, arXiv 2007.02617;
Kim, Lee and Lee 2021, arXiv 2010.01799). Objectives say themselves whether they rely on a single step.
"""

from collections.abc import Sequence
from typing import Any

from robust_tickets.attacks import Threat
from robust_tickets.attacks.aim import MISCLASSIFICATION, Aim
from robust_tickets.attacks.attack import Attacker
from robust_tickets.attacks.pgd import pgd
from robust_tickets.attacks.predict import Predict
from robust_tickets.foundation.seeds import generator
from robust_tickets.measures.metric import Metric
from robust_tickets.training.batch_source import BatchSource
from robust_tickets.training.settings import Training
from robust_tickets.training.validation import STEPS

FEWEST, MOST = 64, 256
"""Images that are attacked at a validation."""

SHARE = 0.005
"""Of the images trained on between two validations, within these limits. An image costs as much as five in training
(11 attack passes against 2 passes and an update): 2.5 % of the training, from 12,800 images between validations on."""

COLLAPSED, LEAST_DROP = 0.5, 0.1
"""PGD accuracy below half of the best so far, and by ten points: more than chance moves it on 64 images. (Wong et
al. stop where it falls by 20 points from one check to the next, which at large radii it cannot.)"""


class OverfittingWatch:
    """Compares, at every validation, accuracy under the objective's own single step and under PGD-10 in its ball."""

    def __init__(
        self,
        training: Training,
        batches: BatchSource | None,
        seed: int,
        score: Metric,
        aim: Aim = MISCLASSIFICATION,
    ) -> None:
        self.single_step, self.batches, self.seed = training.objective.single_step, batches, seed
        self.score, self.aim = score, aim
        between = batches.per_epoch * training.batch_size * training.validate_every if batches is not None else 0
        self.images = max(FEWEST, min(MOST, int(SHARE * between)))

    def measure(self, predict: Predict, earlier: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return what a row of metrics says about it: nothing if the objective relies on no single step, nor of texts.

        The images are the same at every call: of the validation part or, where that has fewer, of the training part.

        Args:
            predict: use within `evaluation_mode`.
            earlier: the rows since training began or was last rewound.
        """
        single = self.single_step
        if single is None or self.batches is None or "pixel-inputs" in self.batches.lacks:
            return {}
        strong = Threat(norm=single.norm, epsilon=single.epsilon, steps=STEPS)
        attackers = [self.attacker(predict, threat) for threat in (single, strong)]
        measured = self.score.measured(predict, self.batches.sample(self.images), attackers)
        _, under_single, under_pgd = (self.score.value(one) for one in measured)
        row = {f"single_step_{self.score.key}": under_single, f"pgd_{self.score.key}": under_pgd}
        return {**row, "catastrophic_overfitting": has_collapsed([*earlier, row], self.score.key)}

    def attacker(self, predict: Predict, threat: Threat) -> Attacker:
        """Return an attack with the same noise at every validation."""
        noise = generator(self.seed, "overfitting", threat.steps)
        return lambda images, targets: pgd(predict, images, targets, threat, noise, self.aim)


def has_collapsed(rows: Sequence[dict[str, Any]], key: str = "accuracy") -> bool:
    """Say whether the last row's PGD accuracy is a collapse: far below the best, while the single step is no harder."""
    single, pgd = f"single_step_{key}", f"pgd_{key}"
    best = max(rows, key=lambda row: row[pgd])
    return (
        rows[-1][pgd] < COLLAPSED * best[pgd]
        and best[pgd] - rows[-1][pgd] >= LEAST_DROP
        and rows[-1][single] >= best[single]
    )


def first_collapse(rows: Sequence[dict[str, Any]]) -> float | None:
    """Return the epoch of the first validation that found a collapse, or None."""
    return next((row["epoch"] for row in rows if row.get("catastrophic_overfitting")), None)


def warning(rows: Sequence[dict[str, Any]], score: Metric) -> str:
    """Return one line about a collapse that the last row found."""
    single, pgd = f"single_step_{score.key}", f"pgd_{score.key}"
    best = max(row[pgd] for row in rows)
    last = rows[-1]
    return (
        f"catastrophic overfitting at epoch {last['epoch']:.4g}: {score.name} under PGD-{STEPS} fell from "
        f"{100 * best:.0f} % to {100 * last[pgd]:.0f} %, while under the single step used in training it is "
        f"{100 * last[single]:.0f} %; shorten the objective's step or radius, train with pgd, or set keep: best to end "
        "on the weights from before"
    )
