"""`tickets shrink`: a transferred ticket in, a smaller network out: an ONNX file, a runtime file, or a folder."""

from typing import Annotated

import typer

from robust_tickets.cli.options import DataPlace, Override, RunFolder, SourcePlace, instead_of, overrides
from robust_tickets.foundation.ownership import require_ours


def shrink(
    runs: RunFolder,
    out: Annotated[
        str,
        typer.Option(
            "--out", "-o", help="What to write: model.onnx, model.rtk for rt.load_runtime, or a folder/ for rt.load."
        ),
    ],
    source: SourcePlace = None,
    data: DataPlace = None,
    int8: Annotated[bool, typer.Option("--int8", help="Also write and check an 8-bit ONNX file.")] = False,
    settings: Override = None,
) -> None:
    """Remove zero channels, write the rest, time it against dense."""
    from robust_tickets.foundation.settings import changed
    from robust_tickets.shrinking.places import require_form
    from robust_tickets.shrinking.settings import ShrinkSettings
    from robust_tickets.verbs.place import transfers_at

    require_form(out)
    require_ours(out)
    chosen = changed(ShrinkSettings(), {"int8": {}} if int8 else {}, *overrides(settings)[0])
    transfers_at(runs)  # before torch is loaded, which takes seconds
    from robust_tickets.verbs.reopen import load_transfer
    from robust_tickets.verbs.shrink import shrink

    result = load_transfer(runs, source=source, data=data, command=instead_of(runs))
    assert result.folder is not None
    report = shrink(result, out, settings=chosen, folder=result.folder / "shrink")
    print(f"{out}: {report.sentence}")
