"""The processes that train together, as Accelerate knows them."""

import os

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import DistributedType, str_to_bool

from robust_tickets.foundation.errors import UserError

SHARDED = (DistributedType.FSDP, DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM)


def is_on_cpu() -> bool:
    """Say whether training is on the CPU: no accelerator is there, or the launcher was told so."""
    return not torch.accelerator.is_available() or bool(str_to_bool(os.environ.get("ACCELERATE_USE_CPU", "false")))


def world() -> tuple[int, int]:
    """Return rank and number of the processes that train together."""
    # Accelerate looks for other processes on the CPU only where it is told that training is there.
    state = PartialState(cpu=is_on_cpu())
    return state.process_index, state.num_processes


def accelerator() -> Accelerator:
    """Return what moves a network to its device and averages gradients over processes.

    Raises:
        UserError: the launcher asks for weights in shards, over which no score can rank.
    """
    made = Accelerator(mixed_precision="no", cpu=is_on_cpu())
    if made.distributed_type in SHARDED:
        raise UserError(
            f"{made.distributed_type.value} divides weights among processes, but pruning needs them whole; "
            "launch with plain data parallelism"
        )
    return made
