"""`metrics.jsonl`: one line per validation, reproducible to the byte.

Times and rates are not in it, since they differ between two equal runs; the progress display shows them.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from robust_tickets.foundation.files import disk_errors, write_text

MetricsRow = dict[str, Any]


class MetricsLog:
    """An append-only log that a resumed run resets to where its checkpoint was taken."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.rows: list[MetricsRow] = []

    def resume(self, rows: Sequence[MetricsRow]) -> None:
        """Hold exactly `rows`, and drop what a killed run wrote after its last checkpoint."""
        self.rows = list(rows)
        if self.path is not None:
            write_text(self.path, "".join(map(line, self.rows)))

    def write(self, row: MetricsRow) -> None:
        """Append one row and flush it to disk."""
        self.rows.append(row)
        if self.path is None:
            return
        with disk_errors(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(line(row))
            file.flush()
            os.fsync(file.fileno())


def read_metrics(path: Path) -> list[MetricsRow]:
    """Return the rows of a log, in order."""
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]


def line(row: MetricsRow) -> str:
    """Return a row as it stands in the file."""
    return json.dumps(row) + "\n"
