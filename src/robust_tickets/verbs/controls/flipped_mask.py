"""A few groups exchanged."""

from dataclasses import replace
from typing import ClassVar

from robust_tickets.analysis.complement import flipped, require_exchangeable
from robust_tickets.models.sources import Source
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.control_settings import ControlName
from robust_tickets.verbs.controls.control import Control
from robust_tickets.verbs.draw_settings import DrawSettings


class FlippedMask(Control):
    """At equal sparsity, a share of every layer's kept groups exchanged for removed ones, at random."""

    name: ClassVar[ControlName] = "flipped"
    keeps_removed: ClassVar[bool] = True

    def made(self, ticket: Ticket, source: Source, settings: DrawSettings, seed: int, flip: float) -> Ticket:
        """Exchange the share `flip` of the groups.

        Raises:
            UserError: the groups cannot be exchanged one by one.
        """
        masks = {name: ticket.masks[name] for name in ticket.prunable}
        return replace(ticket, masks=flipped(masks, settings.group, flip, seed))

    def require(self, settings: DrawSettings) -> None:
        """Refuse groups that cannot be exchanged one by one, too.

        Raises:
            UserError: says why.
        """
        require_exchangeable(settings.group)
        super().require(settings)
