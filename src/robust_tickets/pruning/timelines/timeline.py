"""What every timeline can do."""

from typing import Any, Protocol

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import later_field
from robust_tickets.pruning.plans import Plan


class Timeline(Protocol):
    """What happens when."""

    @property
    def kind(self) -> str:
        """Name of the timeline."""
        ...

    def plan(self, sparsity: float | None, steps_per_epoch: int) -> Plan:
        """Work out events in training steps.

        Args:
            sparsity: target, in [0, 1); None if the timeline's own fields give it.
            steps_per_epoch: optimiser steps in an epoch, at least 1.

        Raises:
            UserError: target and fields together say too little, too much, or something impossible.
        """
        ...


def min_steps_field() -> Any:
    """Return the field `min_steps` of a timeline that trains for `epochs`."""
    return later_field(
        0,
        ge=0,
        description="Fewest training steps in total. If the data give fewer, all of the timeline that is in epochs is "
        "stretched alike; warm-up, validation, rewind points and intervals in steps are not.",
    )


def lengthened(steps_per_epoch: int, epochs: float, min_steps: int) -> float:
    """Return the steps of each of a timeline's epochs if it is to have at least `min_steps` in all."""
    return max(float(steps_per_epoch), min_steps / epochs)


def require_sparsity(sparsity: float | None, kind: str) -> float:
    """Return the target sparsity of a timeline that needs one.

    Raises:
        UserError: it is missing.
    """
    if sparsity is None:
        raise UserError(f"timeline {kind!r} needs a target: give sparsity, in [0, 1)")
    return sparsity


def says_sparsity(timeline: Timeline) -> bool:
    """Return whether a timeline's own fields say where it ends, as rounds do."""
    try:
        timeline.plan(None, 1)
    except UserError:
        return False
    return True
