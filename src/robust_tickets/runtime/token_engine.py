"""A graph for texts, ready to be executed: an engine for each of some lengths, made when a text needs it."""

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.engine import ChooseTilings, Engine, StepTime
from robust_tickets.runtime.graph import Graph, Shape
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.machine.workers import Workers
from robust_tickets.runtime.rules.lengths import hides_padding
from robust_tickets.runtime.rules.operations import require_valid
from robust_tickets.runtime.tuning.tuning import Tilings

MOST_ENGINES = 8
"""Lengths that are kept ready; each has the nonzero weights to itself, and what lies between layers."""


class TokenEngine:
    """A network that computes logits of texts, each as long as it is: what fills a batch up costs nothing.

    Where the network's mask hides padding, a text is filled up to a length that others share an engine with; else each
    length has its own. One of a single token is filled up to two in any case.
    """

    def __init__(
        self, graph: Graph, threads: int = 1, *, target: Target | None = None, tilings: ChooseTilings | None = None
    ) -> None:
        """See `Engine`; `tilings` is asked for each length.

        Raises:
            RuntimeFileError: the graph is malformed.
        """
        self.graph, self.threads = graph, threads
        self.target = target or Target.host()
        shapes = require_valid(graph)
        self.output_shape = shapes[graph.output]
        self._rounds = hides_padding(graph, shapes, require_valid(graph.of_length(2)))
        self._tilings = tilings
        self._workers = Workers(threads)
        self._engines: OrderedDict[int, Engine] = OrderedDict()
        self.tilings: dict[Shape, Tilings] = {}
        """Of every length that has been asked for, by the shape of its input."""

    def __call__(self, rows: NDArray[np.float32], counts: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits.

        Args:
            rows: [N, rows, 1, L], as `Graph.tokens` names the rows, float32.
            counts: how many of the L are tokens, the first ones; from 1 to L.

        Returns:
            float32 [N, ...]; of a network that answers for each token [N, C, 1, L], 0 behind the last.

        Raises:
            ValueError: it is closed.
        """
        most = rows.shape[-1]
        each = (*self.output_shape[:-1], most) if self.by_token else self.output_shape
        logits = np.zeros((len(rows), *each), np.float32)
        for index, count in enumerate(counts.tolist()):
            engine = self.engine(count)
            given = np.zeros(engine.graph.input_shape, np.float32)
            given[..., :count] = rows[index, ..., :count]
            with self._workers.lock:
                [found] = engine(given[None])
            if self.by_token:
                logits[index, ..., :count] = found[..., :count]
            else:
                logits[index] = found
        return logits

    @property
    def by_token(self) -> bool:
        """Whether it answers for each token."""
        return len(self.output_shape) == 3 and self.output_shape[-1] == self.graph.input_shape[-1]

    def engine(self, count: int) -> Engine:
        """Return the engine for texts of so many tokens."""
        length = rounded(count, self.graph.input_shape[-1]) if self._rounds else max(2, count)
        with self._workers.lock:
            if length not in self._engines:
                made = self._engines[length] = Engine(
                    self.graph.of_length(length),
                    self.threads,
                    target=self.target,
                    tilings=self._tilings,
                    workers=self._workers,
                )
                self.tilings[made.graph.input_shape] = made.tilings
            self._engines.move_to_end(length)
            while len(self._engines) > MOST_ENGINES:
                self._engines.popitem(last=False)
            return self._engines[length]

    def profile(self, row: NDArray[np.float32], calls: int = 10) -> list[StepTime]:
        """Return what each step takes for one text without padding, float32 [rows, 1, L], on one thread."""
        engine = self.engine(row.shape[-1])
        given = np.zeros(engine.graph.input_shape, np.float32)
        given[..., : row.shape[-1]] = row
        return engine.profile(given, calls)

    def close(self) -> None:
        """End the threads."""
        self._workers.close()


def rounded(count: int, most: int) -> int:
    """Return the length that a text of `count` tokens is computed at: whole vectors, and longer texts in larger steps.

    So that there are few of them: each is planned, and its convolutions are measured.
    """
    step = 16 if count <= 128 else 64 if count <= 512 else 256
    return max(2, min(-(-count // step) * step, most))
