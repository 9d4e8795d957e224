"""What every attack has in common: settings with a `kind`, and a search for adversarial images."""

from abc import ABC, abstractmethod
from typing import ClassVar

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings
from robust_tickets.measures.attacks.attack_log import AttackLog
from robust_tickets.measures.predict import Predict
from robust_tickets.measures.robust_accuracy import Attacker
from robust_tickets.objectives.threat import Threat


class Attack(Settings, ABC):
    """A way of searching the threat's ball for images that are misclassified; a subclass has a literal `kind`."""

    gradient_free: ClassVar[bool] = False
    """Whether it asks for logits alone, and so can search on an exported file itself."""
    takes_pixels: ClassVar[bool] = False
    """Whether it also attacks networks that label every pixel."""

    @abstractmethod
    def attacker(self, predict: Predict, threat: Threat, seed: int, log: AttackLog | None = None) -> Attacker:
        """Return the search on `predict`, which has to be differentiable unless the attack is gradient-free.

        Every image that the search returns is in the ball around its own and in the box [0, 1].

        Args:
            predict: images to logits, deterministic; see `evaluation_mode`.
            threat: the ball, and how many restarts.
            seed: of the run; streams of the attack's own are derived from it.
            log: is told how the search goes and where it saw no gradient.
        """

    @abstractmethod
    def describe(self, threat: Threat) -> str:
        """Return a few words for tables, such as `PGD-20 in L-inf 8/255`."""

    def require(self) -> None:
        """Refuse what this installation does not have.

        Raises:
            UserError: a package is missing.
        """

    def require_for(self, name: str, labels_pixels: bool, classes: int) -> None:
        """Refuse data that cannot be attacked, before anything is trained.

        Args:
            name: what the data are called.
            labels_pixels: whether every pixel has a label.
            classes: how many the network tells apart.

        Raises:
            UserError: there is one class alone, or pixels have labels and the attack is for whole images.
        """
        kind = self.model_dump()["kind"]
        if classes < 2:
            raise UserError(f"{name}: has one class, and {kind} needs two, to have one taken for the other")
        if labels_pixels and not self.takes_pixels:
            raise UserError(
                f"{name}: labels pixels, and {kind} attacks the class of an image; use robustness.attack: pgd"
            )


def restarts_of(threat: Threat) -> str:
    """Return `, 5 restarts` for a description, or nothing for one."""
    return f", {threat.restarts} restarts" if threat.restarts > 1 else ""
