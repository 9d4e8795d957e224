"""`tickets evaluate`: what a network does as it is."""

from pathlib import Path
from typing import Annotated

import typer

from robust_tickets.cli.options import (
    PreprocessingOption,
    SourcePlace,
    WeightsOption,
    data_settings,
    ours_or_free,
    overrides,
    source_settings,
)
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.ownership import require_apart


def evaluate(
    subject: Annotated[
        str, typer.Argument(help="A network by name or path, a ticket, a run, a transfer, model.onnx or model.rtk.")
    ],
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="As in transfer; a run or transfer brings its own data.")
    ] = None,
    source: SourcePlace = None,
    weights: WeightsOption = None,
    preprocessing: PreprocessingOption = None,
    classes: Annotated[
        Path | None,
        typer.Option(help="A file with the names of the outputs, one per line, if nothing else names them."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the measurements and evaluation.json.", callback=ours_or_free),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="robustness.*, measures, data.* or source.*=value.")
    ] = None,
) -> None:
    """Measure a network as it is on test images, without training."""
    require_apart(out, data)
    if classes is not None and not classes.is_file():
        raise UserError(f"{classes}: no such file; give one with one name per line")
    from robust_tickets.foundation.files import write_json
    from robust_tickets.foundation.settings import changed
    from robust_tickets.report.terminal import show_sections
    from robust_tickets.verbs.verify_settings import VerifySettings

    values, parts = overrides(settings, ("source", "data"))
    asked = changed(VerifySettings(), *values)
    stated = weights is not None or preprocessing is not None or parts["source"] or not Path(subject).exists()
    whole = source_settings(subject, weights, preprocessing, parts["source"]) if stated else subject
    given = data_settings(data, parts["data"]) if data is not None else None
    from robust_tickets.findings.verdicts import evaluated_sections
    from robust_tickets.verbs.evaluate import evaluate

    found = evaluate(
        whole,
        given,
        robustness=asked.robustness,
        measures=asked.measures,
        classes=classes.read_text(encoding="utf-8").splitlines() if classes is not None else None,
        source=source,
        folder=out,
    )
    print(found.sentence())
    for note in found.notes:
        print(f"note: {note}")
    show_sections(evaluated_sections(found))
    if out is not None:
        write_json(out / "evaluation.json", found.model_dump(mode="json"))
