"""As much removed from every layer, elsewhere in it."""

from dataclasses import replace
from typing import ClassVar

from robust_tickets.foundation.seeds import stream_seed
from robust_tickets.models.sources import Source
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.scopes import LayerScope
from robust_tickets.pruning.scores import Random
from robust_tickets.pruning.select import Selection
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.control_settings import ControlName
from robust_tickets.verbs.controls.control import Control, redrawn
from robust_tickets.verbs.draw_settings import DrawSettings


class ShuffledMask(Control):
    """As many groups of every layer as the ticket removes there, at random inside the layer.

    Coupled groups reach over several layers: there, as many of each set as one-shot magnitude removes.
    """

    name: ClassVar[ControlName] = "shuffled"
    shows_triviality: ClassVar[bool] = True

    def made(self, ticket: Ticket, source: Source, settings: DrawSettings, seed: int, flip: float) -> Ticket:
        """Select by chance inside every layer."""
        if settings.group.is_coupled:
            return redrawn(ticket, source, settings, seed, "random-within-layer")
        return replace(ticket, masks=shuffled(ticket, source, settings, seed), stored=None)


def shuffled(ticket: Ticket, source: Source, settings: DrawSettings, seed: int) -> Masks:
    """Return masks with as many groups removed from each layer as the ticket's, but others."""
    selection = Selection(score=Random(), group=settings.group, scope=LayerScope())
    masks: Masks = {}
    for name, removed in ticket.layer_sparsity.items():
        weight = source.network.body.get_parameter(name).detach()
        if removed == 1:
            masks[name] = ticket.masks[name]
        else:
            masks |= selection.select({name: weight}, sparsity=removed, seed=stream_seed(seed, "shuffled", name))
    return masks
