"""`tickets export`: a network as it is, or a ticket, into a file; no data needed."""

from typing import Annotated

import typer

from robust_tickets.cli.options import (
    Override,
    PreprocessingOption,
    SourcePlace,
    WeightsOption,
    overrides,
    ticket_or_source,
)
from robust_tickets.foundation.ownership import require_ours


def export(
    subject: Annotated[str, typer.Argument(help="A network by name or folder, or a ticket's folder.")],
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", help="What to write: model.onnx, model.rtk for rt.load_runtime, or a folder/ for rt.load."
        ),
    ],
    source: SourcePlace = None,
    weights: WeightsOption = None,
    preprocessing: PreprocessingOption = None,
    settings: Override = None,
) -> None:
    """Write a network as it is, sparse or dense; check and time it."""
    from robust_tickets.foundation.settings import changed
    from robust_tickets.shrinking.places import require_form
    from robust_tickets.shrinking.settings import ShrinkSettings

    require_form(out)
    require_ours(out)
    values, parts = overrides(settings, ("source",))
    chosen = changed(ShrinkSettings(), *values)
    whole = ticket_or_source(subject, weights, preprocessing, parts["source"])
    from robust_tickets.verbs.export import export

    report = export(whole, out, source=source, settings=chosen)
    print(f"{out}: {report.sentence}")
