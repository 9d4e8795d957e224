"""The promise of the run folder: killed at any moment and started again, a run ends as if it had not been."""

import os
import random
import signal
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from robust_tickets.cli import main
from robust_tickets.foundation.steps import Step
from tests.forked import started

RECIPE = """
name: A small run
sources:
  robust:
    source: {name: demo/resnet4, weights: random, num_classes: 26, in_channels: 1, preprocessing: {size: 8}}
    pretrain:
      data: &letters {name: glyphs, glyphs: {count: 520}, validation: 0.1}
      training: &training
        epochs: 4
        batch_size: 52
        precision: fp32
        checkpoint_seconds: 0
        ema: 0.5
        objective: {kind: fgsm-rs, epsilon: 0.05}
data: {name: digits, per_class: 10, validation: 0.2}
draw:
  sparsity: [0.5, 0.875]
  timeline: {kind: iterative, rate: 0.5, epochs: 1}
  rewind: {kind: step, steps: 4}
  data: *letters
  training: *training
transfers:
  full:
    mode: full
    seeds: [0, 1]
    training: {epochs: 4, batch_size: 20, precision: fp32, checkpoint_seconds: 0, keep: best, mixup: 0.2}
shrink: null
"""
MOMENTS = ("sources/*/checkpoint.pt", "tickets/**/rungs", "transfers/**/seed-1/checkpoint.pt")
"""Work that is under way when the kills come. It writes a checkpoint every step, and is mostly busy with that."""


COMMAND = ["tickets", "run", "recipe.yaml", "--out", "run"]


def run(folder: Path) -> None:
    """Be the command."""
    os.chdir(folder)
    sys.argv = COMMAND
    main()


def start(folder: Path) -> BaseProcess:
    folder.mkdir(exist_ok=True)
    (folder / "recipe.yaml").write_text(RECIPE)
    return started(folder.parent / "errors.txt", {}, run, folder)


def finish(folder: Path) -> None:
    """Run to the end as a shell does, in an interpreter of its own."""
    code = "from robust_tickets.cli import main; main()"
    command = [sys.executable, "-c", code, *COMMAND[1:]]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode()


def test_an_interrupted_run_says_that_it_goes_on(tmp_path: Path) -> None:
    process = start(tmp_path / "work")
    deadline = time.monotonic() + 120
    while not any((tmp_path / "work" / "run").glob(MOMENTS[0])):
        assert process.is_alive(), "the run ended before it was to be interrupted"
        assert time.monotonic() < deadline, f"{MOMENTS[0]} never came"
        time.sleep(0.002)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)
    process.join(300)
    errors = (tmp_path / "errors.txt").read_text()
    assert process.exitcode == 130
    assert errors.splitlines()[-1] == "interrupted; rerun the same command to resume"
    assert "Traceback" not in errors


def kill_at(folder: Path, moment: str, delay: float) -> None:
    """Start the run, wait until `moment` exists and then `delay` seconds, and kill it."""
    process = start(folder)
    deadline = time.monotonic() + 120
    while not any((folder / "run").glob(moment)):
        assert process.is_alive(), "the run ended before it was to be killed"
        assert time.monotonic() < deadline, f"{moment} never came"
        time.sleep(0.002)
    time.sleep(delay)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, "the run ended before it was killed"


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file but those that say how long something took."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "cost.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_run_killed_again_and_again_ends_byte_for_byte_alike(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    uninterrupted = start(folder)
    uninterrupted.join(300)
    assert uninterrupted.exitcode == 0, (tmp_path / "errors.txt").read_text()
    whole = contents(folder)
    folder.rename(tmp_path / "whole")
    delays = random.Random(20230)
    for moment in MOMENTS:
        delay = delays.uniform(0, 0.15)
        print(f"killed {delay:.3f} s after {moment}")
        kill_at(folder, moment, delay)
    finish(folder)
    resumed = contents(folder)
    assert list(resumed) == list(whole)
    assert [name for name in whole if resumed[name] != whole[name]] == []
    assert not any(name.endswith((".part", "checkpoint.pt")) for name in whole)
    kinds = {Path(name).name for name in whole}
    assert {"metrics.jsonl", "masks.safetensors", "init.safetensors", "result.json", "summary.json"} <= kinds


def test_a_step_clears_away_what_a_kill_left(tmp_path: Path) -> None:
    settings = {"verb": "draw"}
    step = Step(tmp_path, settings)
    with step.claim():
        step.finish({"rungs": []})
    old, young = tmp_path / "rungs" / ".masks.x.tickets.part", tmp_path / ".result.json.y.tickets.part"
    theirs = tmp_path / ".download.part"
    for path in (old, young, theirs, tmp_path / "checkpoint.pt"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("half")
    os.utime(old, (1, 1))
    os.utime(theirs, (1, 1))
    assert Step(tmp_path, settings).result == {"rungs": []}
    # What is younger than this process may be another process's, at work beside it.
    assert {path.name for path in tmp_path.iterdir()} == {
        *("settings.json", "result.json", "rungs"),
        *(young.name, theirs.name),
    }
    assert not old.exists()
