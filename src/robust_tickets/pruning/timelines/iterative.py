"""Iterative magnitude pruning."""

import math
from typing import Literal

from pydantic import Field

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings, later_field
from robust_tickets.pruning.actions import Prune, Rewind
from robust_tickets.pruning.plans import Event, Plan, steps_of

DEFAULT_RATE = 0.2
ROUNDING = 1e-4
"""Papers print 1-(1-p)^k in per cent with two decimals; a target that close to a rung is that rung."""


class Iterative(Settings):
    """Rounds of train, prune a fraction of what remains, rewind (Frankle & Carbin, 2019, arXiv 1803.03635).

    Targets are absolute: 1-(1-rate)^k after k prunes. Of target sparsity, rate and rounds, sparsity alone
    prunes .2 of the remainder as often as needed, the last prune landing exactly on the target; sparsity and
    rate likewise; sparsity and rounds prunes equal fractions; rounds, with a rate or .2, ends at
    1-(1-rate)^rounds. Fractions of the original (`of`) add up instead: k * rate after k prunes.
    """

    kind: Literal["iterative"] = "iterative"
    order: Literal["prune-first", "train-first"] = Field(
        default="train-first",
        description="train-first: a round of training comes before each prune (Robust Tickets). prune-first: the first "
        "prune is of the pretrained weights (Double-Win).",
    )
    rate: float | None = Field(
        default=None,
        gt=0.0,
        lt=1.0,
        description="Fraction of the remaining groups removed per round; 0.2 by default.",
    )
    of: Literal["remaining", "original"] = later_field(
        "remaining",
        description="What `rate` is a fraction of: the groups that remain, or all there were (BERT tickets remove a "
        "tenth of the original in every round: Chen et al., 2020, arXiv 2007.12223).",
    )
    rounds: int | None = Field(default=None, ge=1, description="Number of prunes.")
    epochs: float = Field(default=10.0, gt=0.0, description="Epochs of training per round; fractions allowed.")
    rewind_every_round: bool = Field(
        default=True,
        description="Whether each prune is followed by a rewind and gives a ticket. If not, rounds continue with their "
        "weights, and only the last prune rewinds (late reset: Mehta, 2019, arXiv 1905.07785).",
    )

    def targets(self, sparsity: float | None) -> tuple[float, ...]:
        """Return the absolute sparsity after each prune.

        Raises:
            UserError: neither sparsity nor rounds is given, or all of sparsity, rate and rounds.
        """
        rate, original = self.rate or DEFAULT_RATE, self.of == "original"
        if sparsity is None:
            if self.rounds is None:
                raise UserError("timeline 'iterative' needs a target: give sparsity, or rounds")
            if original and rate * self.rounds >= 1:
                raise UserError(
                    f"timeline 'iterative': {self.rounds} rounds of {rate:g} of the original leave nothing; use fewer"
                )
            return steps_up(rate, self.rounds) if original else ladder(rate, self.rounds)
        if self.rounds is None:
            if original:
                rounds = max(1, math.ceil((sparsity - ROUNDING) / rate))
                return (*steps_up(rate, rounds - 1), sparsity)
            density = min(1.0 - sparsity + ROUNDING, 1.0)
            rounds = max(1, math.ceil(math.log(density) / math.log1p(-rate)))
            return (*ladder(rate, rounds - 1), sparsity)
        if self.rate is not None:
            raise UserError(
                f"timeline 'iterative' has sparsity {sparsity:g}, rate {self.rate:g}, rounds {self.rounds}: "
                "two of them fix the third; remove one"
            )
        if original:
            return (*steps_up(sparsity / self.rounds, self.rounds - 1), sparsity)
        return equal_shares(sparsity, self.rounds)

    def plan(self, sparsity: float | None, steps_per_epoch: int) -> Plan:
        """Return an event per prune."""
        steps = steps_of(self.epochs, steps_per_epoch)
        first = 0 if self.order == "prune-first" else steps
        targets = self.targets(sparsity)
        events = []
        for done, target in enumerate(targets):
            ends = self.rewind_every_round or done == len(targets) - 1
            actions = (Prune(target), Rewind()) if ends else (Prune(target),)
            events.append(Event(first + done * steps, actions, sparsity=target, ticket=ends))
        return Plan(events[-1].step, tuple(events))


def ladder(rate: float, rounds: int) -> tuple[float, ...]:
    """Return 1-(1-rate)^k for k = 1..rounds."""
    return tuple(1.0 - (1.0 - rate) ** k for k in range(1, rounds + 1))


def equal_shares(sparsity: float, rounds: int) -> tuple[float, ...]:
    """Return 1-(1-sparsity)^(k/rounds) for k = 1..rounds: every round removes the same share of what remains."""
    return (*ladder(1.0 - (1.0 - sparsity) ** (1.0 / rounds), rounds - 1), sparsity)


def steps_up(rate: float, rounds: int) -> tuple[float, ...]:
    """Return k * rate for k = 1..rounds."""
    return tuple(k * rate for k in range(1, rounds + 1))
