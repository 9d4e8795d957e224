"""The processes that train together, as Accelerate knows them."""

import os

import torch
from accelerate import PartialState
from accelerate.utils import str_to_bool


def is_on_cpu() -> bool:
    """Say whether training is on the CPU: no accelerator is there, or the launcher was told so."""
    return not torch.accelerator.is_available() or bool(str_to_bool(os.environ.get("ACCELERATE_USE_CPU", "false")))


def world() -> tuple[int, int]:
    """Return rank and number of the processes that train together."""
    # Accelerate looks for other processes on the CPU only where it is told that training is there.
    state = PartialState(cpu=is_on_cpu())
    return state.process_index, state.num_processes
