"""The table of architectures in docs/shrinking.md. `python -m tests.shrinking.table` measures and writes it."""

import sys
from collections.abc import Iterable
from pathlib import Path

import torch

from tests.shrinking.architectures import ARCHITECTURES, prove, row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "shrinking.md"
START, END = "<!-- architectures: start -->", "<!-- architectures: end -->"
HEADINGS = (
    "network",
    "group",
    "removable channels, sets",
    "parameters removed",
    "at multiples of 8",
    "sets kept, and why",
    "largest difference",
)


def rows() -> dict[str, list[str]]:
    """Read the committed rows by the network's name."""
    table = PAGE.read_text(encoding="utf-8").partition(START)[2].partition(END)[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    return {cells[0]: cells for cells in lines[2:]}


def write(found: Iterable[list[str]]) -> None:
    """Put rows in place of the committed ones."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    lines = [HEADINGS, ["---"] * len(HEADINGS), *found]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    PAGE.write_text(f"{before}{START}\n{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def main(names: list[str]) -> None:
    """Measure the networks named, or all, and write the table."""
    torch.set_num_threads(1)
    known = rows()
    for architecture in ARCHITECTURES:
        if not names or architecture.name in names:
            known[architecture.name] = row(architecture, prove(architecture))
            print(" | ".join(known[architecture.name]), flush=True)
            write(known[other.name] for other in ARCHITECTURES if other.name in known)


if __name__ == "__main__":
    main(sys.argv[1:])
