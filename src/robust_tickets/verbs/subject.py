"""What a verb is given: a ticket, a network, a name or a folder; and the source that it stands for."""

from pathlib import Path

from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, Stated, load_source
from robust_tickets.ticket.ticket import Ticket, is_ticket
from robust_tickets.verbs.place import ticket_in


def with_stated(
    subject: Ticket | Source | SourceSettings | nn.Module | str | Path,
    weights: str | Path | None,
    preprocessing: Stated | None,
) -> Ticket | Source | SourceSettings | nn.Module | str | Path:
    """Return a source loaded as is stated; if nothing is, the subject as it is.

    Raises:
        UserError: something is stated of a ticket.
    """
    if weights is None and preprocessing is None:
        return subject
    if isinstance(subject, Ticket) or (isinstance(subject, str | Path) and is_ticket(subject)):
        raise UserError("weights, preprocessing: a ticket brings its own; leave them out")
    return load_source(subject, weights=weights, preprocessing=preprocessing)


def bind(
    subject: Ticket | Source | SourceSettings | nn.Module | str | Path, source: Source | str | Path | None
) -> tuple[Ticket | None, Source]:
    """Return the ticket, if there is one, and the loaded source it belongs to; of a run's folder, the ticket in it."""
    if isinstance(subject, str | Path):
        place = subject if is_ticket(subject) else ticket_in(given_path(str(subject)))
        subject = Ticket.load(place) if place is not None else subject
    if isinstance(subject, Ticket):
        subject = subject.with_network(source) if isinstance(source, Source) else subject.located(source)
        return subject, subject.load_source()
    if source is not None:
        raise UserError("source: only a ticket has one, and none was given; leave it out to transfer a network dense")
    try:
        return None, load_source(subject)
    except UserError as error:
        if not isinstance(subject, str | Path) or Path(subject).exists():
            raise
        raise UserError(f"{subject}: is not a ticket's folder, and as a network: {error}") from None
