"""A chain of commands as one step."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.kernels import chain as kernel
from robust_tickets.runtime.machine.compiler import compile
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.buffers import MapView
from robust_tickets.runtime.planning.chains import Chain
from robust_tickets.runtime.planning.commands import Command
from robust_tickets.runtime.steps.step import KernelStep, address


def chain_step(
    chain: Chain, step_of: Callable[[Command], KernelStep], arena: int, target: Target, taken: NDArray[np.uint8]
) -> KernelStep:
    """Return the step that does, channels by channels, what each command of a chain has to do.

    Args:
        chain: several commands.
        step_of: gives the step of each.
        arena: address of the arena.
        target: what to compile for.
        taken: a zero for each thread; chains that are never executed at the same time share it.
    """
    steps = [step_of(command) for command in chain.commands]
    by_part = [_spans(chain, *pair) for pair in zip(chain.commands, steps, strict=True)]
    spans = np.ascontiguousarray(np.array(by_part, np.int32).transpose(1, 0, 2))
    functions = np.array([step.function for step in steps], np.int64)
    rooms = [[_moved(step.arguments, chain, arena, room) for step in steps] for room in range(chain.places)]
    arguments = np.array([[address(one) for one in room] for room in rooms], np.int64)
    module = compile(kernel.ir(), target)
    call = kernel.ARGUMENTS.pack(
        functions=address(functions),
        arguments=address(arguments),
        spans=address(spans),
        taken=address(taken),
        parts=len(steps),
        rooms=chain.places,
    )
    keep = (spans, functions, rooms, arguments, module, taken, *steps)
    flops = sum(step.flops for step in steps)
    return KernelStep(steps[-1].name, "chain", module.address(kernel.NAME), call, len(spans), keep, flops)


def _spans(chain: Chain, command: Command, step: KernelStep) -> list[tuple[int, int]]:
    """Return which tasks of a command's step belong to each task of the chain."""
    if step.before:
        return list(pairwise(step.before))
    assert isinstance(command.target, MapView)
    each = step.tasks // command.target.channels
    if chain.is_local(command.target):
        return [(0, (last - first) * each) for first, last in pairwise(chain.edges)]
    return [(first * each, last * each) for first, last in pairwise(chain.edges)]


def _moved(arguments: NDArray[np.int64], chain: Chain, arena: int, room: int) -> NDArray[np.int64]:
    """Return a step's arguments with the addresses in the chain's rooms moved to those of another thread."""
    moved = arguments.copy()
    for buffer, size in chain.rooms:
        start = arena + buffer.offset
        moved[(start <= arguments) & (arguments < start + size)] += room * size
    return moved
