"""Objectives that learn from views of each image, without labels: what they have in common."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar

from robust_tickets.foundation.extras import require_extra
from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.objectives.momentum import MomentumCopy
from robust_tickets.objectives.objective import Objective
from robust_tickets.objectives.teacher import Teacher


class FromViews(Objective, ABC):
    """Batches have views [N, views, C, H, W] of their images; labels do not matter."""

    needs: ClassVar[frozenset[str]] = frozenset({"views"})

    @property
    def learns_from_labels(self) -> bool:
        """It does not."""
        return False

    def require_installed(self) -> None:
        """Refuse to train without lightly."""
        require_extra("lightly", "ssl", self.describe())


class Followed(FromViews, ABC):
    """One whose targets a momentum copy of the network gives."""

    follows_itself: ClassVar[bool] = True
    reads_weights: ClassVar[bool] = True
    momentum: float

    def copy_of(self, student: nn.Module | None, teacher: Teacher | None) -> MomentumCopy:
        """Return the copy, which is to follow the network."""
        if student is None or teacher is None:
            raise ValueError(f"{self.describe()} needs a network and a copy of it")
        return MomentumCopy(student, teacher, self.momentum)


def in_several_processes() -> bool:
    """Return whether other processes have other parts of the batch."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()
