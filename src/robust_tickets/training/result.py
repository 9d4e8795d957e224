"""What a training came to."""

from dataclasses import dataclass
from typing import Any

from robust_tickets.pruning.masks import Masks
from robust_tickets.training.removed_channels import ChannelRemoval


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to; the network's weights were changed in place."""

    masks: Masks
    steps: int
    """Training steps done; fewer than planned if patience ran out, or an event ended the training."""
    validation: float | None
    """Validation score of the weights kept: the task's, or that under attack if the objective is adversarial."""
    history: list[dict[str, Any]]
    catastrophic_overfitting: float | None = None
    """Epoch at which training against a single step was found to have collapsed; None if it was not."""
    mask_distances: tuple[tuple[int, float], ...] = ()
    """Of a draw that compares masks as it trains: training steps, and the fraction of prunable weights in which the
    masks drawn there differ from those drawn before."""

    removals: tuple[ChannelRemoval, ...] = ()
    """Of a draw that takes channels out of the network: what was left each time."""
    rate: float | None = None
    """Learning rate of the head that was kept, where heads were trained at several."""

    @property
    def found(self) -> dict[str, Any]:
        """Return what is recorded of a training besides its weights; of what there may be, only what there is."""
        distances = [list(pair) for pair in self.mask_distances]
        removals = [list(removal) for removal in self.removals]
        some = {"mask_distances": distances or None, "removals": removals or None, "rate": self.rate}
        found = {"catastrophic_overfitting": self.catastrophic_overfitting}
        return {**found, **{name: value for name, value in some.items() if value is not None}}
