"""A runtime file, ready to be called: numpy arrays or torch tensors in, the same kind out."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.engine import ChooseTilings, Engine, StepTime
from robust_tickets.runtime.graph import Graph
from robust_tickets.runtime.machine.object_cache import folder
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.buffers import Arena
from robust_tickets.runtime.planning.commands import Convolve
from robust_tickets.runtime.planning.plan import Plan
from robust_tickets.runtime.storage.file import read_file, stored_digest
from robust_tickets.runtime.tuning.tuning import Tilings, measured, tuned


class Runtime:
    """A network that computes logits of images on the CPU; called by several threads, it serves one after the other.

    Args:
        graph: what to compute.
        threads: how many threads may work, at least 1.
        tilings: chooses how convolutions are cut up; what is likely to be fast if not given.

    Raises:
        RuntimeFileError: the graph is malformed.
        ValueError: fewer than one thread.
    """

    def __init__(self, graph: Graph, threads: int = 1, *, tilings: ChooseTilings | None = None) -> None:
        if type(threads) is not int or threads < 1:
            raise ValueError(f"threads is {threads!r}, should be a whole number of at least 1")
        self.graph, self.threads = graph, threads
        self._engine = Engine(graph, threads, tilings=tilings)

    def __call__(self, images: Any) -> Any:
        """Return logits, float32 [N, ...], of images [N, *input_shape] in [0, 1]; N may be 0.

        An image that holds a NaN or an infinity gives NaN throughout, and leaves the others alone.

        Args:
            images: a numpy array, or a torch tensor on any device, of floating-point numbers.

        Returns:
            A numpy array, or a torch tensor on the device of the images.

        Raises:
            TypeError: not an array or a tensor, or not of floating-point numbers.
            ValueError: another shape, or the network was closed.
        """
        # Whoever gives a tensor has imported torch; the runtime itself does without it.
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(images, torch.Tensor):
            logits = self._logits(images.detach().float().cpu().numpy() if images.is_floating_point() else images)
            return torch.from_numpy(logits).to(images.device)
        return self._logits(images)

    def __repr__(self) -> str:
        """Return what goes in, how many layers there are, and on how many threads."""
        shape = ", ".join(map(str, ("N", *self.graph.input_shape)))
        return f"Runtime(images [{shape}], {len(self.graph.nodes)} layers, threads={self.threads})"

    def profile(self, image: NDArray[np.float32], calls: int = 10) -> list[StepTime]:
        """Return what each step takes for one image, float32 [*input_shape], on one thread."""
        return self._engine.profile(image, calls)

    def close(self) -> None:
        """End the threads; the network cannot be called any more."""
        self._engine.close()

    def _logits(self, images: Any) -> NDArray[np.float32]:
        wanted = f"[N, {', '.join(map(str, self.graph.input_shape))}] of floating-point numbers in [0, 1]"
        if not isinstance(images, np.ndarray) or not np.issubdtype(images.dtype, np.floating):
            found = getattr(images, "dtype", type(images).__name__)
            raise TypeError(f"the images are {found}, should be a numpy array or a torch tensor {wanted}")
        if images.shape[1:] != self.graph.input_shape or images.ndim == 0:
            raise ValueError(f"the images have shape {list(images.shape)}, should be {wanted}")
        with np.errstate(over="ignore"):  # float32 has an infinity for it
            numbers = np.ascontiguousarray(images, np.float32)
        return self._engine(numbers)


def load_runtime(path: Path | str, threads: int = 1, *, tune: bool = True) -> Runtime:
    """Read a runtime file, `.rtk`, and make it ready.

    The first time on a machine its kernels are compiled, and what is fastest here is measured for some seconds;
    both are kept, the latter in `model.rtk.tuning.json` beside the file, or with the kernels where that cannot be
    written.

    Args:
        path: the file; nothing in it is executed or trusted.
        threads: how many threads may work, at least 1.
        tune: whether to measure; without, what is likely to be fast is taken.

    Raises:
        RuntimeFileError: the file is missing, damaged, or not a runtime file.
        ValueError: fewer than one thread.
    """
    path = Path(path)
    graph = read_file(path)
    return Runtime(graph, threads, tilings=_kept(path) if tune else None)


def _kept(path: Path) -> ChooseTilings:
    """Return what gives the tilings kept for a file, measured if there are none."""
    digest = stored_digest(path)
    places = [path.with_name(path.name + ".tuning.json")]
    if (cache := folder()) is not None:
        places.append(cache.with_name("tuning") / f"{digest}.json")

    def choose(plan: Plan, target: Target, arena: Arena) -> Tilings:
        convolutions = [command for command in plan.commands if isinstance(command, Convolve)]
        return tuned(places, digest, target, lambda: measured(plan.commands, target, arena.address), convolutions)

    return choose
