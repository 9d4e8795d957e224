"""One way of training, in which tickets are compared with dense."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from robust_tickets.models.sources import Source
from robust_tickets.tasks.target import Data
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.double_win import Pair
from robust_tickets.verbs.draw import label
from robust_tickets.verbs.place import CONFIRMED
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
    others: "dict[str, Contest]" = field(default_factory=dict)
    """Contests of the same source and data under other settings, by name; tickets of all ways share them."""

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
        """Return the contest of the same source and data under other settings, in a subfolder."""
        if name not in self.others:
            own = replace(self, settings=settings, folder=place(self.folder, name), dense=[], others={})
            self.others[name] = own
        return self.others[name].of(self.way)

    def with_fresh_seeds(self) -> "Contest":
        """Return the contest in which ticket and dense are trained with as many seeds, none of which it has used."""
        seeds = self.settings.seeds
        apart = max(seeds) - min(seeds) + 1
        fresh = self.settings.model_copy(update={"seeds": tuple(seed + apart for seed in seeds)})
        return self.under(fresh, CONFIRMED)


def place(folder: Path | None, name: str) -> Path | None:
    """Return a subfolder, or None if nothing is kept."""
    return folder / name if folder is not None else None
