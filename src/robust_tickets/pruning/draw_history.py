"""How far draws of the same training are apart, one after the other."""

from __future__ import annotations

from typing import Any

from robust_tickets.pruning.masks import Masks, distance


class DrawHistory:
    """The masks that would have been drawn last, and how much they differed from those before."""

    def __init__(self) -> None:
        self.last: Masks | None = None
        self.step: int | None = None
        self.distances: list[tuple[int, float]] = []
        """Training step of a draw, and the fraction of prunable weights in which it differs from the one before."""

    def add(self, step: int, masks: Masks) -> None:
        """Compare the masks drawn before a training step with the last ones."""
        if step == self.step:
            return
        if self.last is not None:
            self.distances.append((step, distance(self.last, masks)))
        self.last, self.step = masks, step

    def has_settled(self, threshold: float, times: int) -> bool:
        """Return whether the last so many distances were all below a threshold."""
        recent = [value for _, value in self.distances[-times:]]
        return len(recent) == times and max(recent) < threshold

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must keep."""
        return {"last": self.last, "step": self.step, "distances": self.distances}

    def load_state(self, state: dict[str, Any]) -> None:
        """Resume from a checkpoint."""
        self.last, self.step, self.distances = state["last"], state["step"], state["distances"]
