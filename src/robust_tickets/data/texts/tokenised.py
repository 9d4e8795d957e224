"""Texts as ids, held in memory: what is padded to a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from robust_tickets.tokens.format import TokenFormat

if TYPE_CHECKING:
    from tokenizers import Encoding


class Tokenised:
    """The ids of texts, one after the other.

    Args:
        encodings: one for each text.
        format: pads and names.
        words: whether texts are lists of words, of which it is kept which token belongs to which.
    """

    def __init__(self, encodings: Sequence[Encoding], format: TokenFormat, words: bool = False) -> None:
        self.format = format
        self.ids = torch.tensor([number for one in encodings for number in one.ids], dtype=torch.int32)
        self.types = torch.tensor([number for one in encodings for number in one.type_ids], dtype=torch.int8)
        self.lengths = torch.tensor([len(one.ids) for one in encodings], dtype=torch.long)
        self.cut = torch.tensor([bool(one.overflowing) for one in encodings], dtype=torch.bool)
        self.starts = self.lengths.cumsum(0) - self.lengths
        of_word = [-1 if word is None else word for one in encodings for word in one.word_ids] if words else []
        self.words = torch.tensor(of_word, dtype=torch.int32)

    def span(self, index: int) -> slice:
        """Return where the tokens of a text are among those of all."""
        start = int(self.starts[index])
        return slice(start, start + int(self.lengths[index]))

    def row(self, index: int) -> dict[str, Tensor]:
        """Return one text by the names of what the network takes, int64 `(L,)` each."""
        return {name: values[0] for name, values in self.padded(torch.tensor([index])).items()}

    def padded(self, indices: Tensor) -> dict[str, Tensor]:
        """Return texts by the names of what the network takes, int64 `(n, L)` each, L that of the longest of them."""
        spans = [
            slice(start, start + length)
            for start, length in zip(self.starts[indices].tolist(), self.lengths[indices].tolist(), strict=True)
        ]
        whole = {
            "input_ids": pad_sequence([self.ids[span] for span in spans], True, self.format.pad).long(),
            "attention_mask": mask_of(self.lengths[indices]),
            "token_type_ids": pad_sequence([self.types[span] for span in spans], True).long(),
        }
        return {name: whole[name] for name in self.format.names}


def mask_of(lengths: Tensor) -> Tensor:
    """Return 1 where there is a token and 0 where there is padding, int64 `(n, L)`, for texts of these lengths."""
    longest = int(lengths.max()) if len(lengths) else 0
    return (torch.arange(longest) < lengths[:, None]).long()
