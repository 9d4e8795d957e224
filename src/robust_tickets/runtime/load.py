"""A runtime file, ready to be called: images in, as files or arrays, or texts; logits out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robust_tickets.runtime.engine import ChooseTilings, StepTime
from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.feeds import FEEDS
from robust_tickets.runtime.graph import Graph, Shape
from robust_tickets.runtime.images import ImagePreparation, stated_classes
from robust_tickets.runtime.machine.object_cache import folder
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.buffers import Arena
from robust_tickets.runtime.planning.commands import Convolve
from robust_tickets.runtime.planning.plan import ExecutionPlan
from robust_tickets.runtime.storage.file import read_file, stored_digest
from robust_tickets.runtime.tuning.tuning import Tilings, estimated, measured, tuned


class Runtime:
    """A network that computes logits of images or texts on the CPU.

    Called by several threads, it serves one after the other.

    It can be pickled and copied, with its weights and its tilings: a copy is open, has its own threads, and needs
    no file. On another kind of processor a copy takes tilings that are likely to be fast there. A forked process may
    go on using it, while others compute, too: it starts its own threads.

    Args:
        graph: what to compute.
        threads: how many threads may work, at least 1.
        tilings: chooses how convolutions are cut up; what is likely to be fast if not given.
        preprocessing: of images `interpolation` and `crop_fraction`, if the graph's metadata do not say them, or
            otherwise.

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
        self.classes: tuple[str, ...] | None = stated_classes(graph.metadata)
        """Names in the order of the logits; None if the file does not say."""
        self._feed = FEEDS[bool(graph.tokens)](graph, threads, tilings, preprocessing)

    @property
    def noun(self) -> str:
        """What goes in: images or texts."""
        return self._feed.noun

    @property
    def preprocessing(self) -> ImagePreparation | None:
        """How files, PIL images and uint8 arrays are prepared; None if the file does not say, or takes texts."""
        return self._feed.preparation

    @property
    def output_shape(self) -> Shape:
        """Shape of the logits of one input, as the graph has it; where each token has some, (C, 1, length)."""
        return self._feed.engine.output_shape

    def __call__(self, inputs: Any) -> Any:
        """Return logits, float32 [N, ...], of images or texts; N may be 0.

        Files, PIL images and uint8 arrays are prepared as `preprocessing` says, which is how the network was
        evaluated. An image that holds a NaN or an infinity gives NaN throughout, and leaves the others alone. Texts are
        tokenised as in evaluation, by the tokenizer in the file, and cut where they are longer than the network reads;
        each is computed as long as it is.

        Args:
            inputs: of images floating-point numbers [N, *input_shape] in [0, 1], as an array of numpy's or a tensor of
                torch's on any device; or what `ImagePreparation` takes: a path, a PIL image, a uint8 array, a list of
                these. For texts what `TextPreparation` takes: a string, a pair of strings as a tuple, a list of these,
                or `input_ids`, `attention_mask` and `token_type_ids`, integers [N, L], by name.

        Returns:
            A numpy array, or of tensors a tensor on their device. A network that answers for each token gives
            [N, L, C], 0 where there is padding.

        Raises:
            TypeError: not images, or not texts.
            ImageError: an image cannot be read or does not fit, or floats are not in [0, 1].
            TextError: a text has no tokens, or its tokens do not fit the network.
            ValueError: the file does not say how images are prepared, or the network was closed.
        """
        return self._feed.answers(inputs)

    def logits(self, inputs: Any) -> Any:
        """Return what calling it does of floats [N, *input_shape], whatever their values: noise may leave [0, 1].

        A network for texts takes integers [N, L] by name.
        """
        return self._feed.logits(inputs)

    def __repr__(self) -> str:
        """Return what goes in, how many layers and classes there are, and on how many threads."""
        classes = f", {len(self.classes)} classes" if self.classes is not None else ""
        return f"Runtime({self._feed.words}, {len(self.graph.nodes)} layers{classes}, threads={self.threads})"

    def __reduce__(self) -> tuple[Any, ...]:
        feed = self._feed
        return _restored, (self.graph, self.threads, feed.given, feed.engine.target, feed.tilings)

    def profile(self, given: Any, calls: int = 10) -> list[StepTime]:
        """Return what each step takes for one image, float32 [*input_shape], or one text, on one thread."""
        return self._feed.profile(given, calls)

    def close(self) -> None:
        """End the threads; the network cannot be called any more."""
        self._feed.engine.close()


def load_runtime(
    path: Path | str, threads: int = 1, *, tune: bool = True, preprocessing: Mapping[str, Any] | None = None
) -> Runtime:
    """Read a runtime file, `.rtk`, and make it ready.

    On first use on a machine, its kernels are compiled and measured for a few seconds to find the fastest, of texts
    when the first of about that length comes; both results are kept, the latter in `model.rtk.tuning.json` next to the
    file, or with the kernels if that cannot be written.

    Args:
        path: the file; nothing in it is executed or trusted.
        threads: how many threads may work, at least 1.
        tune: whether to measure; otherwise the choice that is likely to be fast is used.
        preprocessing: of images `interpolation` and `crop_fraction`, if the file does not state them, or to replace
            them.

    Raises:
        RuntimeFileError: the file is missing, damaged, or not a runtime file.
        ValueError: fewer than one thread, or no such preprocessing.
    """
    path = Path(path)
    graph = read_file(path)
    try:
        return Runtime(graph, threads, tilings=_kept(path, graph) if tune else None, preprocessing=preprocessing)
    except RuntimeFileError as error:
        raise RuntimeFileError(f"{path}: {error}") from None


def _restored(
    graph: Graph,
    threads: int,
    preprocessing: Mapping[str, Any] | None,
    target: Target,
    tilings: Mapping[Shape, Tilings],
) -> Runtime:
    """Return a copy of a runtime; its tilings are those of the processor it was made on, by the shape of the input."""

    def choose(plan: ExecutionPlan, own: Target, arena: Arena) -> Tilings:
        known = tilings.get(plan.input.shape) if own == target else None
        return known if known is not None else estimated(plan.commands, own)

    return Runtime(graph, threads, tilings=choose, preprocessing=preprocessing)


def _kept(path: Path, graph: Graph) -> ChooseTilings:
    """Return what gives the tilings kept for a file, measured if there are none; of texts those of each length."""
    digest = stored_digest(path)
    places = [path.with_name(path.name + ".tuning.json")]
    if (cache := folder()) is not None:
        places.append(cache.with_name("tuning") / f"{digest}.json")

    def choose(plan: ExecutionPlan, target: Target, arena: Arena) -> Tilings:
        convolutions = [command for command in plan.commands if isinstance(command, Convolve)]
        size = f"{plan.input.shape[-1]} tokens" if graph.tokens else ""
        return tuned(places, digest, target, lambda: measured(plan.commands, target, arena.address), convolutions, size)

    return choose
