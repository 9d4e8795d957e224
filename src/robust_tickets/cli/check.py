"""`tickets check`: whether a runtime file computes what other engines compute."""

from pathlib import Path
from typing import Annotated

import typer

from robust_tickets.cli.options import SourcePlace
from robust_tickets.foundation.errors import UserError


def check(
    file: Annotated[Path, typer.Argument(help="A runtime file (.rtk) that tickets shrink wrote.")],
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="Data whose test images are tried beside random ones.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="The folder of the transfer it was shrunk from: its network is tried, too.")
    ] = None,
    source: SourcePlace = None,
) -> None:
    """Hold a runtime file against PyTorch and ONNX Runtime.

    Ends with exit code 1 where it differs.
    """
    from robust_tickets.runtime.errors import RuntimeFileError
    from robust_tickets.runtime.storage.file import stored_weights

    try:  # before torch is loaded, which takes seconds
        stored_weights(file)
    except RuntimeFileError as error:
        raise UserError(str(error)) from None
    from robust_tickets.verbs.check import check
    from robust_tickets.verbs.transfer import load_transfer

    runs = load_transfer(against, source=source) if against is not None else None
    report = check(file, data=data, against=runs)
    for line in report.lines():
        print(line)
    print(f"{file}: {report.sentence()}")
    if not report.passes:
        raise typer.Exit(1)
