"""A graph, ready to be executed: planned, compiled, and its weights packed."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.graph import Graph
from robust_tickets.runtime.kernels import gather
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.machine.workers import NativeStep, Workers
from robust_tickets.runtime.planning import commands as c
from robust_tickets.runtime.planning.buffers import Arena
from robust_tickets.runtime.planning.chains import Chain
from robust_tickets.runtime.planning.plan import ExecutionPlan, make_plan
from robust_tickets.runtime.rules.operations import require_valid
from robust_tickets.runtime.steps.chain import chain_step
from robust_tickets.runtime.steps.convolve import convolution_steps
from robust_tickets.runtime.steps.depthwise import depthwise_step
from robust_tickets.runtime.steps.matrix import linear_step
from robust_tickets.runtime.steps.movement import border_step, copy_step, gather_step, scatter_step
from robust_tickets.runtime.steps.normalise import layer_norm_step
from robust_tickets.runtime.steps.pointwise import pointwise_step
from robust_tickets.runtime.steps.pooling import average_step, pool_step
from robust_tickets.runtime.steps.step import KernelStep
from robust_tickets.runtime.steps.tokens import attention_steps, embed_step, sequence_step
from robust_tickets.runtime.tuning.tuning import Tilings, estimated

ChooseTilings = Callable[[ExecutionPlan, Target, Arena], Tilings]


@dataclass(frozen=True)
class StepTime:
    """What one step took."""

    layer: str
    """The last, where several are executed together."""
    kind: str
    seconds: float
    """The least of the calls."""
    flops: int
    """Multiplications and additions, zeros left out."""


class Engine:
    """A network that computes logits, float32 [N, ...], of images, float32 [N, *input_shape]."""

    def __init__(
        self,
        graph: Graph,
        threads: int = 1,
        *,
        target: Target | None = None,
        tilings: ChooseTilings | None = None,
        workers: Workers | None = None,
    ) -> None:
        """Plan, compile and pack.

        Args:
            graph: what to compute.
            threads: how many threads may work, at least 1.
            target: what to compile for; this processor if not given.
            tilings: gives the tilings of a plan; what is likely to be fast if not given.
            workers: as many threads, if they are shared with other engines.

        Raises:
            RuntimeFileError: the graph is malformed.
        """
        shapes = require_valid(graph)
        self.graph, self.threads = graph, threads
        self.target = target or Target.host()
        self.output_shape = shapes[graph.output]
        self.plan = make_plan(graph, shapes, threads, self.target.vector_bits)
        self.arena = Arena.holding(self.plan.buffers)
        self.tilings = (
            tilings(self.plan, self.target, self.arena)
            if tilings is not None
            else estimated(self.plan.commands, self.target)
        )
        self._taken = np.zeros(threads, np.uint8)
        made = [(chain, self._steps(chain)) for chain in self.plan.chains]
        self.steps = [step for _, steps in made for step in steps]
        image = self.plan.input.buffer
        readers = [
            (chain, steps)
            for chain, steps in made
            if any(view.buffer is image for command in chain.commands for view in command.views)
        ]
        # Where the image is only moved into blocks it is moved from where the caller has it.
        is_moved = all(isinstance(command, c.Gather) for chain, _ in readers for command in chain.commands)
        self._sources = [step.arguments for _, steps in readers for step in steps] if is_moved else []
        self._program = (NativeStep * len(self.steps))(
            *(NativeStep(step.function, step.arguments.ctypes.data, step.tasks, 1) for step in self.steps)
        )
        self._input = self._numbers(self.plan.input.address(self.arena.address), graph.input_shape)
        self._output = self._numbers(self.plan.output.address(self.arena.address), self.output_shape)
        self._workers = workers or Workers(threads)

    def __call__(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits of images; NaN for an image that has NaN or infinity in it.

        Raises:
            ValueError: it is closed.
        """
        logits = np.empty((len(images), *self.output_shape), np.float32)
        images = np.ascontiguousarray(images, np.float32)
        for index, image in enumerate(images):
            with self._workers.lock:
                self._hand_over(image)
                self._workers.run(ctypes.addressof(self._program), len(self.steps))
                np.copyto(logits[index], self._output)
        # A weight that is gone would hide what is not a number, and the largest of several may, too.
        with np.errstate(over="ignore", invalid="ignore"):
            total = images.sum()
        if not np.isfinite(total):
            spoilt = ~np.isfinite(images.reshape(len(images), -1)).all(axis=1)
            logits[spoilt] = np.nan
        return logits

    def profile(self, image: NDArray[np.float32], calls: int = 10) -> list[StepTime]:
        """Return what each step takes, on one thread, in order.

        Args:
            image: float32 of the input's shape.
            calls: how often everything is executed.
        """
        prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32)
        ready = [(prototype(step.function), step.arguments.ctypes.data, step.tasks) for step in self.steps]
        least = [float("inf")] * len(ready)
        image = np.ascontiguousarray(image, np.float32)
        with self._workers.lock:
            self._hand_over(image)
            for _ in range(calls):
                for index, (function, arguments, tasks) in enumerate(ready):
                    start = perf_counter()
                    function(arguments, 0, tasks)
                    least[index] = min(least[index], perf_counter() - start)
        return [
            StepTime(step.name, step.kind, seconds, step.flops) for step, seconds in zip(self.steps, least, strict=True)
        ]

    def close(self) -> None:
        """End the threads."""
        self._workers.close()

    def _hand_over(self, image: NDArray[np.float32]) -> None:
        """Let the steps read an image, contiguous in memory, which has to live until they are done."""
        # In a forked process, threads that it does not have may have been in some rooms.
        self._taken.fill(0)
        if not self._sources:
            np.copyto(self._input, image)
            return
        for arguments in self._sources:
            arguments[_SOURCE] = image.ctypes.data

    def _steps(self, chain: Chain) -> list[KernelStep]:
        def step_of(command: c.Command) -> KernelStep:
            [step] = self._steps_of(command)
            return step

        if len(chain.commands) == 1:
            return self._steps_of(*chain.commands)
        return [chain_step(chain, step_of, self.arena.address, self.target, self._taken)]

    def _steps_of(self, command: c.Command) -> list[KernelStep]:
        if isinstance(command, c.Convolve):
            tiling = self.tilings[command.name]
            return convolution_steps(command, tiling, self.arena.address, self.target, self.threads)
        if isinstance(command, c.Attention):
            return attention_steps(command, self.arena.address, self.target)
        return [_STEPS[type(command)](command, self.arena.address, self.target)]

    def _numbers(self, address: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
        start = address - self.arena.address
        count = int(np.prod(shape))
        return self.arena.bytes[start : start + 4 * count].view(np.float32).reshape(shape)


_SOURCE = list(gather.ARGUMENTS.kinds).index("source")

_STEPS: dict[type[c.Command], Callable[..., KernelStep]] = {
    c.Embed: embed_step,
    c.Sequence: sequence_step,
    c.Average: average_step,
    c.Border: border_step,
    c.CopyChannels: copy_step,
    c.Depthwise: depthwise_step,
    c.Gather: gather_step,
    c.LayerNorm: layer_norm_step,
    c.Linear: linear_step,
    c.Pointwise: pointwise_step,
    c.Pool: pool_step,
    c.Scatter: scatter_step,
}
