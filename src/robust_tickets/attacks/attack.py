"""What every attack has in common: settings with a `kind`, and a search for adversarial images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from robust_tickets.attacks.aim import MISCLASSIFICATION, Aim
from robust_tickets.attacks.attack_log import AttackLog
from robust_tickets.attacks.predict import Predict
from robust_tickets.attacks.threat import Threat
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

Attacker = Callable[["Tensor", Any], "Tensor"]
"""Images [N, C, H, W] and their targets, on the network's device, to adversarial images."""

Observe = Callable[["Tensor", "Tensor | None"], "Tensor"]
"""The gradients [n, ...] of one step and which images they belong to, int64 [n] (None: all, in order); returns the
gradients to follow."""

LOSS, IMAGE_LOGITS, PIXEL_INPUTS, TEXT_INPUTS = "loss", "image-logits", "pixel-inputs", "text-inputs"
"""What an attack may need from a task: a loss per example (the aim's), or class logits of whole images; and pixels.
Texts have none."""

_OF_NEEDS = {LOSS: "increases the loss of each image", IMAGE_LOGITS: "attacks the class of an image"}


class Attack(Settings, ABC):
    """A way of searching the threat's ball for images on which a network fails; a subclass has a literal `kind`."""

    gradient_free: ClassVar[bool] = False
    """Whether it needs only logits, and so can search on an exported file itself."""
    needs: ClassVar[frozenset[str]] = frozenset({IMAGE_LOGITS})
    """What a task must provide for it."""

    @abstractmethod
    def attacker(
        self,
        predict: Predict,
        threat: Threat,
        seed: int,
        log: AttackLog | None = None,
        aim: Aim = MISCLASSIFICATION,
    ) -> Attacker:
        """Return the search on `predict`, which has to be differentiable unless the attack is gradient-free.

        Every image that the search returns is in the ball around its own and in the box [0, 1].

        Args:
            predict: images to outputs, deterministic; see `evaluation_mode`.
            threat: the ball, and how many restarts.
            seed: of the run; streams of the attack's own are derived from it.
            log: records how the search goes and where it saw no gradient.
            aim: what is sought; attacks that need the logits of images know that themselves.
        """

    @abstractmethod
    def describe(self, threat: Threat) -> str:
        """Return a few words for tables, such as `PGD-20 in L-inf 8/255`."""

    def require(self) -> None:
        """Refuse an attack that this installation lacks.

        Raises:
            UserError: a package is missing.
        """

    def require_for(self, name: str, labels: str, provides: frozenset[str], classes: int) -> None:
        """Refuse data that cannot be attacked, before anything is trained.

        Args:
            name: what the data are called.
            labels: what they label, in words: `labels pixels`.
            provides: what their task provides.
            classes: how many the network tells apart.

        Raises:
            UserError: there is one class alone, or the task lacks what the attack needs.
        """
        kind = self.model_dump()["kind"]
        if "logits" in provides and classes < 2:
            raise UserError(f"{name}: has one class, but {kind} needs two, so that one can be mistaken for the other")
        if PIXEL_INPUTS not in provides:
            instead = "measure word-substitution instead" if TEXT_INPUTS in provides else "leave it out"
            raise UserError(f"{name}: has no pixels, which {kind} moves; {instead}")
        for missing in sorted(self.needs - provides):
            instead = "use robustness.attack: pgd" if LOSS in provides else "leave it out"
            raise UserError(f"{name}: {labels}, but {kind} {_OF_NEEDS[missing]}; {instead}")


def restarts_of(threat: Threat) -> str:
    """Return `, 5 restarts` for a description, or nothing for one."""
    return f", {threat.restarts} restarts" if threat.restarts > 1 else ""
