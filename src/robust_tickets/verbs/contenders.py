"""Tickets that a search tries: drawn in one way, at several sparsities, as late as possible."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from robust_tickets.models.sources import Source
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.draw import draw_all, label
from robust_tickets.verbs.draw_settings import DrawSettings


@dataclass(eq=False)
class Contenders:
    """Tickets of one source, drawn in one way; a training that gives one ticket begins when that one is asked for."""

    source: Source
    way: str
    """Its name; empty where there is only one."""
    settings: DrawSettings
    sparsities: Sequence[float]
    """All that may be asked for, ascending."""
    seed: int
    folder: Path | None
    """Of the search."""
    drawn: dict[float, Ticket] = field(default_factory=dict, init=False)

    def ticket(self, sparsity: float) -> Ticket:
        """Return the ticket of one of the sparsities."""
        if sparsity not in self.drawn:
            wanted = tuple(self.sparsities) if self.settings.draws_together(self.sparsities[-1]) else (sparsity,)
            tickets = draw_all(
                self.source,
                settings=self.settings.model_copy(update={"sparsity": wanted}),
                seed=self.seed,
                folder=self.place(wanted),
            )
            self.drawn |= dict(zip(wanted, tickets, strict=True))
        return self.drawn[sparsity]

    def place(self, wanted: tuple[float, ...]) -> Path | None:
        """Return where these are kept: alone or among others, a ticket is at the same place."""
        if self.folder is None:
            return None
        own = self.folder / "tickets" / self.way
        return own / label(wanted[0]) if len(wanted) == 1 else own
