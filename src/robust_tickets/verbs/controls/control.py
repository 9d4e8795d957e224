"""What every control can do."""

import logging
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar

from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.sources import Source
from robust_tickets.tasks.target import target_data
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.control_settings import ControlName
from robust_tickets.verbs.draw import draw, recalibrated
from robust_tickets.verbs.draw_settings import DEFAULT_SPARSITY, DrawSettings

NOTHING_TO_START_FROM = (
    "{0}: tickets of this draw restart from their own weights, and the weights they removed are not stored anywhere; "
    "use rewind: pretrained, or the controls random and shuffled"
)

_log = logging.getLogger(__name__)


class Control(ABC):
    """A ticket that differs from a drawn one in an exactly known way."""

    name: ClassVar[ControlName]
    keeps_removed: ClassVar[bool] = False
    """Whether it keeps weights which the ticket removes, so that those have to be known."""
    shows_triviality: ClassVar[bool] = False
    """Whether a sparsity at which it matches is trivial: it has nothing of the ticket's masks, or of its weights."""

    def of(self, ticket: Ticket, source: Source, settings: DrawSettings, seed: int, flip: float) -> Ticket:
        """Return the control of a ticket; see `control`.

        Raises:
            UserError: the ticket has none of this kind.
        """
        if self.keeps_removed and ticket.stored is not None:
            raise UserError(NOTHING_TO_START_FROM.format(self.name))
        made = self.made(ticket, source, settings, seed, flip)
        if ticket.statistics is not None and made.statistics is ticket.statistics:
            made = replace(made, statistics=self.statistics(made, source, settings, seed))
        return replace(made, provenance={**ticket.provenance, "control": self.name}, network=source)

    @property
    def prefix(self) -> str:
        """Return how the names of its tickets begin in tables; the drawn ticket's name follows."""
        return f"{self.name} "

    @abstractmethod
    def made(self, ticket: Ticket, source: Source, settings: DrawSettings, seed: int, flip: float) -> Ticket:
        """Return a ticket with other masks or weights; `of` adds statistics and provenance."""

    def require(self, settings: DrawSettings) -> None:
        """Refuse, before anything is drawn, settings whose tickets can have no such control.

        Raises:
            UserError: says why.
        """
        target = DEFAULT_SPARSITY if settings.says_sparsity else settings.sparsities[-1]
        plan = settings.timeline.plan(target, steps_per_epoch=1)
        rewound = all(event.rewinds for event in plan.events if event.ticket)
        if self.keeps_removed and plan.steps and not (rewound and settings.rewind.is_source):
            raise UserError(NOTHING_TO_START_FROM.format(self.name))

    def statistics(self, made: Ticket, source: Source, settings: DrawSettings, seed: int) -> dict[str, Tensor] | None:
        """Return batch-norm statistics under a control's own masks, on the data on which the ticket's were computed.

        None, and a warning, where those were objects in memory: nothing leads to them.
        """
        data = settings.recalibrate or settings.data
        if data is None:
            _log.warning(
                "%s: keeps the dense network's batch-norm statistics; name the data as draw.recalibrate", self.name
            )
            return None
        network = replace(made, statistics=None).subnetwork(source)
        return recalibrated(network, target_data(data, source, seed))


def redrawn(ticket: Ticket, source: Source, settings: DrawSettings, seed: int, score: str) -> Ticket:
    """Return a ticket of the same target, drawn once from the source by another score, without any training.

    It has batch-norm statistics of its own where the ticket has.
    """
    drawn = draw(
        source,
        settings=settings,
        seed=seed,
        sparsity=ticket.target,
        score=score,
        scope=settings.selection.scope.regardless_of_cost(),
        parametrisation="fixed",
        timeline={"kind": "one-shot", "epochs": 0, "rounds": 1},
        finetune=None,
        rewind="pretrained",
    )
    return drawn if ticket.statistics is not None else replace(drawn, statistics=None)
