"""A corpus cut into blocks of one length, for masked language modelling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from robust_tickets.data.augmentation import Augmenting
from robust_tickets.data.texts.texts import TokenInputs
from robust_tickets.foundation.errors import UserError
from robust_tickets.tokens.format import TokenFormat

if TYPE_CHECKING:
    from robust_tickets.data.targets.targets import Targets


class Blocks(TokenInputs):
    """Blocks of a corpus, every one as long as the network reads.

    Args:
        ids: int32 `(N, L)`.
        lengths: int64 `(N,)`: how many of the ids of each block are not padding.
        format: names of what the network takes.
    """

    def __init__(self, ids: Tensor, lengths: Tensor, format: TokenFormat) -> None:
        self.ids, self.tokens, self.format = ids, lengths, format

    @classmethod
    def of(cls, texts: Sequence[str], format: TokenFormat, name: str) -> Blocks:
        """Return a corpus as blocks: its lines one after the other, cut where a block is full.

        Every block begins and ends as a text does. What is left in the end fills no block, and is dropped where there
        is another one.

        Raises:
            UserError: there is not a word in the corpus.
        """
        core = format.tokenizer.core
        ends = core.encode("").ids
        lines = core.encode_batch(list(texts), add_special_tokens=False)
        stream = torch.tensor([number for line in lines for number in line.ids], dtype=torch.int32)
        if not len(stream):
            raise UserError(f"{name}: contains no words; give a corpus")
        room = format.length - len(ends)
        first = torch.tensor(ends[: (len(ends) + 1) // 2], dtype=torch.int32)
        last = torch.tensor(ends[len(first) :], dtype=torch.int32)
        if len(stream) < room:
            whole = torch.cat([first, stream, last])
            padding = torch.full((format.length - len(whole),), format.pad, dtype=torch.int32)
            return cls(torch.cat([whole, padding])[None], torch.tensor([len(whole)]), format)
        inner = stream[: len(stream) // room * room].reshape(-1, room)
        ids = torch.cat([first.expand(len(inner), -1), inner, last.expand(len(inner), -1)], 1)
        return cls(ids, torch.full((len(ids),), format.length), format)

    def __len__(self) -> int:
        return len(self.ids)

    def held(self, indices: Tensor, fit: TokenFormat, keep: bool) -> None:
        """Return nothing: the ids are the blocks."""

    def single(self, index: int, held: None, fit: TokenFormat) -> dict[str, Tensor]:
        """Return one block, int64 `(L,)` by name."""
        return {name: values[0] for name, values in self.named(torch.tensor([index])).items()}

    def batch(
        self, indices: Tensor, held: None, fit: TokenFormat, augmentation: Augmenting, draws: Tensor
    ) -> dict[str, Tensor]:
        """Return blocks, int64 `(n, L)` by name; nothing in them is masked yet."""
        return self.named(indices)

    def named(self, indices: Tensor) -> dict[str, Tensor]:
        """Return blocks by the names of what the network takes."""
        ids = self.ids[indices].long()
        mask = (torch.arange(ids.shape[1]) < self.tokens[indices][:, None]).long()
        whole = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
        return {name: whole[name] for name in self.format.names}

    def fingerprint(self, digest: Any, indices: Tensor, fit: TokenFormat, targets: Targets) -> None:
        """Take in the ids of the blocks."""
        digest.update(self.ids[indices].numpy().tobytes())
