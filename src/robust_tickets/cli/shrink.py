"""`tickets shrink`: a transferred ticket in, an ONNX file out."""

from pathlib import Path
from typing import Annotated

import typer

from robust_tickets.cli.options import Override, SourcePlace, overrides


def shrink(
    runs: Annotated[Path, typer.Argument(help="The folder of a transfer.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The ONNX file to write.")],
    source: SourcePlace = None,
    settings: Override = None,
) -> None:
    """Remove zero channels, export to ONNX, time it beside dense."""
    from robust_tickets.shrinking.settings import ShrinkSettings
    from robust_tickets.verbs.shrink import shrink
    from robust_tickets.verbs.target import changed
    from robust_tickets.verbs.transfer import load_transfer

    chosen = changed(ShrinkSettings(), overrides(settings)[0])
    report = shrink(load_transfer(runs, source=source), out, settings=chosen, folder=runs / "shrink")
    print(f"{out}: {report.sentence}")
