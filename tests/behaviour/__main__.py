"""Record what the code does, or compare it with a revision: see the package."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.behaviour.comparing import differences

ROOT = Path(__file__).resolve().parents[2]


def record(tree: Path, out: Path) -> None:
    """Record the code of a tree, in a process of its own on one core, with nothing that other versions cached."""
    path = os.pathsep.join((str(tree / "src"), str(ROOT)))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "ROBUST_TICKETS_CACHE": ""}
    command = [sys.executable, "-m", "tests.behaviour.recording", str(out.resolve())]
    with tempfile.TemporaryDirectory() as elsewhere:  # `-m` puts the folder it is called in before the path
        subprocess.run(command, cwd=elsewhere, env=environment, check=True)


def compare(revision: str) -> int:
    """Print a line for every difference between a revision and the code as it is here; return the exit code."""
    with tempfile.TemporaryDirectory() as place:
        tree, files = Path(place) / "tree", [Path(place) / "before.json", Path(place) / "now.json"]
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), revision], check=True)
        try:
            for code, out in zip((tree, ROOT), files, strict=True):
                record(code, out)
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)
        before, now = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    found = list(differences(before, now))
    print(*found, sep="\n", end="\n" if found else "")
    values = sum(map(len, before.values()))
    print(f"{len(found)} differences from {revision} in {values:,} values of {len(before):,} files")
    return 1 if found else 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.behaviour", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("record", help="record the code of this tree").add_argument("out", type=Path)
    verbs.add_parser("compare", help="compare it with a revision").add_argument("revision")
    given = parser.parse_args()
    if given.verb == "compare":
        return compare(given.revision)
    record(ROOT, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
