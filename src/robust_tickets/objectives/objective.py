"""What every objective has in common: settings, and what it becomes in training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from robust_tickets.attacks.aim import Aim
from robust_tickets.attacks.threat import Ball, Threat
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.foundation.settings import Settings
from robust_tickets.objectives.teacher import Teacher
from robust_tickets.objectives.views import Views

if TYPE_CHECKING:
    from torch import Tensor


class Criterion(Protocol):
    """The loss of a task: what training minimises, and what attacks on the training inputs maximise."""

    @property
    def aim(self) -> Aim:
        """What attacks aim for, whatever shapes the loss that is minimised (label smoothing, weights)."""
        ...

    def __call__(self, outputs: Any, targets: Any, /) -> Tensor:
        """Return the scalar loss of a network's outputs and the targets of the same examples."""
        ...

    def imitation(self, outputs: Any, taught: Any, targets: Any, temperature: float) -> Tensor:
        """Return how far outputs are from a teacher's for the same examples, a scalar; of tasks that provide it.

        Args:
            outputs: of the network.
            taught: the teacher's.
            targets: say what is asked for: which words, which pixels.
            temperature: T, by which logits are divided; numbers are compared as they are.

        Raises:
            UserError: they differ in shape.
        """
        ...


class Running(ABC):
    """An objective in training: turns a batch into losses, one per optimiser step."""

    @abstractmethod
    def losses(
        self, network: nn.Module, batch: Batch, criterion: Criterion, generator: torch.Generator
    ) -> Iterator[Tensor]:
        """Yield scalar losses of the network as it is when each is asked for.

        For each loss the caller runs `backward()` and a step of the optimiser before asking for the
        next. The iterator must be exhausted, since it may use the gradients of the last backward pass.
        Under autocast, enter its context anew for each `next()`: it caches the cast weights, and a
        step changes them.

        Args:
            network: inputs to outputs, in training mode; its mode is the same afterwards.
            batch: inputs and targets, on the network's device.
            criterion: the loss of the task.
            generator: source of all chance in the objective.
        """

    def state(self) -> dict[str, Tensor]:
        """Return what must survive between batches, by name; most objectives keep nothing."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` returned."""
        if state:
            raise ValueError(f"{type(self).__name__} keeps no state, but was given {sorted(state)}")

    def after_event(self, *, rewound: bool) -> None:  # noqa: B027
        """Take notice of an event of the timeline, which has changed masks; most objectives do not mind.

        Args:
            rewound: whether the weights have returned to an earlier point.
        """


class Objective(Settings, ABC):
    """What is trained for; a subclass has a literal `kind`. `build` makes what runs."""

    needs: ClassVar[frozenset[str]] = frozenset()
    """What task and interface must provide for it: `pixel-inputs`, `loss` (one per example), class `logits`,
    `imitation`, `views`."""

    leaves_inputs: ClassVar[bool] = False
    """Whether training leaves inputs unchanged, so that a frozen body's features can be computed once."""

    whole_batches: ClassVar[str] = ""
    """Why a batch must not be split into parts (`accumulate`), as in `keeps one perturbation per batch`; empty: it
    may be."""

    follows_itself: ClassVar[bool] = False
    """Whether its teacher is a copy of the network in training, which follows it."""

    reads_weights: ClassVar[bool] = False
    """Whether it looks at the weights themselves, as they train."""

    @property
    def steps_per_batch(self) -> int:
        """How many optimiser steps each batch gives."""
        return 1

    scores_prototypes: ClassVar[bool] = False
    """Whether what the network puts out are scores of prototypes, and not a projection."""

    def required(self) -> frozenset[str]:
        """Return what task and interface must provide for it with these settings: `needs`, and what they add."""
        return self.needs

    @property
    def learns_from_labels(self) -> bool:
        """Whether it asks the task's criterion."""
        return True

    @property
    def own_views(self) -> Views | None:
        """The views of each image that it learns from, in the place of what the data suggest; None: images as usual."""
        return None

    def require_installed(self) -> None:
        """Refuse to train if a library is missing.

        Raises:
            UserError: says how to install it.
        """

    @property
    def teaches_by(self) -> str | None:
        """The teacher that it learns from, or is kept away from, by name; None if there is none."""
        return None

    @property
    def reads_teachers_logits(self) -> bool:
        """Whether what the teacher's head says matters."""
        return False

    @property
    def compares_layers(self) -> bool:
        """Whether it compares what layers put out with what those of another network do."""
        return False

    @property
    def ball(self) -> Ball | None:
        """The ball in which training images are attacked; None if they are not."""
        return None

    @property
    def is_adversarial(self) -> bool:
        """Whether the images trained on are attacked."""
        return self.ball is not None

    @property
    def single_step(self) -> Threat | None:
        """The one-step attack that training relies on; None if it relies on none.

        A network may learn to defeat just that one while it loses its robustness (catastrophic overfitting).
        """
        return None

    @abstractmethod
    def describe(self) -> str:
        """Return a few words for tables and logs."""

    @abstractmethod
    def build(self, student: nn.Module | None = None, teacher: Teacher | None = None) -> Running:
        """Return what runs, without state from earlier batches.

        Args:
            student: the body that trains, as it is called in training.
            teacher: on the same device, of an objective that learns from one.
        """


class Memoryless(Objective, Running, ABC):
    """An objective that keeps nothing from batch to batch: it runs as it is."""

    def build(self, student: nn.Module | None = None, teacher: Teacher | None = None) -> Running:
        """Return itself."""
        return self
