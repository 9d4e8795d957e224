"""`tickets export`: a network as it is, or a ticket, into a file; no data needed."""

from typing import Annotated, Any

import typer

from robust_tickets.cli.options import Normalisation, Override, SourcePlace, Weights, overrides, source_settings
from robust_tickets.foundation.errors import UserError
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
    weights: Weights = None,
    preprocessing: Normalisation = None,
    settings: Override = None,
) -> None:
    """Write a network as it is, sparse or dense; check and time it."""
    require_ours(out)
    from robust_tickets.foundation.settings import changed
    from robust_tickets.shrinking.settings import ShrinkSettings
    from robust_tickets.ticket import is_ticket
    from robust_tickets.verbs.export import export

    values, parts = overrides(settings, ("source",))
    whole: Any = subject
    if weights is not None or preprocessing is not None or parts["source"]:
        if is_ticket(subject):
            raise UserError(f"{subject}: a ticket brings its weights and preprocessing; leave them out")
        whole = source_settings(subject, weights, preprocessing, parts["source"])
    report = export(whole, out, source=source, settings=changed(ShrinkSettings(), *values))
    print(f"{out}: {report.sentence}")
