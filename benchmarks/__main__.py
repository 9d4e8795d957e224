"""Measure rows, print the table, write the rows and the page that shows them."""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from rich.console import Console

from benchmarks import (
    compact_step,
    data_feed,
    data_start,
    global_magnitude,
    import_cli,
    linear_study,
    masked_step,
    page,
    pgd_training,
)
from benchmarks.inference import file_rows, removal_rows
from benchmarks.inference.cases import NETWORKS, cases
from benchmarks.inference.runtime_rows import batch_of, runtime_row
from benchmarks.machine import load, machine
from benchmarks.row import Row, table
from benchmarks.scale import FULL, TOY, Scale
from robust_tickets.foundation.files import read_json, write_json, write_text

BENCHMARKS: dict[str, Callable[[Scale], Row]] = {
    "import_cli": import_cli.measure,
    "data_start": data_start.measure,
    "data_feed": data_feed.measure,
    "global_magnitude": global_magnitude.measure,
    "masked_step": masked_step.measure,
    "compact_step": compact_step.measure,
    "linear_study": linear_study.measure,
    "pgd_training": pgd_training.measure,
    "pgd_training_gpu": pgd_training.measure_gpu,
    **{case.name(batch_of(case, FULL.inference)): runtime_row(case) for case in cases()},
    **{f"channel_{network}_onnx": removal_rows.removal_row("channel", network) for network in NETWORKS},
    **{f"heads_{network}_onnx": removal_rows.removal_row("heads", network) for network in removal_rows.HEADS},
    "load_resnet50": file_rows.measure_load,
    "size_90": file_rows.measure_size,
}
ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "results" / "bench.json"
PAGE = ROOT / "docs" / "performance.md"


def run(scale: Scale, out: Path, only: Sequence[str] = ("*",)) -> list[Row]:
    """Measure rows one after the other and write them as a list of {name, ratio, target, met, reason, details}.

    Args:
        scale: how large everything is.
        out: where they are written; rows there that are not measured now stay as they are.
        only: patterns of names.

    Returns:
        The rows that were measured.
    """
    facts = machine()
    rows: list[Row] = []
    for name in chosen(only):
        started, busy = time.monotonic(), load()
        row = BENCHMARKS[name](scale)
        took = round(time.monotonic() - started)
        conditions = {"machine": facts, "load_average": [busy, load()], "took_seconds": took}
        rows.append(row.model_copy(update={"details": {**row.details, **conditions}}))
        print(f"{name}: {row.told()}, {took} s", file=sys.stderr)
        write_json(out, [row.model_dump(mode="json") for row in merged(out, rows)])
    return rows


def chosen(only: Sequence[str]) -> list[str]:
    """Return the names that a pattern fits, in the order of the table."""
    return [name for name in BENCHMARKS if any(fnmatchcase(name, pattern) for pattern in only)]


def merged(out: Path, rows: Sequence[Row]) -> list[Row]:
    """Return the rows of a file with these in place of their elders, in the order of the table."""
    found = {row.name: row for row in [*(written(out) if out.is_file() else []), *rows]}
    return [found[name] for name in BENCHMARKS if name in found]


def written(out: Path) -> list[Row]:
    """Return the rows of a file."""
    return [Row.model_validate(row) for row in read_json(out)]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--out", type=Path, help="where the rows are written, or read from: results/bench.json")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="NAME", help="rows to measure: names or patterns")
    parser.add_argument("--alone", action="store_true", help="measure no other engines in the runtime's rows")
    parser.add_argument("--toy", action="store_true", help="tiny sizes: shows that it runs, measures nothing")
    parser.add_argument("--table", action="store_true", help="measure nothing; print the page of earlier measurements")
    arguments = parser.parse_args()
    out = arguments.out or OUT
    if arguments.table:
        print(page.page(written(out)), end="")
        return
    if not chosen(arguments.only):
        parser.error(f"no row is called {' or '.join(arguments.only)}; known: {', '.join(BENCHMARKS)}")
    scale = TOY if arguments.toy else FULL
    if arguments.alone:
        scale = replace(scale, inference=replace(scale.inference, baselines=False))
    if arguments.toy and arguments.out is None:
        # What measures nothing takes no measurement's place.
        with tempfile.TemporaryDirectory() as folder:
            rows = run(scale, Path(folder, OUT.name), arguments.only)
    else:
        rows = run(scale, out, arguments.only)
    if not arguments.toy and out.resolve() == OUT:
        write_text(PAGE, page.page(written(OUT)))
    Console(width=None if sys.stdout.isatty() else 160).print(table(rows))


if __name__ == "__main__":
    main()
