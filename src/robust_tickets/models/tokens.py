"""Tokens as a network's input: the data tokenise texts and pad them, the network looks its embeddings up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from robust_tickets.attacks.perturbable import Perturbable, Space
from robust_tickets.foundation.batch import sliced
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import nn, torch
from robust_tickets.foundation.seeds import generator
from robust_tickets.foundation.settings import parse
from robust_tickets.models.interface import Interface
from robust_tickets.tokens.format import TokenFormat
from robust_tickets.tokens.tokenizer import FILE, Tokenizer

if TYPE_CHECKING:
    from torch import Tensor

TokenInput = Literal["input_ids", "attention_mask", "token_type_ids"]

IDS: TokenInput = "input_ids"
"""The one input that every network for texts has."""

EXAMPLE_LENGTH = 16
"""Tokens of an example, where the network takes as many: enough to trace with."""


class Tokens(Interface):
    """What turns texts into what the network was trained on.

    A batch of inputs is a mapping of int64 tensors [N, L] by the names in `inputs`, which are those of Hugging Face:
    ids of tokens, 1 where there is one and 0 where there is padding, and 0 or 1 for the first or second text.
    L is that of the longest text in the batch, at most `length`.
    """

    noun: ClassVar[str] = "texts"
    free: ClassVar[tuple[str, ...]] = ("batch", "length")
    class_dim: ClassVar[int] = -1
    kind: Literal["tokens"] = "tokens"
    length: int = Field(ge=4, description="Most tokens of a text, special ones included; longer texts are cut.")
    vocabulary: int = Field(ge=4, description="Rows of the network's table of word embeddings.")
    tokenizer: Tokenizer = Field(description="`sha256:...` over the tokenizer.json that lies beside.")
    pad: int = Field(ge=0, description="Id of the token that fills a batch up.")
    mask: int | None = Field(default=None, ge=0, description="Id of the token that hides a word; absent if none does.")
    inputs: tuple[TokenInput, ...] = Field(min_length=1, description="Names of what the network takes.")

    @model_validator(mode="after")
    def _of_this_tokenizer(self) -> Tokens:
        if self.tokenizer.is_complete and (size := self.tokenizer.size) > self.vocabulary:
            raise ValueError(
                f"the tokenizer gives ids up to {size - 1}, but the network has {self.vocabulary} word embeddings; "
                "give the tokenizer that belongs to these weights"
            )
        return self

    def preparation(self) -> nn.Module:
        """Return nothing but a passage: what is looked up lies in the network."""
        return nn.Identity()

    def perturbable(self, body: nn.Module, inputs: Any) -> Perturbable:
        """Return the word embeddings [N, L, width], in their own unit; those of special tokens and of padding stay."""
        ids, rest = inputs["input_ids"], {name: value for name, value in inputs.items() if name != "input_ids"}
        movable = (inputs["attention_mask"] == 1) & ~self.tokenizer.is_special(ids)
        language: Any = body
        point = language.embedded(ids)
        return Perturbable(
            point, lambda embedded: {**rest, "inputs_embeds": embedded}, Space(None, movable[..., None].to(point.dtype))
        )

    def example(self, count: int, *stream: str) -> dict[str, Tensor]:
        """Return texts int64 [count, L] without padding: of random tokens from a stream, or of the token 0."""
        return self._example(count, min(self.length, EXAMPLE_LENGTH), *stream)

    def tried(self) -> list[dict[str, Tensor]]:
        """Return texts from one token to as many as the network reads, alone, together, and padded to one length."""
        lengths = sorted({1, 2, min(self.length, EXAMPLE_LENGTH), self.length})
        whole = [self._example(3, length, "export", str(length)) for length in lengths]
        return [*(self._padded(some) for some in whole), *whole, *(sliced(some, 0, 1) for some in whole)]

    def timed(self, count: int, length: int | None = None) -> dict[str, Tensor]:
        """Return texts of one length without padding; by default as long as the network reads."""
        if length is not None and length > self.length:
            raise UserError(f"length: {length} is too large; the network reads up to {self.length} tokens")
        return self._example(count, length or self.length, "export")

    def _example(self, count: int, length: int, *stream: str) -> dict[str, Tensor]:
        shape = (count, length)
        ids = torch.zeros(shape, dtype=torch.long)
        if stream:
            ids = torch.randint(self.vocabulary, shape, generator=generator(0, *stream))
            # Padding within a text is no text: some networks count positions by it.
            ids[ids == self.pad] = (self.pad + 1) % self.vocabulary
        whole = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
        return {name: whole[name] for name in self.inputs}

    def _padded(self, texts: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the same texts, each but the first one cut, to between one token and almost all, and filled up."""
        count, length = texts["input_ids"].shape
        kept = torch.tensor([length, *(max(1, length * row // count) for row in range(1, count))])
        mask = (torch.arange(length) < kept[:, None]).long()
        filled = {"input_ids": torch.where(mask == 1, texts["input_ids"], self.pad), "attention_mask": mask}
        return {name: filled.get(name, values) for name, values in texts.items()}

    @property
    def format(self) -> TokenFormat:
        """What whoever feeds the network has to know."""
        return TokenFormat(self.tokenizer, self.length, self.vocabulary, self.pad, self.mask, self.inputs)

    def wanted(self) -> dict[str, Any]:
        """Return the format of texts."""
        return {"tokens": self.format}

    def describe(self) -> str:
        """Return the longest text and the vocabulary."""
        return f"texts of up to {self.length} tokens, {self.vocabulary:,} in the vocabulary"

    @property
    def shape_words(self) -> str:
        """The length of an example."""
        return f"{min(self.length, EXAMPLE_LENGTH)} tokens"

    def files(self) -> dict[str, bytes]:
        """Return the tokenizer."""
        return {FILE: self.tokenizer.content}

    @staticmethod
    def told_by(said: Mapping[str, str]) -> bool:
        """Return whether a file's metadata hold a tokenizer."""
        return FILE in said

    @classmethod
    def of_file(cls, said: Mapping[str, str], where: str) -> Tokens:
        """Return what a file says about its inputs.

        Args:
            said: its metadata, each as JSON; with the tokenizer itself.
            where: the file, for messages.

        Raises:
            UserError: it does not say, or the tokenizer is not the one that it names.
        """
        if FILE not in said:
            raise UserError(f"{where}: has no {FILE} in it, which its texts need; write it again with tickets shrink")
        try:
            values = {name: json.loads(said[name]) for name in cls.model_fields if name in said}
        except ValueError:
            raise UserError(f"{where}: what it says about its texts is not JSON; write it again") from None
        tokenizer = Tokenizer.of(said[FILE].encode())
        if values.get("tokenizer") != tokenizer.digest:
            raise UserError(f"{where}: its {FILE} was altered; write it again with tickets shrink")
        return parse(cls, {**values, "tokenizer": tokenizer}, where)

    def completed(self, folder: Path) -> Self:
        """Return these settings with the tokenizer that lies in a folder."""
        if self.tokenizer.is_complete:
            return self
        found = Tokenizer.read(folder / FILE)
        if found != self.tokenizer:
            raise UserError(f"{folder / FILE}: was altered: its digest is {found.digest}, not {self.tokenizer.digest}")
        return self.model_copy(update={"tokenizer": found})
