"""Which weights a training ends on, and when it has stopped improving."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.measures.figure import Quantity, goodness
from robust_tickets.pruning.plans import Plan
from robust_tickets.training.batch_source import BatchSource
from robust_tickets.training.settings import Training


class KeptWeights:
    """The newest validation score, and the best one with the weights that reached it."""

    def __init__(self, training: Training, metric: Quantity) -> None:
        self.metric = metric
        self.keeps_best = training.keep == "best"
        self.patience = training.patience
        self.last_score: float | None = None
        self.best_score: float | None = None
        self.best: dict[str, Tensor] | None = None
        self.stale = 0
        """Validations since the best one."""

    def offer(self, score: float | None, weights: Mapping[str, Tensor]) -> None:
        """Record a validation; `weights` are copied if they are the best so far and the best are kept."""
        self.last_score = score
        self.stale += 1
        if score is not None and goodness(self.metric, score) > goodness(self.metric, self.best_score):
            self.best_score, self.stale = score, 0
            if self.keeps_best:
                self.best = {name: value.detach().clone() for name, value in weights.items()}

    @property
    def score(self) -> float | None:
        """Return the score of the weights that the training ends on."""
        return self.best_score if self.keeps_best else self.last_score

    @property
    def is_exhausted(self) -> bool:
        """Say whether `patience` validations have passed without improvement."""
        return 0 < self.patience <= self.stale

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must keep."""
        return {
            "last_score": self.last_score,
            "best_score": self.best_score,
            "best": self.best,
            "stale": self.stale,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Resume from a checkpoint."""
        self.last_score, self.best_score = state["last_score"], state["best_score"]
        self.best, self.stale = state["best"], state["stale"]


def require_keepable(training: Training, batches: BatchSource | None, plan: Plan) -> None:
    """Refuse to select epochs where that cannot be done.

    Raises:
        UserError: there is no validation part, or events during the training decide what becomes of the weights.
    """
    if not plan.steps or (training.keep == "last" and not training.patience):
        return
    asked = "training.keep: best" if training.keep == "best" else f"training.patience: {training.patience}"
    if any(event.step < plan.steps for event in plan.events) or (plan.events and training.patience):
        raise UserError(
            f"{asked}: a draw ends where its timeline ends, with the weights it has then; remove this setting"
        )
    if batches is not None and "pixel-inputs" in batches.lacks and training.objective.is_adversarial:
        raise UserError(f"{asked}: epochs are selected under attack, which is for images; use keep: last, no patience")
    if batches is not None and not batches.are_judged:
        raise UserError(f"{asked} needs labels to validate by, and these {batches.noun} have none; use keep: last")
    if batches is not None and not batches.has_validation:
        raise UserError(f"{asked} needs a validation part; set data.validation above 0")
