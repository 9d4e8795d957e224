"""The application: its commands, and what a mistake looks like.

A user's mistake is one line on standard error and exit code 2; nothing heavier than typer is imported before a
command runs.
"""

import logging
import os
import sys

import typer

from robust_tickets.cli.analyse import analyse
from robust_tickets.cli.check import check
from robust_tickets.cli.convert import convert
from robust_tickets.cli.doctor import doctor
from robust_tickets.cli.draw import draw
from robust_tickets.cli.export import export
from robust_tickets.cli.find import find
from robust_tickets.cli.gap import gap
from robust_tickets.cli.predict import predict
from robust_tickets.cli.pretrain import pretrain
from robust_tickets.cli.report import report
from robust_tickets.cli.run import demo, run
from robust_tickets.cli.schema import schema
from robust_tickets.cli.shrink import shrink
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

for command in (
    *(pretrain, draw, transfer, verify, find, shrink, export),
    *(run, demo, report, analyse, gap),
    *(predict, check, schema, convert, doctor),
):
    app.command()(command)

INTERRUPTED = 130
"""The exit code into which typer turns Ctrl-C, without a word."""


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("robust_tickets").setLevel(logging.INFO)
    yield_when_busy()
    try:
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:
            print("interrupted; the same command goes on from here", file=sys.stderr)
        raise


def yield_when_busy() -> None:
    """On a machine with more to do than cores, let waiting threads sleep instead of spin.

    OpenMP's threads spin while they wait for each other, which made small steps up to 25 times slower where
    another program held a core; sleeping costs a few per cent where none does. The variable has to be set before
    torch is loaded, and never changes a result.
    """
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > (os.cpu_count() or 1):
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
