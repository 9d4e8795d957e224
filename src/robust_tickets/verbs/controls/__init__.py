"""Controls: tickets that have everything of a drawn one except what is claimed to matter; one file each.

| file | name |
|---|---|
| `control.py` | what every control can do |
| `random_mask.py` | `random`: other groups of the same scope |
| `shuffled_mask.py` | `shuffled`: other groups of the same layer |
| `reinitialised_weights.py` | `reinitialised`: the same masks over fresh weights |
| `complement_mask.py` | `complement`: what the ticket removes |
| `flipped_mask.py` | `flipped`: a share of the groups exchanged |
"""

from robust_tickets.models.sources import Source
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.control_settings import FLIP, ControlName
from robust_tickets.verbs.controls.complement_mask import ComplementMask
from robust_tickets.verbs.controls.control import Control
from robust_tickets.verbs.controls.flipped_mask import FlippedMask
from robust_tickets.verbs.controls.random_mask import RandomMask
from robust_tickets.verbs.controls.reinitialised_weights import ReinitialisedWeights
from robust_tickets.verbs.controls.shuffled_mask import ShuffledMask
from robust_tickets.verbs.draw_settings import DrawSettings

CONTROLS: dict[ControlName, Control] = {
    "random": RandomMask(),
    "shuffled": ShuffledMask(),
    "reinitialised": ReinitialisedWeights(),
    "complement": ComplementMask(),
    "flipped": FlippedMask(),
}


def control(
    name: ControlName, ticket: Ticket, source: Source, settings: DrawSettings, seed: int, flip: float = FLIP
) -> Ticket:
    """Return the control of a ticket that was drawn by `settings`.

    Args:
        name: which one.
        ticket: what it is a control of.
        source: the network that the ticket was drawn from.
        settings: of the draw.
        seed: of the control's own chance.
        flip: share of every layer's kept groups that `flipped` exchanges.

    Raises:
        UserError: complement or flipped of a ticket that stores its weights, complement of one that leaves a layer
            whole, flipped of groups that cannot be exchanged one by one.
    """
    return CONTROLS[name].of(ticket, source, settings, seed, flip)


def require_control(name: ControlName, settings: DrawSettings) -> None:
    """Refuse, before anything is drawn, a control that no ticket drawn by `settings` can have.

    Raises:
        UserError: see `control`.
    """
    CONTROLS[name].require(settings)


__all__ = ["CONTROLS", "Control", "control", "require_control"]
