"""Accuracy under AutoAttack, the field's standard ensemble (Croce and Hein 2020)."""

from typing import Any, Literal

import torch
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import stream_seed
from robust_tickets.measures.attacks.attack import Attack
from robust_tickets.measures.predict import Predict
from robust_tickets.measures.robust_accuracy import Attacker
from robust_tickets.objectives.threat import Threat


class AutoAttack(Attack):
    """AutoAttack's standard version in the threat's ball, as the package `pyautoattack` has it."""

    kind: Literal["autoattack"] = "autoattack"

    def require(self) -> None:
        """Refuse an installation without the package.

        Raises:
            UserError: it is not installed.
        """
        load_autoattack()

    def attacker(self, predict: Predict, threat: Threat, seed: int) -> Attacker:
        """Return the ensemble: APGD-CE, APGD-T, FAB-T and Square, one after the other.

        Its targeted attacks try nine target classes, or all others where there are fewer. Below four classes
        APGD-T is left out, because its loss (difference of logits ratio) is defined on four logits. The package
        draws from torch's global generator; that is restored.

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
                norm="Linf" if threat.norm == "linf" else "L2",
                eps=threat.epsilon,
                seed=stream_seed(seed, "evaluation"),
                device=images.device,
            )
            ensemble.apgd.n_restarts = ensemble.fab.n_restarts = 1
            ensemble.apgd_targeted.n_target_classes = ensemble.fab.n_target_classes = min(9, classes - 1)
            with torch.random.fork_rng():
                adversarial, _ = ensemble.run_standard_evaluation(images, labels, batch_size=len(images))
            return adversarial

        return attacker

    def describe(self, threat: Threat) -> str:
        """Return for example `AutoAttack in L2 0.5`."""
        return f"AutoAttack in {threat.ball_name}"


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
