"""`tickets predict`: images or texts in, what a network says of them out."""

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
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Image files, and folders, which are searched with all their subfolders; or texts: a .txt file with "
            "one a line, a .tsv, .csv or .jsonl file, or the text itself in quotes."
        ),
    ],
    top: Annotated[
        int, typer.Option(min=1, help="How many classes per image or text, or words per mask, the most probable first.")
    ] = 1,
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
    """Predict what a network says of images or texts.

    They are prepared as in evaluation.
    """
    # Before torch is loaded, which takes seconds. What has a space in it and is no file is taken for a text.
    for path in (str(file), *(given for given in inputs if " " not in given)):
        if not Path(path).exists():
            raise UserError(f"{path}: no such file or folder")
    require_exported(file)
    suffix = out.suffix.lower().removeprefix(".") if out is not None else "csv"
    if form is None and suffix not in list(Form):
        raise UserError(
            f"{out}: its suffix does not say which format to write; end it in .csv or .json, or give --format"
        )
    from robust_tickets.foundation.files import write_text
    from robust_tickets.foundation.ownership import require_ours
    from robust_tickets.verbs.predict.predict import predict
    from robust_tickets.verbs.predict.predictions import is_predictions

    if out is not None:
        require_ours(out, is_predictions)
    given = [Path(one) if Path(one).exists() else one for one in inputs]
    found = predict(file, given, top=top, on_unreadable=on_unreadable.value, source=source, threads=threads)
    text = found.to_json() if (form or Form(suffix)) is Form.json else found.to_csv()
    if out is None:
        print(text, end="")
    else:
        write_text(out, text)
        print(f"{out}: {len(found)} {found.noun}")
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    for reason in found.skipped:
        print(f"left out: {reason}", file=sys.stderr)
    if found.skipped:
        print(f"{len(found.skipped)} of {len(found) + len(found.skipped)} images left out", file=sys.stderr)
