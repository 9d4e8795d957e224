"""Questions about contexts, before they are cut into windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from robust_tickets.data.texts.texts import Texts
from robust_tickets.data.texts.windows import Windows
from robust_tickets.tokens.format import TokenFormat

if TYPE_CHECKING:
    from robust_tickets.data.examples import Listing


class Questions(Texts):
    """Pairs of a question and its context.

    Args:
        pairs: of them.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        super().__init__(pairs)
        self.pairs = list(pairs)
        self._windows: dict[tuple[TokenFormat, int], Windows] = {}

    def windows(self, fit: TokenFormat, stride: int) -> Windows:
        """Return all pairs as windows, in order, of which neighbours in a context share `stride` tokens.

        They share half of it at most, or there would be windows without end. A question that would leave its context
        less than half of what the network reads is cut.
        """
        if (fit, stride) not in self._windows:
            core = fit.tokenizer.core
            special = core.num_special_tokens_to_add(is_pair=True)
            asked, told = (
                core.encode_batch([pair[side] for pair in self.pairs], add_special_tokens=False) for side in (0, 1)
            )
            encodings, numbers = [], []
            for number, (question, context) in enumerate(zip(asked, told, strict=True)):
                question.truncate((fit.length - special) // 2)
                room = fit.length - special - len(question.ids)
                context.truncate(room, stride=min(stride, room // 2))
                pieces = [context, *context.overflowing]
                encodings += [core.post_process(question, piece) for piece in pieces]
                numbers += [number] * len(pieces)
            self._windows = {(fit, stride): Windows(encodings, torch.tensor(numbers), fit)}
        return self._windows[fit, stride]

    @classmethod
    def remarks(cls, parts: Sequence[Listing], fit: TokenFormat) -> tuple[str, ...]:
        """Return how many contexts are longer than the network reads."""
        total = sum(map(len, parts))
        long = sum(part.inputs.long(part, fit) for part in parts if isinstance(part.inputs, Questions))
        return (
            (f"{long:,} of {total:,} contexts are longer than the network reads, and are read in windows",)
            if long
            else ()
        )

    def long(self, part: Listing, fit: TokenFormat) -> int:
        """Return how many of the chosen contexts have several windows."""
        (windows,) = self._windows.values()
        counts = windows.questions.bincount(minlength=len(self))
        return int((counts[part.indices] > 1).sum())
