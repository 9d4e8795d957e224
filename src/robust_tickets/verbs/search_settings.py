"""How a smaller network and its ticket are searched for."""

from pydantic import Field, model_validator

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings, Sparsity
from robust_tickets.pruning.groups import Element
from robust_tickets.pruning.parametrisations import PenalisedGains
from robust_tickets.pruning.plans import steps_of
from robust_tickets.pruning.rewinds import NoRewind
from robust_tickets.pruning.scopes import GlobalScope
from robust_tickets.pruning.scores import Magnitude
from robust_tickets.pruning.timelines import Search
from robust_tickets.shrinking.settings import ShrinkSettings
from robust_tickets.training.optimisers import SGD
from robust_tickets.training.schedules import Cosine, rate_factor
from robust_tickets.training.settings import Training
from robust_tickets.verbs.draw_settings import DrawSettings

EPOCHS = 30.0
"""Epochs of a search, if nothing else is asked for."""

TRAINING = Training(
    epochs=EPOCHS,
    batch_size=64,
    optimiser=SGD(lr=0.05, momentum=0.9, weight_decay=1e-4),
    schedule=Cosine(),
    warmup=1,
)
"""The training of a search by default."""

WARMUP = 0.1
"""Share of the training in which the penalty rises."""

FINAL, PRUNES = 10 / 12, 12
"""Share of the training before the last prune, and how often the whole of it has room for prunes (SuperTickets)."""


class SearchSettings(Settings):
    """How a smaller network and its ticket are found in one training (SuperTickets, arXiv 2207.03677)."""

    sparsity: Sparsity = Field(
        default=0.8,
        description="Fraction of prunable weights removed in the end, in [0, 1), those of removed channels included.",
    )
    epochs: float = Field(default=EPOCHS, gt=0, description="Passes over the training data; fractions allowed.")
    min_steps: int = Field(
        default=1000, ge=0, description="Fewest training steps; if the data give fewer, there are more epochs."
    )
    pull: float = Field(
        default=1.5,
        gt=0,
        description="How much gain, |gamma|, the penalty takes over the whole training from a channel of mean cost "
        "that the loss does not hold; more removes more channels.",
    )
    penalty: float | None = Field(
        default=None,
        gt=0,
        description="rho: what the loss pays for gains; absent: derived from pull, under sgd without clip_norm.",
    )
    threshold: float = Field(default=0.01, gt=0, description="Largest gain of a channel that is removed.")
    training: Training = Field(default=TRAINING, description="Optimiser, batch size and the rest; epochs are above.")
    shrink: ShrinkSettings = Field(
        default=ShrinkSettings(), description="How the smaller network is written and timed, as in shrink."
    )

    @model_validator(mode="after")
    def _is_decided(self) -> "SearchSettings":
        if self.training.epochs not in (EPOCHS, self.epochs):
            raise ValueError("training.epochs: how long a search trains is said by `epochs`; leave this one out")
        if self.penalty is None and self.training.optimiser.travel is None:
            raise ValueError(
                f"penalty: is missing; under {self.training.optimiser.kind} it cannot be derived from pull: give a "
                "number, such as 0.003, or use sgd"
            )
        several = self.training.objective.steps_per_batch > 1
        if self.penalty is None and (self.training.clip_norm or several):
            why = f"objective {self.training.objective.kind}, which steps several times," if several else "clip_norm"
            raise ValueError(
                f"penalty: is missing; under {why} it cannot be derived from pull: give a number, such as 0.003"
            )
        if self.shrink.half or self.shrink.int8 is not None:
            raise ValueError(
                f"shrink.{'half' if self.shrink.half else 'int8'}: is of files, and a search writes a folder; leave it "
                "out, and write a file of that folder with tickets export"
            )
        return self

    @property
    def timeline(self) -> Search:
        """Return what happens when, in the proportions of the paper's recipes."""
        return Search(
            threshold=self.threshold,
            prune_every=self.epochs / PRUNES,
            final=FINAL * self.epochs,
            epochs=self.epochs,
            min_steps=self.min_steps,
        )

    def penalty_over(self, steps_per_epoch: int) -> float:
        """Return rho: as it was given, or else such that it takes `pull` from the gain of a channel of mean cost.

        Under SGD with momentum m and rates lr_t, a constant gradient g moves a weight by g sum(lr_t) / (1 - m). That of
        a gain of mean cost is rho, which rises over the first tenth of the training.

        Args:
            steps_per_epoch: optimiser steps in an epoch, at least 1.

        Raises:
            UserError: there are too few steps.
        """
        if self.penalty is not None:
            return self.penalty
        optimiser = self.training.optimiser
        assert optimiser.travel is not None
        steps = self.timeline.plan(self.sparsity, steps_per_epoch).steps
        warmup = steps_of(self.training.warmup, steps_per_epoch)
        rates = sum(
            min(1.0, step / steps / WARMUP) * rate_factor(self.training.schedule, warmup, step, steps)
            for step in range(steps)
        )
        if not rates:
            raise UserError(
                f"epochs: {self.epochs:g} epochs are too few training steps to search in ({steps}); give more epochs, "
                "or min_steps"
            )
        return self.pull / (optimiser.travel * optimiser.lr * rates)

    def drawing(self, steps_per_epoch: int) -> DrawSettings:
        """Return how the ticket is drawn.

        Args:
            steps_per_epoch: optimiser steps in an epoch, at least 1.

        Raises:
            UserError: there are too few steps.
        """
        return DrawSettings(
            sparsity=self.sparsity,
            score=Magnitude(),
            group=Element(),
            scope=GlobalScope(),
            parametrisation=PenalisedGains(penalty=self.penalty_over(steps_per_epoch), warmup=WARMUP),
            timeline=self.timeline,
            rewind=NoRewind(),
            head="fresh",
            training=self.training.model_copy(update={"epochs": self.epochs}),
        )
