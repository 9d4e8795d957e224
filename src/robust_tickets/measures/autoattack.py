"""Accuracy under AutoAttack, the field's standard ensemble (Croce and Hein 2020)."""

from typing import Any

import torch
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.measures.predict import Batches, Predict
from robust_tickets.measures.robust_accuracy import Correctness, withstanding
from robust_tickets.objectives.threat import Ball


def load_autoattack() -> Any:
    """Return the package's class.

    Raises:
        UserError: the package is not installed.
    """
    try:
        from pyautoattack import AutoAttack
    except ImportError:
        raise UserError("AutoAttack needs the package pyautoattack: pip install 'robust-tickets[robust]'") from None
    return AutoAttack


def autoattack_correctness(predict: Predict, batches: Batches, ball: Ball, seed: int) -> Correctness:
    """Return which images withstand AutoAttack's standard version in the ball.

    Its targeted attacks try nine target classes, or all others where there are fewer. Below four classes
    APGD-T is left out, because its loss (difference of logits ratio) is defined on four logits.
    The package draws from torch's global generator; that is restored. Use within `evaluation_mode`.

    Raises:
        UserError: the package is not installed.
    """
    ensemble_type = load_autoattack()

    def attacker(images: Tensor, labels: Tensor) -> Tensor:
        with torch.no_grad():
            classes = predict(images[:1]).shape[1]
        ensemble = ensemble_type(
            predict,
            attacks=["apgd-ce", "apgd-t", "fab-t", "square"] if classes >= 4 else ["apgd-ce", "fab-t", "square"],
            version="custom",
            norm="Linf" if ball.norm == "linf" else "L2",
            eps=ball.epsilon,
            seed=seed,
            device=images.device,
        )
        ensemble.apgd.n_restarts = ensemble.fab.n_restarts = 1
        ensemble.apgd_targeted.n_target_classes = ensemble.fab.n_target_classes = min(9, classes - 1)
        with torch.random.fork_rng():
            adversarial, _ = ensemble.run_standard_evaluation(images, labels, batch_size=len(images))
        return adversarial

    return withstanding(predict, batches, attacker)
