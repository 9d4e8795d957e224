"""One way of training, in which tickets are compared with dense."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from robust_tickets.models.sources import Source
from robust_tickets.tasks.target import Data
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.double_win import Pair
from robust_tickets.verbs.draw import label
from robust_tickets.verbs.transfer import Transfer, transfer
from robust_tickets.verbs.transfer_settings import TransferSettings


@dataclass(eq=False)
class Contest:
    """One way of training, in which tickets are measured against dense."""

    source: Source
    data: Data
    settings: TransferSettings
    folder: Path | None
    way: str = ""
    """Of drawing the tickets that compete, where there are several; each has its own subfolder."""
    dense: list[Transfer] = field(default_factory=list)
    """Dense's transfer, once a ticket was compared with it; tickets of all ways share it."""

    def pair(self, ticket: Ticket) -> Pair:
        """Return the ticket's transfer and dense's."""
        own = place(self.folder, self.way) if self.way else self.folder
        result = transfer(ticket, self.data, settings=self.settings, folder=place(own, label(ticket.target)))
        if not self.dense:
            self.dense.append(result.dense(place(self.folder, "dense")))
        return result, self.dense[0]

    def of(self, way: str) -> "Contest":
        """Return the contest for tickets that are drawn in another way."""
        return replace(self, way=way)

    def under(self, settings: TransferSettings, name: str) -> "Contest":
        """Return a contest of the same source and data under other settings, in a subfolder."""
        return replace(self, settings=settings, folder=place(self.folder, name), dense=[])


def place(folder: Path | None, name: str) -> Path | None:
    """Return a subfolder, or None if nothing is kept."""
    return folder / name if folder is not None else None
