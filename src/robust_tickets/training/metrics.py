"""`metrics.jsonl`: one line an epoch, reproducible to the byte.

Times and rates are not in it, since they differ between two equal runs; the progress display shows them.
"""

import json
import os
from pathlib import Path
from typing import Any

from robust_tickets.foundation.files import disk_errors


class MetricsLog:
    """An append-only log that a resumed run cuts back to where its checkpoint was taken."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []

    def resume(self, rows: int) -> None:
        """Keep the first `rows` lines and drop what a killed run wrote after its last checkpoint."""
        if self.path is None:
            return
        lines = self.path.read_text().splitlines(keepends=True)[:rows] if self.path.exists() else []
        self.rows = [json.loads(line) for line in lines]
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text("".join(lines))

    def write(self, row: dict[str, Any]) -> None:
        """Append one row and flush it to disk."""
        self.rows.append(row)
        if self.path is None:
            return
        with disk_errors(self.path), self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
