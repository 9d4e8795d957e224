"""Texts, or pairs of texts, of a part of a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from robust_tickets.data.augmentation import Augmenting, NoAugmentation
from robust_tickets.data.fitting import Wanted
from robust_tickets.data.inputs import Inputs
from robust_tickets.data.texts.tokenised import Tokenised
from robust_tickets.foundation.errors import UserError
from robust_tickets.tokens.format import TokenFormat

if TYPE_CHECKING:
    from robust_tickets.data.examples import Listing
    from robust_tickets.data.names import PartName
    from robust_tickets.data.settings import DataSettings
    from robust_tickets.data.targets.targets import Targets

Text = str | tuple[str, str] | list[str]
"""A text, a pair of texts, or the words of a text."""


class TokenInputs(Inputs):
    """What goes into a language model: mappings of int64 `(n, L)` by the names that it takes.

    Texts are not augmented, and batches are always made as a whole.
    """

    noun: ClassVar[str] = "texts"
    one: ClassVar[str] = "text"
    lacks: ClassVar[frozenset[str]] = frozenset({"pixel-inputs"})

    @classmethod
    def fitting(
        cls, parts: Mapping[PartName, Listing], targets: type[Targets], settings: DataSettings, asked: Wanted, name: str
    ) -> TokenFormat:
        """Return the format that is asked for.

        Raises:
            UserError: the network takes images, or settings ask for something of images.
        """
        if asked.tokens is None:
            raise UserError(
                f"{name}: contains texts, which need a network that takes texts, such as hf/OWNER/NAME or tiny/bert"
            )
        given = [field for field in ("size", "channels", "augmentation") if getattr(settings, field) is not None]
        if given or settings.ignore:
            raise UserError(f"{name}: contains texts; `{[*given, 'ignore'][0]}` is for images; leave it out")
        return asked.tokens

    def in_whole_batches(self, held: Any, augmentation: Augmenting) -> bool:
        """Return True."""
        return True

    def augmented(
        self, index: int, augmentation: Augmenting, draws: Tensor, fit: TokenFormat, *stream: str | int
    ) -> dict[str, Tensor]:
        """Return one input as it is."""
        return self.single(index, self.held(torch.tensor([index]), fit, True), fit)

    def collated(self, inputs: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Return inputs padded with zeros."""
        return {name: pad_sequence([one[name] for one in inputs], True) for name in inputs[0]}

    def suited(self, indices: Tensor) -> Augmenting:
        """Return nothing."""
        return NoAugmentation()

    @classmethod
    def remarks(cls, parts: Sequence[Listing], fit: TokenFormat) -> tuple[str, ...]:
        """Return nothing."""
        return ()


class Texts(TokenInputs):
    """Texts, pairs of texts, or lists of words; all of one kind.

    Args:
        texts: the texts themselves, empty ones included.
    """

    def __init__(self, texts: Sequence[Text]) -> None:
        self.texts = list(texts)
        self._held: dict[TokenFormat, Tokenised] = {}

    def __len__(self) -> int:
        return len(self.texts)

    def held(self, indices: Tensor, fit: TokenFormat, keep: bool) -> Tokenised:
        """Return all texts as ids, for all who ask for them."""
        if fit not in self._held:
            # Those of another network are made again if they are asked for again.
            words = bool(self.texts) and isinstance(self.texts[0], list)
            self._held = {fit: Tokenised(fit.tokenizer.encode(self.texts, fit.length), fit, words)}
        return self._held[fit]

    def single(self, index: int, held: Tokenised, fit: TokenFormat) -> dict[str, Tensor]:
        """Return one text, int64 `(L,)` by name."""
        return held.row(index)

    def batch(
        self, indices: Tensor, held: Tokenised, fit: TokenFormat, augmentation: Augmenting, draws: Tensor
    ) -> dict[str, Tensor]:
        """Return texts, int64 `(n, L)` by name, padded to the longest of them."""
        return held.padded(indices)

    def lengths(self, indices: Tensor, fit: TokenFormat) -> Tensor:
        """Return how many tokens each text has."""
        return self.held(indices, fit, True).lengths[indices]

    def fingerprint(self, digest: Any, indices: Tensor, fit: TokenFormat, targets: Targets) -> None:
        """Take in the texts, and their targets."""
        for index in indices.tolist():
            digest.update(repr(self.texts[index]).encode())
        digest.update(targets.content(indices))

    @classmethod
    def remarks(cls, parts: Sequence[Listing], fit: TokenFormat) -> tuple[str, ...]:
        """Return how many texts are empty, and how many are longer than the network reads."""
        found = [(part.inputs, part.indices) for part in parts if isinstance(part.inputs, Texts)]
        total = sum(len(indices) for _, indices in found)
        empty = sum(is_empty(texts.texts[index]) for texts, indices in found for index in indices.tolist())
        cut = sum(int(texts.held(indices, fit, True).cut[indices].sum()) for texts, indices in found)
        return counted(total, empty, cut, fit)


def counted(total: int, empty: int, cut: int, fit: TokenFormat) -> tuple[str, ...]:
    """Return how many of some texts are empty, and how many are longer than the network reads, if any are."""
    said = [f"{empty:,} of {total:,} texts are empty"] if empty else []
    if cut:
        said.append(f"{cut:,} of {total:,} texts are longer than {fit.length} tokens and are cut there")
    return tuple(said)


def is_empty(text: Text) -> bool:
    """Return whether there is nothing in a text, or in both of a pair."""
    return not text.strip() if isinstance(text, str) else not any(one.strip() for one in text)
