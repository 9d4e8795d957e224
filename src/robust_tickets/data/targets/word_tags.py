"""Tags of words: every word of a text has a label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from robust_tickets.data.examples import Listing
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.targets.hidden_words import NOT_ASKED
from robust_tickets.data.targets.targets import zeros
from robust_tickets.data.targets.text_targets import TextTargets
from robust_tickets.data.texts.texts import Texts
from robust_tickets.data.texts.tokenised import Tokenised
from robust_tickets.tokens.format import TokenFormat


class WordTags(TextTargets):
    """The number of a tag for each word; a network is asked for it at the first token of the word.

    Args:
        tags: of each text int64 `(words,)`.
        tokens: the texts as tokens, once they are presented to a network.
    """

    kind: ClassVar[str] = "tags"
    words: ClassVar[str] = "labels the words of texts"
    noun: ClassVar[str] = "tags"

    def __init__(self, tags: Sequence[Tensor], tokens: Tokenised | None = None) -> None:
        self.tags, self.tokens = list(tags), tokens

    @property
    def balance(self) -> Tensor:
        """All 0."""
        return zeros(len(self.tags))

    @classmethod
    def presented(cls, part: Listing, fit: TokenFormat, settings: DataSettings) -> Listing:
        """Return the same texts, with the tokens at which their tags are asked for."""
        assert isinstance(part.inputs, Texts)
        assert isinstance(part.targets, WordTags)
        return Listing(part.inputs, cls(part.targets.tags, part.inputs.held(part.indices, fit, True)), part.indices)

    def single(self, index: int, fit: TokenFormat, keep: bool) -> Tensor:
        """Return the tag at the first token of each word, int64 `(L,)`, -100 elsewhere."""
        assert self.tokens is not None, "`presented` has found the tokens"
        word = self.tokens.words[self.tokens.span(index)].long()
        first = word >= 0
        first[1:] &= word[1:] != word[:-1]
        asked = torch.full_like(word, NOT_ASKED)
        asked[first] = self.tags[index][word[first]]
        return asked

    def collated(self, targets: Sequence[Tensor]) -> Tensor:
        """Return tags, int64 `(n, L)`, -100 where none is asked for."""
        return pad_sequence(list(targets), True, NOT_ASKED)

    def fingerprints(self, indices: Tensor) -> list[str]:
        """Return the tags of each text."""
        return [repr(self.tags[index].tolist()) for index in indices.tolist()]
