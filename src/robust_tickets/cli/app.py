"""The application: its commands, and how a mistake is reported.

A user's mistake is one line on standard error and exit code 2; nothing heavier than typer is imported before a
command runs.
"""

import logging
import os
import sys
from typing import Annotated, Any

import typer

from robust_tickets.cli.analyse import analyse
from robust_tickets.cli.check import check
from robust_tickets.cli.convert import convert
from robust_tickets.cli.doctor import doctor
from robust_tickets.cli.draw import draw
from robust_tickets.cli.evaluate import evaluate
from robust_tickets.cli.export import export
from robust_tickets.cli.find import find
from robust_tickets.cli.gap import gap
from robust_tickets.cli.predict import predict
from robust_tickets.cli.pretrain import pretrain
from robust_tickets.cli.report import report
from robust_tickets.cli.restore import restore
from robust_tickets.cli.run import demo, run, study
from robust_tickets.cli.schema import schema
from robust_tickets.cli.search import search
from robust_tickets.cli.shrink import shrink
from robust_tickets.cli.timeline import timeline
from robust_tickets.cli.transfer import transfer
from robust_tickets.cli.verify import verify
from robust_tickets.foundation.errors import UserError

app = typer.Typer(
    name="tickets",
    help="Draw the smallest subnetwork of a pretrained network that still matches it on your data, prove it, ship it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def tell_version(asked: bool) -> None:
    """Print the version and exit."""
    if asked:
        from importlib.metadata import version

        print(f"tickets {version('robust-tickets')}")
        raise typer.Exit


@app.callback()
def begin(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=tell_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that come before a command."""


for command in (
    *(pretrain, draw, transfer, verify, find, search, shrink, export),
    *(run, study, demo, timeline, report, analyse, gap),
    *(evaluate, predict, restore, check, schema, convert, doctor),
):
    app.command()(command)

INTERRUPTED = 130
"""The exit code into which typer turns Ctrl-C, without a word."""


USAGE_ERROR: Any = typer.BadParameter.__base__
"""What typer raises for options and arguments that a command cannot have: click's class, or its own copy of it."""


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("robust_tickets").setLevel(logging.INFO)
    yield_when_busy()
    try:
        code = app(prog_name="tickets", standalone_mode=False)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except USAGE_ERROR as error:
        if "\n" in error.format_message():  # of `tickets` alone, which is the help
            error.show()
        else:
            print(f"error: {usage_complaint(error)}", file=sys.stderr)
        raise SystemExit(2) from None
    if code == INTERRUPTED:
        print("interrupted; rerun the same command to resume", file=sys.stderr)
    raise SystemExit(code if isinstance(code, int) else 0)


def usage_complaint(error: Any) -> str:
    """Return one line about options and arguments that a command cannot have."""
    message = error.format_message().rstrip(".?").replace(". Did you mean ", "; did you mean ").replace("Input ", "")
    if near := getattr(error, "possibilities", None):
        message = f"{message.partition(' (')[0]}; did you mean {near[0]}"
    command = error.ctx.command_path if error.ctx is not None else "tickets"
    hint = "?" if "did you mean" in message else f"; see {command} --help"
    return f"{message[0].lower()}{message[1:]}{hint}"


def yield_when_busy() -> None:
    """On a machine with more work than cores, let waiting threads sleep instead of spinning.

    OpenMP's threads spin while they wait for each other, which made small steps up to 25 times slower when
    another program held a core; sleeping costs a few per cent when none does. The variable has to be set before
    torch is loaded, and never changes a result.
    """
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > (os.cpu_count() or 1):
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
