"""Labels of images or texts, the most probable first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robust_tickets.verbs.predict.prediction import Prediction, TextPrediction, ranks, share, told


class Ranked(NamedTuple):
    """The most probable classes, the most probable first."""

    classes: tuple[str, ...]
    indices: tuple[int, ...]
    probabilities: tuple[float, ...]


def ranked(logits: NDArray[np.float32], classes: Sequence[str] | None, top: int) -> list[Ranked]:
    """Return the most probable classes of each row of logits [N, C]; unnamed classes are called by their number."""
    probabilities = softmax(logits)
    names = tuple(classes or map(str, range(logits.shape[1])))
    best = np.argsort(-logits, axis=1, kind="stable")[:, :top]
    return [
        Ranked(tuple(names[index] for index in order), tuple(map(int, order)), tuple(float(row[i]) for i in order))
        for order, row in zip(best, probabilities, strict=True)
    ]


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities of each row of logits [N, C]."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def objects(found: Ranked) -> list[dict[str, Any]]:
    """Return ranked classes as JSON has them."""
    rows = zip(*found, strict=True)
    return [{"class": name, "index": index, "probability": round(value, 6)} for name, index, value in rows]


def words(found: Ranked) -> str:
    """Return ranked classes on one line."""
    return ", ".join(f"{name} {100 * value:.1f} %" for name, _, value in zip(*found, strict=True))


@dataclass(frozen=True)
class ImageLabels(Prediction):
    """The most probable classes of one image, the most probable first."""

    columns: ClassVar[tuple[str, ...]] = ("path", "rank", "class", "index", "probability")
    path: str
    """Of the file; of an image given otherwise, its number."""
    classes: tuple[str, ...]
    indices: tuple[int, ...]
    """Of the logits."""
    probabilities: tuple[float, ...]
    """Softmax of the logits, in [0, 1]; not calibrated."""

    @property
    def found(self) -> Ranked:
        """Classes, indices and probabilities."""
        return Ranked(self.classes, self.indices, self.probabilities)

    def __str__(self) -> str:
        return f"{self.path}: {words(self.found)}"

    def cells(self) -> Iterator[tuple[object, ...]]:
        """Yield a row for each rank."""
        for rank, name, index, value in ranks(*self.found):
            yield self.path, rank, name, index, share(value)

    def entry(self) -> dict[str, Any]:
        """Return path, and predictions with class, index and probability."""
        return {"path": self.path, "predictions": objects(self.found)}


@dataclass(frozen=True)
class TextLabels(TextPrediction):
    """The most probable classes of one text, or of a pair of texts, the most probable first."""

    columns: ClassVar[tuple[str, ...]] = ("number", "text", "rank", "class", "index", "probability")
    classes: tuple[str, ...]
    indices: tuple[int, ...]
    """Of the logits."""
    probabilities: tuple[float, ...]
    """Softmax of the logits, in [0, 1]; not calibrated."""

    @property
    def found(self) -> Ranked:
        """Classes, indices and probabilities."""
        return Ranked(self.classes, self.indices, self.probabilities)

    def __str__(self) -> str:
        return f"{told(self.text)}: {words(self.found)}"

    def cells(self) -> Iterator[tuple[object, ...]]:
        """Yield a row for each rank."""
        for rank, name, index, value in ranks(*self.found):
            yield *self.head, rank, name, index, share(value)

    def entry(self) -> dict[str, Any]:
        """Return number, text, and predictions with class, index and probability."""
        return {**self.named, "predictions": objects(self.found)}
