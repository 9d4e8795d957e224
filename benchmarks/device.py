"""The device a row trains on, chosen by the row instead of by what the machine has."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate.state import AcceleratorState

CPU = torch.device("cpu")
CHOICE = "ACCELERATE_USE_CPU"


@contextmanager
def training_on(device: torch.device) -> Iterator[None]:
    """Let everything that trains inside use `device`."""
    before = os.environ.get(CHOICE)
    os.environ[CHOICE] = str(device.type == "cpu").lower()
    AcceleratorState._reset_state(reset_partial_state=True)
    try:
        yield
    finally:
        os.environ.pop(CHOICE)
        if before is not None:
            os.environ[CHOICE] = before
        AcceleratorState._reset_state(reset_partial_state=True)


def wait_for(device: torch.device) -> None:
    """Return when everything queued on `device` is done."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
