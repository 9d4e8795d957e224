"""`tickets transfer`: a ticket, or a source, trained on a target."""

from typing import Annotated

import typer

from robust_tickets.cli.options import (
    DataName,
    Out,
    Override,
    PreprocessingOption,
    SourcePlace,
    WeightsOption,
    data_settings,
    given,
    overrides,
    ticket_or_source,
)
from robust_tickets.foundation.ownership import require_apart


def transfer(
    subject: Annotated[str, typer.Argument(help="A ticket's folder, or a source to transfer dense.")],
    data: DataName,
    out: Out,
    mode: Annotated[str | None, typer.Option(help="full or linear; default: full.")] = None,
    source: SourcePlace = None,
    weights: WeightsOption = None,
    preprocessing: PreprocessingOption = None,
    settings: Override = None,
) -> None:
    """Train a ticket, or a dense network, on your data, once per seed."""
    require_apart(out, data)
    from robust_tickets.foundation.settings import changed
    from robust_tickets.verbs.transfer_settings import TransferSettings

    values, parts = overrides(settings, ("source", "data"))
    whole = ticket_or_source(subject, weights, preprocessing, parts["source"])
    chosen = changed(TransferSettings(), given(mode=mode), *values)
    images = data_settings(data, parts["data"])
    from robust_tickets.verbs.transfer import transfer

    result = transfer(whole, images, settings=chosen, source=source, folder=out)
    for note in result.runs[0].data.notes:
        print(f"{result.runs[0].data.name}: {note}")
    for run in result.runs:
        value = run.validation
        score = f"{run.metric.unit.told(value)} on validation" if value is not None else "no validation part"

        print(f"{run.folder}: {score}")
