"""`tickets shrink`: a transferred ticket in, a smaller network out: an ONNX file, a runtime file, or a folder."""

from pathlib import Path
from typing import Annotated

import typer

from robust_tickets.cli.options import Override, SourcePlace, overrides
from robust_tickets.foundation.ownership import require_ours


def shrink(
    runs: Annotated[Path, typer.Argument(help="The folder of a transfer.")],
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", help="What to write: model.onnx, model.rtk for rt.load_runtime, or a folder/ for rt.load."
        ),
    ],
    source: SourcePlace = None,
    int8: Annotated[bool, typer.Option("--int8", help="Write and check an 8-bit ONNX file beside it, too.")] = False,
    settings: Override = None,
) -> None:
    """Remove zero channels, write what is left, time it beside dense."""
    require_ours(out)
    from robust_tickets.foundation.settings import changed
    from robust_tickets.shrinking.settings import ShrinkSettings
    from robust_tickets.verbs.shrink import shrink
    from robust_tickets.verbs.transfer import load_transfer

    chosen = changed(ShrinkSettings(), {"int8": {}} if int8 else {}, *overrides(settings)[0])
    report = shrink(load_transfer(runs, source=source), out, settings=chosen, folder=runs / "shrink")
    print(f"{out}: {report.sentence}")
