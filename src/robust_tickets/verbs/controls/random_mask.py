"""As much removed, anywhere."""

from typing import ClassVar

from robust_tickets.models.sources import Source
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.control_settings import ControlName
from robust_tickets.verbs.controls.control import Control, redrawn
from robust_tickets.verbs.draw_settings import DrawSettings


class RandomMask(Control):
    """Groups removed at random within the same scope, to the same sparsity."""

    name: ClassVar[ControlName] = "random"
    shows_triviality: ClassVar[bool] = True

    def made(self, ticket: Ticket, source: Source, settings: DrawSettings, seed: int, flip: float) -> Ticket:
        """Draw by chance."""
        return redrawn(ticket, source, settings, seed, "random")
