"""What the ticket removes."""

from dataclasses import replace
from typing import ClassVar

from robust_tickets.analysis.complement import complement
from robust_tickets.models.sources import Source
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.control_settings import ControlName
from robust_tickets.verbs.controls.control import Control
from robust_tickets.verbs.draw_settings import DrawSettings


class ComplementMask(Control):
    """What the ticket removes is kept and the other way round: sparsity 1 - s if the ticket's is s."""

    name: ClassVar[ControlName] = "complement"
    keeps_removed: ClassVar[bool] = True

    @property
    def prefix(self) -> str:
        """Return `complement of`, since it is as sparse as the ticket is dense."""
        return "complement of "

    def made(self, ticket: Ticket, source: Source, settings: DrawSettings, seed: int, flip: float) -> Ticket:
        """Turn every mask round.

        Raises:
            UserError: the ticket leaves a layer whole.
        """
        return replace(ticket, masks=complement(ticket.masks))
