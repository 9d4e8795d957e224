"""`tickets predict`: images in, their classes out."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from robust_tickets.cli.options import SourcePlace
from robust_tickets.foundation.errors import UserError
from robust_tickets.shrinking.places import require_exported


class Form(StrEnum):
    """What is written."""

    csv = "csv"
    json = "json"


class Unreadable(StrEnum):
    """What happens to an image that cannot be read."""

    refuse = "refuse"
    skip = "skip"


def predict(
    file: Annotated[
        Path, typer.Argument(help="model.rtk, model.onnx, a saved network, a run, a transfer or a ticket.")
    ],
    images: Annotated[
        list[Path], typer.Argument(help="Image files, and folders, which are searched with all their subfolders.")
    ],
    top: Annotated[int, typer.Option(min=1, help="How many classes per image, the most probable first.")] = 1,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A .csv or .json file; default: standard output.")
    ] = None,
    form: Annotated[
        Form | None, typer.Option("--format", help="csv or json; default: as --out ends, or else csv.")
    ] = None,
    on_unreadable: Annotated[
        Unreadable, typer.Option(help="skip: leave out and count images that cannot be read.")
    ] = Unreadable.refuse,
    source: SourcePlace = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads that a runtime or ONNX file may use.")] = 1,
) -> None:
    """Predict the classes of images, prepared as in evaluation."""
    for path in (file, *images):  # before torch is loaded, which takes seconds
        if not path.exists():
            raise UserError(f"{path}: no such file or folder")
    require_exported(file)
    suffix = out.suffix.lower().removeprefix(".") if out is not None else "csv"
    if form is None and suffix not in list(Form):
        raise UserError(
            f"{out}: its suffix does not say which format to write; end it in .csv or .json, or give --format"
        )
    from robust_tickets.foundation.files import write_text
    from robust_tickets.foundation.ownership import require_ours
    from robust_tickets.verbs.predict import is_predictions, predict

    if out is not None:
        require_ours(out, is_predictions)
    found = predict(file, list(images), top=top, on_unreadable=on_unreadable.value, source=source, threads=threads)
    text = found.to_json() if (form or Form(suffix)) is Form.json else found.to_csv()
    if out is None:
        print(text, end="")
    else:
        write_text(out, text)
        print(f"{out}: {len(found)} images")
    for reason in found.skipped:
        print(f"left out: {reason}", file=sys.stderr)
    if found.skipped:
        print(f"{len(found.skipped)} of {len(found) + len(found.skipped)} images left out", file=sys.stderr)
