"""The same masks over other weights."""

import copy
from dataclasses import replace
from typing import ClassVar

from torch import Tensor

from robust_tickets.models.sources import Source
from robust_tickets.pruning.rewinds import reinitialise
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.control_settings import ControlName
from robust_tickets.verbs.controls.control import Control
from robust_tickets.verbs.draw_settings import DrawSettings


class ReinitialisedWeights(Control):
    """The ticket's own masks over fresh random weights."""

    name: ClassVar[ControlName] = "reinitialised"
    shows_triviality: ClassVar[bool] = True

    def made(self, ticket: Ticket, source: Source, settings: DrawSettings, seed: int, flip: float) -> Ticket:
        """Put fresh weights under the masks."""
        return replace(ticket, stored=fresh_weights(ticket, source, seed))


def fresh_weights(ticket: Ticket, source: Source, seed: int) -> dict[str, Tensor]:
    """Return newly initialised weights under the ticket's masks."""
    network = copy.deepcopy(source.network)
    reinitialise(network.body, seed)
    state = network.plain_state()
    return {name: value * ticket.masks[name] if name in ticket.masks else value for name, value in state.items()}
