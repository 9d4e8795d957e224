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
    """The newest validation score, and that of the best weights so far, which are kept where that is asked for.

    Best is what reaches most on validation, or under `keep: steadiest` what varies least (`steadiness.py`).
    """

    def __init__(self, training: Training, metric: Quantity) -> None:
        self.metric = metric
        self.keeps_steadiest = training.keep == "steadiest"
        self.keeps = training.keep != "last"
        self.patience = training.patience
        self.last_score: float | None = None
        self.best_score: float | None = None
        """Of the best weights."""
        self.best_goodness: float | None = None
        """By which they are best; the more, the better."""
        self.best: dict[str, Tensor] | None = None
        self.stale = 0
        """Validations since the best one."""

    def offer(self, score: float | None, weights: Mapping[str, Tensor], variance: float | None = None) -> None:
        """Record a validation; `weights` are copied if they are the best so far and the best are kept.

        Args:
            score: the metric on validation, if there is a part for it.
            weights: everything that trains.
            variance: of what the network makes, over the last validations, if that is known.
        """
        self.last_score = score
        found = self._goodness(score, variance)
        if found is None:
            # There is no best one yet whose age `patience` could count: the window of variances is not full.
            return
        self.stale += 1
        if self.best_goodness is None or found > self.best_goodness:
            self.best_goodness, self.best_score, self.stale = found, score, 0
            if self.keeps:
                self.best = {name: value.detach().clone() for name, value in weights.items()}

    def _goodness(self, score: float | None, variance: float | None) -> float | None:
        if self.keeps_steadiest:
            return None if variance is None else -variance
        return None if score is None else goodness(self.metric, score)

    @property
    def score(self) -> float | None:
        """Return the score of the weights that the training ends on."""
        # A draw that prunes its best weights has them no more, but they are what it pruned.
        return self.best_score if self.keeps and self.best_goodness is not None else self.last_score

    @property
    def is_exhausted(self) -> bool:
        """Say whether `patience` validations have passed without improvement."""
        return 0 < self.patience <= self.stale

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must keep."""
        return {
            "last_score": self.last_score,
            "best_score": self.best_score,
            "best_goodness": self.best_goodness,
            "best": self.best,
            "stale": self.stale,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Resume from a checkpoint."""
        self.last_score, self.best_score = state["last_score"], state["best_score"]
        self.best, self.stale = state["best"], state["stale"]
        # Checkpoints of older versions know no other goodness than the score's.
        known = None if self.best_score is None else goodness(self.metric, self.best_score)
        self.best_goodness = state.get("best_goodness", known)


def require_keepable(training: Training, batches: BatchSource | None, plan: Plan) -> None:
    """Refuse to select epochs where that cannot be done.

    Raises:
        UserError: there is no validation part, or events during the training decide what becomes of the weights.
    """
    if training.until and plan.events:
        raise UserError("training.until: a draw ends where its timeline ends; remove this setting")
    if not plan.steps or (training.keep == "last" and not training.patience):
        return
    asked = f"training.keep: {training.keep}"
    if training.keep == "last":
        asked = f"training.patience: {training.patience}"
    if any(event.step < plan.steps for event in plan.events) or (plan.events and training.patience):
        raise UserError(
            f"{asked}: a draw ends where its timeline ends, with the weights it has then; remove this setting"
        )
    if training.keep == "steadiest":
        return
    if batches is not None and "pixel-inputs" in batches.lacks and training.objective.is_adversarial:
        raise UserError(f"{asked}: epochs are selected under attack, which is for images; use keep: last, no patience")
    if batches is not None and not batches.selects:
        raise UserError(f"{asked}: would select by the clean picture that judges in the end; use keep: steadiest")
    if batches is not None and not batches.are_judged:
        raise UserError(f"{asked} needs labels to validate by, and these {batches.noun} have none; use keep: last")
    if batches is not None and not batches.has_validation:
        raise UserError(f"{asked} needs a validation part; set data.validation above 0")
