"""`tickets convert`: tensors out of a legacy pickle."""

from pathlib import Path
from typing import Annotated

import typer

from robust_tickets.foundation.errors import UserError


def convert(
    file: Annotated[Path, typer.Argument(help="A legacy checkpoint: a pickle that contains code.")],
    out: Annotated[Path, typer.Argument(help="The safetensors file to write.")],
    allow_pickle: Annotated[
        bool,
        typer.Option("--allow-pickle", help="Extract the tensors of a pickle that refers to code; none of it is run."),
    ] = False,
    entry: Annotated[
        str | None,
        typer.Option(
            help="Which state dict to take, such as state_dict instead of state_dict_ema, the default if both are "
            "there."
        ),
    ] = None,
) -> None:
    """Turn a legacy pickle into safetensors; nothing in it is run."""
    if not file.is_file():  # before torch is loaded, which takes seconds
        raise UserError(f"{file}: no such file")
    from robust_tickets.models.convert import convert

    made = convert(file, out, allow_pickle=allow_pickle, entry=entry)
    print(f"{out}: {made.tensors} tensors, {made.format}, {made.digest}")
    if made.ignored:
        print(f"not run: {', '.join(made.ignored)}")
