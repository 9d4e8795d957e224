"""What is fed to a loaded network: how it becomes its input, and what executes it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.engine import ChooseTilings, Engine, StepTime
from robust_tickets.runtime.graph import Graph, Shape
from robust_tickets.runtime.images import (
    CHANNELS,
    GIVEN,
    ImagePreparation,
    as_array,
    as_float32,
    checked_floats,
    is_float,
    like,
    stated_preparation,
)
from robust_tickets.runtime.texts import TokenRows, like_ids, stated_texts
from robust_tickets.runtime.token_engine import TokenEngine
from robust_tickets.runtime.tuning.tuning import Tilings

_Executing = TypeVar("_Executing", Engine, TokenEngine)


class Feed(ABC, Generic[_Executing]):
    """What is fed to a loaded network: how it becomes its input, and what executes it."""

    noun: ClassVar[str]
    """What it is, as the interfaces of networks call it."""
    preparation: ImagePreparation | None = None
    """Of images, how files and pixels become the input; None if the file does not say."""
    engine: _Executing

    @abstractmethod
    def __init__(
        self, graph: Graph, threads: int, tilings: ChooseTilings | None, preprocessing: Mapping[str, Any] | None
    ) -> None:
        """Make everything ready; see `Runtime`."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What goes in, for readers."""

    @property
    @abstractmethod
    def tilings(self) -> dict[Shape, Tilings]:
        """How convolutions are cut up, by the shape of the input."""

    @property
    def given(self) -> Mapping[str, Any] | None:
        """What `preprocessing` another of its kind takes to be the same."""
        return None

    @abstractmethod
    def answers(self, given: Any) -> Any:
        """Return the logits of what users give; see `Runtime.__call__`."""

    @abstractmethod
    def logits(self, given: Any) -> Any:
        """Return the logits of what is the network's input already; see `Runtime.logits`."""

    @abstractmethod
    def profile(self, given: Any, calls: int) -> list[StepTime]:
        """Return what each step takes; see `Runtime.profile`."""


class ImageFeed(Feed[Engine]):
    """Images, as files, pixels or floats."""

    noun = "images"

    def __init__(
        self, graph: Graph, threads: int, tilings: ChooseTilings | None, preprocessing: Mapping[str, Any] | None
    ) -> None:
        """Make everything ready; see `Runtime`."""
        self.preparation = stated_preparation(graph.metadata, graph.input_shape, preprocessing)
        self.shape = graph.input_shape
        self.engine = Engine(graph, threads, tilings=tilings)

    @property
    def words(self) -> str:
        """The shape of a batch."""
        return f"images [{', '.join(map(str, ('N', *self.shape)))}]"

    @property
    def tilings(self) -> dict[Shape, Tilings]:
        """Those of the one shape."""
        return {self.shape: self.engine.tilings}

    @property
    def given(self) -> Mapping[str, Any] | None:
        """What of the preparation does not follow from the network's input."""
        return {name: getattr(self.preparation, name) for name in GIVEN} if self.preparation is not None else None

    def answers(self, given: Any) -> Any:
        """Prepare images and return their logits, [N, ...]."""
        return like(given, self.engine(self._prepared(as_array(given))))

    def logits(self, given: Any) -> Any:
        """Return the logits of floats, whatever their values."""
        return like(given, self.engine(as_float32(as_array(given), self.shape)))

    def profile(self, given: Any, calls: int) -> list[StepTime]:
        """Return what each step takes for one image, float32 [C, H, W]."""
        return self.engine.profile(given, calls)

    def _prepared(self, images: Any) -> NDArray[np.float32]:
        if is_float(images):
            return checked_floats(images, self.shape)
        if self.preparation is not None:
            return self.preparation(images)
        floats = f"floats [N, {', '.join(map(str, self.shape))}] in [0, 1]"
        if len(self.shape) != 3 or self.shape[0] not in CHANNELS.values():
            raise ValueError(f"the network takes {floats}; files and pixels have 1 or 3 channels")
        raise ValueError(
            f"the file does not say how images become its input: give {floats}, or state it, as in load_runtime(file, "
            "preprocessing={'interpolation': 'bilinear', 'crop_fraction': 0.875})"
        )


class TextFeed(Feed[TokenEngine]):
    """Texts, as strings or tokens."""

    noun = "texts"

    def __init__(
        self, graph: Graph, threads: int, tilings: ChooseTilings | None, preprocessing: Mapping[str, Any] | None
    ) -> None:
        """Make ready what does not depend on the length of a text.

        Raises:
            ValueError: a preprocessing is given.
        """
        if preprocessing is not None:
            raise ValueError("preprocessing: is of images, but the network takes texts; leave it out")
        self.texts = stated_texts(graph)
        self.engine = TokenEngine(graph, threads, tilings=tilings)

    @property
    def words(self) -> str:
        """The longest text."""
        return f"texts of up to {self.texts.length} tokens"

    @property
    def tilings(self) -> dict[Shape, Tilings]:
        """Those of all lengths so far."""
        return dict(self.engine.tilings)

    def answers(self, given: Any) -> Any:
        """Tokenise texts and return their logits, [N, classes], or of a network that answers for tokens [N, L, C]."""
        return like_ids(given, self._computed(self.texts(given)))

    def logits(self, given: Any) -> Any:
        """Return the logits of tokens by name.

        Raises:
            TypeError: something else is given.
        """
        if not isinstance(given, Mapping):
            raise TypeError(
                f"logits takes integer arrays by name, not {type(given).__name__}; call the network instead"
            )
        return self.answers(given)

    def profile(self, given: Any, calls: int) -> list[StepTime]:
        """Return what each step takes for one text, or the tokens of one.

        Raises:
            ValueError: they are several texts, or none.
        """
        rows, counts = self.texts(given)
        if len(rows) != 1:
            raise ValueError(f"profile takes one text, not {len(rows)}")
        return self.engine.profile(rows[0, ..., : counts[0]], calls)

    def _computed(self, given: TokenRows) -> NDArray[np.float32]:
        logits = self.engine(*given)
        return np.ascontiguousarray(logits[:, :, 0].swapaxes(1, 2)) if self.engine.by_token else logits


FEEDS: dict[bool, type[ImageFeed | TextFeed]] = {False: ImageFeed, True: TextFeed}
"""By whether a graph reads tokens."""
