"""A runtime file, ready to be called: images in, as files or arrays, logits out."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.engine import ChooseTilings, Engine, StepTime
from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Graph
from robust_tickets.runtime.images import (
    CHANNELS,
    GIVEN,
    ImagePreparation,
    as_array,
    as_float32,
    checked_floats,
    is_float,
    stated_classes,
    stated_preparation,
)
from robust_tickets.runtime.machine.object_cache import folder
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.buffers import Arena
from robust_tickets.runtime.planning.commands import Convolve
from robust_tickets.runtime.planning.plan import ExecutionPlan
from robust_tickets.runtime.storage.file import read_file, stored_digest
from robust_tickets.runtime.tuning.tuning import Tilings, measured, tuned


class Runtime:
    """A network that computes logits of images on the CPU; called by several threads, it serves one after the other.

    It can be pickled and copied, with its weights and its tilings: a copy is open, has its own threads, and needs
    no file. On another kind of processor a copy takes tilings that are likely to be fast there. A forked process may
    go on using it, while others compute, too: it starts its own threads.

    Args:
        graph: what to compute.
        threads: how many threads may work, at least 1.
        tilings: chooses how convolutions are cut up; what is likely to be fast if not given.
        preprocessing: `interpolation` and `crop_fraction`, if the graph's metadata do not say them, or otherwise.

    Raises:
        RuntimeFileError: the graph is malformed.
        ValueError: fewer than one thread, or no such preprocessing.
    """

    def __init__(
        self,
        graph: Graph,
        threads: int = 1,
        *,
        tilings: ChooseTilings | None = None,
        preprocessing: Mapping[str, Any] | None = None,
    ) -> None:
        if type(threads) is not int or threads < 1:
            raise ValueError(f"threads is {threads!r}; it should be an integer of at least 1")
        self.graph, self.threads = graph, threads
        self.preprocessing: ImagePreparation | None = stated_preparation(
            graph.metadata, graph.input_shape, preprocessing
        )
        """How files, PIL images and uint8 arrays are prepared; None if the file does not say."""
        self.classes: tuple[str, ...] | None = stated_classes(graph.metadata)
        """Names in the order of the logits; None if the file does not say."""
        self._engine = Engine(graph, threads, tilings=tilings)

    def __call__(self, images: Any) -> Any:
        """Return logits, float32 [N, ...], of images; N may be 0.

        Files, PIL images and uint8 arrays are prepared as `preprocessing` says, which is how the network was
        evaluated. An image that holds a NaN or an infinity gives NaN throughout, and leaves the others alone.

        Args:
            images: floating-point numbers [N, *input_shape] in [0, 1], as an array of numpy's or a tensor of torch's on
                any device; or what `ImagePreparation` takes: a path, a PIL image, a uint8 array, a list of these.

        Returns:
            A numpy array, or of a tensor a tensor on its device.

        Raises:
            TypeError: not images.
            ImageError: an image cannot be read or does not fit, or floats are not in [0, 1].
            ValueError: the file does not say how images are prepared, or the network was closed.
        """
        return _like(images, self._engine(self._prepared(as_array(images))))

    def logits(self, images: Any) -> Any:
        """Return what calling it does of floats [N, *input_shape], whatever their values: noise may leave [0, 1]."""
        return _like(images, self._engine(as_float32(as_array(images), self.graph.input_shape)))

    def __repr__(self) -> str:
        """Return what goes in, how many layers and classes there are, and on how many threads."""
        shape = ", ".join(map(str, ("N", *self.graph.input_shape)))
        classes = f", {len(self.classes)} classes" if self.classes is not None else ""
        return f"Runtime(images [{shape}], {len(self.graph.nodes)} layers{classes}, threads={self.threads})"

    def __reduce__(self) -> tuple[Any, ...]:
        engine, preprocessing = self._engine, self.preprocessing
        given = {name: getattr(preprocessing, name) for name in GIVEN} if preprocessing is not None else None
        return _restored, (self.graph, self.threads, given, engine.target, engine.tilings)

    def profile(self, image: NDArray[np.float32], calls: int = 10) -> list[StepTime]:
        """Return what each step takes for one image, float32 [*input_shape], on one thread."""
        return self._engine.profile(image, calls)

    def close(self) -> None:
        """End the threads; the network cannot be called any more."""
        self._engine.close()

    def _prepared(self, images: Any) -> NDArray[np.float32]:
        if is_float(images):
            return checked_floats(images, self.graph.input_shape)
        if self.preprocessing is not None:
            return self.preprocessing(images)
        floats = f"floats [N, {', '.join(map(str, self.graph.input_shape))}] in [0, 1]"
        if len(self.graph.input_shape) != 3 or self.graph.input_shape[0] not in CHANNELS.values():
            raise ValueError(f"the network takes {floats}; files and pixels have 1 or 3 channels")
        raise ValueError(
            f"the file does not say how images become its input: give {floats}, or state it, as in load_runtime(file, "
            "preprocessing={'interpolation': 'bilinear', 'crop_fraction': 0.875})"
        )


def load_runtime(
    path: Path | str, threads: int = 1, *, tune: bool = True, preprocessing: Mapping[str, Any] | None = None
) -> Runtime:
    """Read a runtime file, `.rtk`, and make it ready.

    On first use on a machine, its kernels are compiled and measured for a few seconds to find the fastest;
    both results are kept, the latter in `model.rtk.tuning.json` next to the file, or with the kernels if that cannot
    be written.

    Args:
        path: the file; nothing in it is executed or trusted.
        threads: how many threads may work, at least 1.
        tune: whether to measure; otherwise the choice that is likely to be fast is used.
        preprocessing: `interpolation` and `crop_fraction`, if the file does not state them, or to replace them.

    Raises:
        RuntimeFileError: the file is missing, damaged, or not a runtime file.
        ValueError: fewer than one thread, or no such preprocessing.
    """
    path = Path(path)
    graph = read_file(path)
    try:
        return Runtime(graph, threads, tilings=_kept(path) if tune else None, preprocessing=preprocessing)
    except RuntimeFileError as error:
        raise RuntimeFileError(f"{path}: {error}") from None


def _like(images: Any, logits: NDArray[np.float32]) -> Any:
    """Return logits as a tensor on the images' device where these are one."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(images, torch.Tensor):
        return logits
    return torch.from_numpy(logits).to(images.device)


def _restored(
    graph: Graph, threads: int, preprocessing: Mapping[str, Any] | None, target: Target, tilings: Tilings
) -> Runtime:
    """Return a copy of a runtime; its tilings are those of the processor it was made on."""
    same = Target.host() == target
    return Runtime(graph, threads, tilings=(lambda *_: tilings) if same else None, preprocessing=preprocessing)


def _kept(path: Path) -> ChooseTilings:
    """Return what gives the tilings kept for a file, measured if there are none."""
    digest = stored_digest(path)
    places = [path.with_name(path.name + ".tuning.json")]
    if (cache := folder()) is not None:
        places.append(cache.with_name("tuning") / f"{digest}.json")

    def choose(plan: ExecutionPlan, target: Target, arena: Arena) -> Tilings:
        convolutions = [command for command in plan.commands if isinstance(command, Convolve)]
        return tuned(places, digest, target, lambda: measured(plan.commands, target, arena.address), convolutions)

    return choose
