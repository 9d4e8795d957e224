"""A runtime file, ready to be called: numpy arrays or torch tensors in, the same kind out."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.file import read_file
from robust_tickets.runtime.graph import Graph
from robust_tickets.runtime.reference import interpret


class Runtime:
    """A network that computes logits of images on the CPU; not to be called by two threads at once.

    Args:
        graph: what to compute.
        threads: how many threads may work, at least 1.

    Raises:
        RuntimeFileError: the graph is malformed.
        ValueError: fewer than one thread.
    """

    def __init__(self, graph: Graph, threads: int = 1) -> None:
        if threads < 1:
            raise ValueError(f"threads is {threads}, should be at least 1")
        self.graph, self.threads = graph, threads
        self._execute = _executor(graph, threads)

    def __call__(self, images: Any) -> Any:
        """Return logits, float32 [N, ...], of images [N, *input_shape] in [0, 1]; N may be 0.

        An image that holds a NaN or an infinity gives NaN throughout, and leaves the others alone.

        Args:
            images: a numpy array, or a torch tensor on any device, of floating-point numbers.

        Returns:
            A numpy array, or a torch tensor on the device of the images.

        Raises:
            TypeError: not an array or a tensor, or not of floating-point numbers.
            ValueError: another shape.
        """
        # Whoever gives a tensor has imported torch; the runtime itself does without it.
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(images, torch.Tensor):
            logits = self._logits(images.detach().float().cpu().numpy() if images.is_floating_point() else images)
            return torch.from_numpy(logits).to(images.device)
        return self._logits(images)

    def _logits(self, images: Any) -> NDArray[np.float32]:
        wanted = f"[N, {', '.join(map(str, self.graph.input_shape))}] of floating-point numbers in [0, 1]"
        if not isinstance(images, np.ndarray) or not np.issubdtype(images.dtype, np.floating):
            found = getattr(images, "dtype", type(images).__name__)
            raise TypeError(f"the images are {found}, should be a numpy array or a torch tensor {wanted}")
        if images.shape[1:] != self.graph.input_shape or images.ndim == 0:
            raise ValueError(f"the images have shape {list(images.shape)}, should be {wanted}")
        return self._execute(np.ascontiguousarray(images, np.float32))


def load_runtime(path: Path | str, threads: int = 1) -> Runtime:
    """Read a runtime file, `.rtk`, and make it ready.

    Args:
        path: the file; nothing in it is executed or trusted.
        threads: how many threads may work, at least 1.

    Raises:
        RuntimeFileError: the file is missing, damaged, or not a runtime file.
        ValueError: fewer than one thread.
    """
    return Runtime(read_file(path), threads)


def _executor(graph: Graph, threads: int) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    return partial(interpret, graph)
