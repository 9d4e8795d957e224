"""Processes that start with everything imported, which is most of what a short run takes."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["robust_tickets.cli", "robust_tickets.pipeline.run", "robust_tickets.findings.verdicts"])


def started(errors: Path, environment: dict[str, str], target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Call a function in a process of its own, with one thread; standard error goes to a file, output nowhere."""
    process = SERVER.Process(target=_be, args=(errors, environment, target, *arguments))
    process.start()
    return process


def _be(errors: Path, environment: dict[str, str], target: Callable[..., None], *arguments: Any) -> None:
    for descriptor, place in ((1, Path(os.devnull)), (2, errors)):
        os.dup2(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    # A shell starts background jobs with Ctrl-C ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)
    os.environ |= environment
    target(*arguments)
