"""Accuracy under AutoAttack, the field's standard ensemble (Croce and Hein 2020)."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from robust_tickets.attacks.aim import MISCLASSIFICATION, Aim
from robust_tickets.attacks.attack import Attack, Attacker
from robust_tickets.attacks.attack_log import AttackLog, GradientCounts
from robust_tickets.attacks.losses import logits_ratio
from robust_tickets.attacks.persistence import GradientWatch
from robust_tickets.attacks.predict import Predict
from robust_tickets.attacks.threat import Threat
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.seeds import stream_seed

if TYPE_CHECKING:
    from torch import Tensor


class AutoAttack(Attack):
    """AutoAttack's standard version in the threat's ball, as the package `pyautoattack` has it."""

    kind: Literal["autoattack"] = "autoattack"

    def require(self) -> None:
        """Refuse an installation without the package.

        Raises:
            UserError: it is not installed.
        """
        load_autoattack()

    def attacker(
        self,
        predict: Predict,
        threat: Threat,
        seed: int,
        log: AttackLog | None = None,
        aim: Aim = MISCLASSIFICATION,
    ) -> Attacker:
        """Return the ensemble: APGD-CE, APGD-T, FAB-T and Square, one after the other.

        Its targeted attacks try nine target classes, or all others if there are fewer. APGD-T's loss is defined on
        four logits: below four classes APGD under `logits_ratio`, which has forms for two and three, takes its place.
        The package draws from torch's global generator; that is restored.

        Raises:
            UserError: the package is not installed.
        """
        ensemble_type = load_autoattack()
        log = log or AttackLog()
        log.record(GradientCounts())

        def attacker(images: Tensor, labels: Tensor) -> Tensor:
            with torch.no_grad():
                classes = predict(images[:1]).shape[1]
            watch, stage = GradientWatch(), ""

            def watched(points: Tensor) -> Tensor:
                if stage == "apgd-ce" and points.requires_grad:
                    points.register_hook(lambda gradient: watch(gradient, None))
                return predict(points)

            ensemble = ensemble_type(
                watched,
                attacks=[],
                version="custom",
                norm="Linf" if threat.norm == "linf" else "L2",
                eps=threat.epsilon,
                seed=stream_seed(seed, "evaluation"),
                device=images.device,
            )
            ensemble.apgd.n_restarts = ensemble.fab.n_restarts = 1
            ensemble.apgd_targeted.n_target_classes = ensemble.fab.n_target_classes = min(9, classes - 1)
            ensemble.apgd.dlr_loss = logits_ratio
            adversarial = images.detach().clone()
            standing = torch.arange(len(images), device=images.device)
            left = {}
            for stage in ("apgd-ce", "apgd-t" if classes >= 4 else "apgd-dlr", "fab-t", "square"):
                left[stage] = len(standing)
                if not len(standing):
                    break
                log.tell(f"{stage} on {len(standing):,} images")
                ensemble.attacks_to_run = [stage]
                with _traceless(ensemble.logger):
                    found, _ = ensemble.run_standard_evaluation(
                        images[standing], labels[standing], batch_size=len(standing)
                    )
                # A gradient that is not finite moves the image to NaN, which is not an image.
                real = found.flatten(1).isfinite().all(1)
                adversarial[standing[real]] = found[real]
                with torch.no_grad():
                    stood = predict(adversarial[standing]).argmax(1) == labels[standing]
                standing = standing[stood]
            start, _, always = watch.vanished(len(images), images.device)
            probed = left.get("square", 0)
            log.record(
                GradientCounts(
                    attacked=len(images),
                    at_start=int(start.sum()),
                    throughout=int(always.sum()),
                    probed=probed,
                    found=probed - len(standing),
                )
            )
            return adversarial

        return attacker

    def describe(self, threat: Threat) -> str:
        """Return for example `AutoAttack in L2 0.5`."""
        return f"AutoAttack in {threat.ball_name}"


@contextmanager
def _traceless(logger: logging.Logger) -> Iterator[None]:
    """Restore what the package changes behind its caller's back: random state, and the function that traces calls.

    Its warning that fewer than four classes have no DLR loss is kept back, since the loss is `logits_ratio`.
    """

    def is_true(record: logging.LogRecord) -> bool:
        return "DLR loss!" not in record.getMessage()

    tracer = sys.gettrace()
    logger.addFilter(is_true)
    try:
        with torch.random.fork_rng():
            yield
    finally:
        logger.removeFilter(is_true)
        sys.settrace(tracer)


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
