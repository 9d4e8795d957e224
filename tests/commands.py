"""The real command line inside this process, and folders as it finds and leaves them."""

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robust_tickets import cli

COLOURS = ("blue", "green", "red")


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line a user's mistake is told in; anything else is a failure."""
        assert self.code == 2, self.err
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: ")
        return lines[0]


@dataclass(frozen=True)
class Tickets:
    """Calls `tickets` with a command line as one string."""

    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, line: str) -> Outcome:
        self.monkeypatch.setattr(sys, "argv", ["tickets", *shlex.split(line)])
        self.capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        told = self.capsys.readouterr()
        return Outcome(code, told.out, told.err)


def tickets_process(line: str, folder: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Call `tickets` in a process of its own."""
    command = [str(Path(sys.executable).with_name("tickets")), *shlex.split(line)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, **options)  # pyright: ignore


def colours(folder: Path, images: int = 12, side: int = 16) -> Path:
    """Write a folder of classes whose images differ in their brightest channel."""
    chance = np.random.default_rng(0)
    for number, colour in enumerate(COLOURS):
        (folder / colour).mkdir(parents=True)
        for index in range(images):
            pixels = chance.integers(0, 80, (side, side, 3))
            pixels[..., 2 - number] += 120
            Image.fromarray(pixels.astype(np.uint8)).save(folder / colour / f"{index}.png")
    return folder


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of everything in a folder."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size if path.is_file() else 0, path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    }
