"""How long the command line takes to answer."""

import subprocess
import sys
from pathlib import Path

from benchmarks.row import Row
from benchmarks.scale import Scale
from benchmarks.timing import in_turns, repeated, spread, typical

TARGET = 1.0
"""One over seconds."""


def measure(scale: Scale) -> Row:
    """Time `tickets --help` in fresh processes, beside a Python that does nothing."""
    tickets = Path(sys.executable).with_name("tickets")

    def run(*command: str | Path) -> None:
        subprocess.run(command, check=True, capture_output=True)

    seconds = in_turns(
        {
            "tickets --help": repeated(lambda: run(tickets, "--help")),
            "python -c pass": repeated(lambda: run(sys.executable, "-c", "pass")),
        },
        scale.calls,
    )
    own, bare = typical(seconds["tickets --help"]), typical(seconds["python -c pass"])
    details = {
        "summary": f"tickets --help {own:.2f} s",
        "seconds": {name: spread(values) for name, values in seconds.items()},
    }
    return Row.judged("import_cli", 1 / own, TARGET, details, f"{own:.2f} s, of which Python itself takes {bare:.2f} s")
