"""`tickets transfer`: a ticket, or a source, trained on a target."""

from typing import Annotated, Any

import typer

from robust_tickets.cli.options import (
    DataName,
    Normalisation,
    Out,
    Override,
    SourcePlace,
    Weights,
    data_settings,
    given,
    holds,
    overrides,
    percent,
    source_settings,
)
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.ownership import require_apart


def transfer(
    subject: Annotated[str, typer.Argument(help="A ticket's folder, or a source to be transferred dense.")],
    data: DataName,
    out: Out,
    mode: Annotated[str | None, typer.Option(help="full or linear; full without this.")] = None,
    source: SourcePlace = None,
    weights: Weights = None,
    preprocessing: Normalisation = None,
    settings: Override = None,
) -> None:
    """Train a ticket, or a dense network, on your data, once a seed."""
    require_apart(out, data)
    from robust_tickets.foundation.settings import changed
    from robust_tickets.models.names import require_network
    from robust_tickets.verbs.transfer_settings import TransferSettings

    values, parts = overrides(settings, ("source", "data"))
    whole: Any = subject
    is_ticket = holds(subject, "ticket.json")
    if weights is not None or preprocessing is not None or parts["source"]:
        if is_ticket:
            raise UserError(f"{subject}: a ticket brings its weights and preprocessing; leave them out")
        whole = source_settings(subject, weights, preprocessing, parts["source"])
    elif not is_ticket:
        try:
            require_network(subject)
        except UserError as error:
            raise UserError(f"{subject}: no ticket's folder is there, and as a network: {error}") from None
    chosen = changed(TransferSettings(), given(mode=mode), *values)
    images = data_settings(data, parts["data"])
    from robust_tickets.verbs.transfer import transfer

    result = transfer(whole, images, settings=chosen, source=source, folder=out)
    for note in result.runs[0].data.notes:
        print(f"{result.runs[0].data.name}: {note}")
    for run in result.runs:
        score = f"{percent(run.validation)} on validation" if run.validation is not None else "no validation part"
        print(f"{run.folder}: {score}")
