"""Measure every row, print the table, write the rows."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from benchmarks import global_magnitude, import_cli, masked_step, pgd_training
from benchmarks.machine import load, machine
from benchmarks.row import Row, table
from benchmarks.scale import FULL, TOY, Scale
from robust_tickets.foundation.files import write_json

BENCHMARKS: dict[str, Callable[[Scale], Row]] = {
    "import_cli": import_cli.measure,
    "global_magnitude": global_magnitude.measure,
    "masked_step": masked_step.measure,
    "pgd_training": pgd_training.measure,
    "pgd_training_gpu": pgd_training.measure_gpu,
}
OUT = Path(__file__).resolve().parents[1] / "results" / "bench.json"


def run(scale: Scale, out: Path) -> list[Row]:
    """Measure all rows one after the other and write them as a list of {name, ratio, target, met, reason, details}."""
    facts = machine()
    rows = []
    for name, measure in BENCHMARKS.items():
        started, busy = time.monotonic(), load()
        row = measure(scale)
        took = round(time.monotonic() - started)
        conditions = {"machine": facts, "load_average": [busy, load()], "took_seconds": took}
        rows.append(row.model_copy(update={"details": {**row.details, **conditions}}))
        print(f"{name}: {row.told()}, {took} s", file=sys.stderr)
    write_json(out, [row.model_dump(mode="json") for row in rows])
    return rows


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="where the rows are written")
    parser.add_argument("--toy", action="store_true", help="tiny sizes: shows that it runs, measures nothing")
    arguments = parser.parse_args()
    rows = run(TOY if arguments.toy else FULL, arguments.out)
    Console(width=None if sys.stdout.isatty() else 160).print(table(rows))


if __name__ == "__main__":
    main()
