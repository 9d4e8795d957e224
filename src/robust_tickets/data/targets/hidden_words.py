"""Hidden words: a text is its own target, where some of its tokens are hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.fitting import Wanted
from robust_tickets.data.names import PartName
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.targets.targets import zeros
from robust_tickets.data.targets.text_targets import TextTargets
from robust_tickets.data.texts.blocks import Blocks
from robust_tickets.data.texts.texts import Texts
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError
from robust_tickets.tokens.format import TokenFormat

HIDDEN, SHOWN_AS_MASK, SHOWN_AS_ANOTHER = 0.15, 0.8, 0.1
"""Of all tokens those that are asked for; of these the ones shown as the mask, and as some other token (BERT)."""

NOT_ASKED = -100
"""The target of a token that is not asked for, as torch's cross-entropy ignores it."""

LOGITS_AT_ONCE = 2**26
"""Logits that are computed at once in evaluation, at most: a quarter of a GiB."""


class HiddenWords(TextTargets):
    """The tokens of a text that are hidden from the network: others in every epoch (Liu et al., 2019, RoBERTa).

    In evaluation the same ones are hidden at every call.

    Args:
        count: number of examples.
    """

    kind: ClassVar[str] = "hidden-words"
    words: ClassVar[str] = "is plain text"
    noun: ClassVar[str] = "words"

    def __init__(self, count: int) -> None:
        self.count = count

    @property
    def balance(self) -> Tensor:
        """All 0."""
        return zeros(self.count)

    def single(self, index: int, fit: TokenFormat, keep: bool) -> int:
        """Return a place holder: what is hidden is drawn for a whole batch."""
        return 0

    def collated(self, targets: Sequence[Any]) -> Tensor:
        """Return place holders."""
        return torch.tensor(targets)

    def fingerprints(self, indices: Tensor) -> list[str]:
        """Return nothing that the texts do not tell."""
        return [""] * len(indices)

    def uniforms(self, fit: TokenFormat) -> int:
        """Return two for each token."""
        return 2 * fit.length

    def asked(self, batch: Batch, fit: TokenFormat, draws: Tensor) -> Batch:
        """Return a batch with 15 % of its tokens hidden; its targets are their ids, int64 `(n, L)`, elsewhere -100.

        Of the hidden ones 80 % are shown as the mask, 10 % as any token, 10 % as they are (Devlin et al., 2019).
        """
        ids: Tensor = batch.inputs["input_ids"]
        length = ids.shape[1]
        chance, how = draws[:, :length], draws[:, fit.length : fit.length + length]
        hidden = (chance < HIDDEN) & (batch.inputs["attention_mask"] == 1) & ~fit.tokenizer.is_special(ids)
        other = ((how - SHOWN_AS_MASK) / SHOWN_AS_ANOTHER * fit.vocabulary).long().clamp(0, fit.vocabulary - 1)
        shown = torch.where(how < SHOWN_AS_MASK + SHOWN_AS_ANOTHER, other, ids)
        shown[how < SHOWN_AS_MASK] = mask_of(fit)
        inputs = {**batch.inputs, "input_ids": torch.where(hidden, shown, ids)}
        return Batch(inputs, ids.masked_fill(~hidden, NOT_ASKED))

    def evaluated_at_once(self, fit: TokenFormat) -> int:
        """Return how many texts have `LOGITS_AT_ONCE` logits."""
        return max(1, LOGITS_AT_ONCE // (fit.length * fit.vocabulary))

    @classmethod
    def arranged(cls, found: Found, settings: DataSettings, asked: Wanted) -> Found:
        """Return the corpus as blocks that the network reads.

        Raises:
            UserError: the network takes images, or has no token that hides a word.
        """
        if asked.tokens is None:
            return found
        if asked.tokens.mask is None:
            raise UserError(f"{found.name}: is plain text, but the network's tokenizer has no mask token")
        parts: dict[PartName, Listing] = {}
        for name, part in found.parts.items():
            assert isinstance(part.inputs, Texts)
            lines = [line for index in part.indices.tolist() if isinstance(line := part.inputs.texts[index], str)]
            blocks = Blocks.of(lines, asked.tokens, f"{found.name}, {name} part")
            parts[name] = Listing.whole(blocks, cls(len(blocks)))
        return replace(found, parts=parts)


def mask_of(fit: TokenFormat) -> int:
    """Return the id of the token that hides a word."""
    assert fit.mask is not None, "`arranged` has refused a tokenizer without one"
    return fit.mask
