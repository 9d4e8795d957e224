#!/usr/bin/env bash
# typer 0.29.1 with click 8.3.1: which `except` catches a misspelt option.
#
# Guess, written down first: typer is built on click, so with standalone_mode=False a misspelt option leaves the
# application as click.UsageError, and `except click.UsageError` around the call turns it into one line.
# Seen: typer has its own copy of click's code. The error has typer's class, which is not a subclass of click's, so the
# handler never runs and the user gets a traceback. The class is reachable as a base of typer.BadParameter.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check typer==0.29.1 click==8.3.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import click
import typer

app = typer.Typer()


@app.command()
def draw(sparsity: float = 0.9) -> None:
    """Do nothing."""


try:
    app(["--spasity", "0.5"], standalone_mode=False)
except Exception as error:  # the point is to see which class it is
    caught = error
else:
    sys.exit("changed: a misspelt option is no error")

own = typer.BadParameter.__base__
print(f"typer {version('typer')}, click {version('click')}, Python {sys.version.split()[0]}")
print(f"raised {type(caught).__module__}.{type(caught).__qualname__}: {caught}")
print(f"is a click.UsageError: {isinstance(caught, click.UsageError)}; is a {own.__module__}.{own.__qualname__}: "
      f"{isinstance(caught, own)}")
sys.exit(isinstance(caught, click.UsageError) or not isinstance(caught, own))
PYTHON
