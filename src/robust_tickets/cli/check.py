"""`tickets check`: whether a runtime file computes what other engines compute."""

from pathlib import Path
from typing import Annotated

import typer

from robust_tickets.cli.options import SourcePlace, instead_of
from robust_tickets.foundation.errors import UserError


def check(
    file: Annotated[
        Path, typer.Argument(help="A runtime file (.rtk) that tickets shrink wrote, or the run that exported one.")
    ],
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="Data whose test part is tried in addition to random inputs.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="The run or transfer that it was shrunk from: its network is compared, too.")
    ] = None,
    source: SourcePlace = None,
) -> None:
    """Compare a runtime file with PyTorch and ONNX Runtime.

    The exit code is 1 if they differ.
    """
    if file.is_dir():
        file, against = runtime_file_of(file), against or file
    from robust_tickets.runtime.errors import RuntimeFileError
    from robust_tickets.runtime.storage.file import stored_weights

    try:  # before torch is loaded, which takes seconds
        stored_weights(file)
    except RuntimeFileError as error:
        raise UserError(str(error)) from None
    from robust_tickets.verbs.check import check
    from robust_tickets.verbs.reopen import load_transfer

    runs = (
        load_transfer(against, source=source, made=file, command=instead_of(against)) if against is not None else None
    )
    report = check(file, data=data, against=runs)
    for line in report.lines():
        print(line)
    print(f"{file}: {report.sentence()}")
    if not report.passes:
        raise typer.Exit(1)


def runtime_file_of(run: Path) -> Path:
    """Return the runtime file that a run exported.

    Raises:
        UserError: there is none, or there are several.
    """
    files = sorted(run.glob("*.rtk"))
    if not files:
        raise UserError(f"{run}: contains no runtime file; write one with tickets shrink {run} --out model.rtk")
    if len(files) > 1:
        commands = (f"tickets check {file} --against {run}" for file in files)
        raise UserError(f"{run}: contains several runtime files; choose one: {' | '.join(commands)}")
    return files[0]
