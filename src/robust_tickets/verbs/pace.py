"""How far a measure is: batches done, and passes of the network within a batch, which an attack may need for hours."""

import time
from collections.abc import Iterator, Sequence

from torch import Tensor

from robust_tickets.attacks.predict import Predict
from robust_tickets.foundation.batch import examples_in
from robust_tickets.measures.logits import Batches
from robust_tickets.training.progress import Progress, progress

BATCH = 256
"""Examples of a batch that is measured."""

SECONDS = 0.5
"""Between two words within a batch."""


class Pace:
    """Shows how far one measure is."""

    def __init__(self, title: str, noun: str = "images") -> None:
        self.title, self.noun = title, noun
        self._display: Progress | None = None
        self._words, self._passes, self._spoken = "", 0, time.monotonic()

    def shown(self, batches: Batches, examples: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of this many examples, each counted when the next one is asked for."""
        for only in self.of_parts([batches], [examples]):
            yield from only

    def of_parts(self, parts: Sequence[Batches], examples: Sequence[int]) -> Iterator[Iterator[tuple[Tensor, Tensor]]]:
        """Yield the batches of each part, of so many examples, one part after the other."""
        steps = sum(-(-count // BATCH) for count in examples)
        with progress(self.title, steps, unit="batch", noun=self.noun) as self._display:
            try:
                for batches in parts:
                    yield self._counting(batches)
            finally:
                self._display = None

    def _counting(self, batches: Batches) -> Iterator[tuple[Tensor, Tensor]]:
        for inputs, labels in batches:
            self._words, self._passes = "", 0
            yield inputs, labels
            if self._display is not None:
                self._display.advance(examples_in(inputs), "")

    def counted(self, predict: Predict) -> Predict:
        """Return the same, each call counted."""

        def counting(images: Tensor) -> Tensor:
            self._passes += 1
            if time.monotonic() - self._spoken >= SECONDS:
                self._speak()
            return predict(images)

        return counting

    def tell(self, words: str) -> None:
        """Show what an attack is at."""
        self._words = words
        self._speak()

    def _speak(self) -> None:
        self._spoken = time.monotonic()
        if self._display is not None:
            self._display.tell(f"{self._words}{', ' if self._words else ''}pass {self._passes:,}")
