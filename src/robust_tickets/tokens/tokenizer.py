"""A fast tokenizer: the content of a `tokenizer.json`, known by its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import torch

if TYPE_CHECKING:
    from tokenizers import Encoding
    from torch import Tensor

FILE = "tokenizer.json"
"""Its name in every folder of the Hugging Face Hub, and in ours."""

DIGEST = "sha256:"


class Tokenizer:
    """Texts to token ids, as Hugging Face's `tokenizers` does it.

    In settings it is written as its digest alone; its content travels beside them as `tokenizer.json`.

    Args:
        digest: `sha256:...` over the content.
        content: the bytes of a `tokenizer.json`; None if only the digest is known yet.
    """

    def __init__(self, digest: str, content: bytes | None = None) -> None:
        self.digest, self._content = digest, content

    @classmethod
    def of(cls, content: bytes) -> Tokenizer:
        """Return the tokenizer of a content."""
        return cls(f"{DIGEST}{hashlib.sha256(content).hexdigest()}", content)

    @classmethod
    def read(cls, file: Path) -> Tokenizer:
        """Return the tokenizer in a file.

        Raises:
            UserError: there is no such file, or it is not one that `tokenizers` reads.
        """
        try:
            found = cls.of(file.read_bytes())
        except OSError as error:
            raise UserError(f"{file}: {error.strerror or error}; a text network needs its {FILE}") from None
        try:
            _ = found.core
        except UserError as error:
            raise UserError(f"{file}: {error}") from None
        return found

    @property
    def content(self) -> bytes:
        """The bytes of its `tokenizer.json`."""
        assert self._content is not None, "settings are completed from their folder before they are used"
        return self._content

    @property
    def is_complete(self) -> bool:
        """Whether its content is known, and not only its digest."""
        return self._content is not None

    @cached_property
    def core(self) -> Any:
        """The tokenizer of the library `tokenizers`; it neither cuts nor pads.

        Raises:
            UserError: the library is missing, or cannot read the content.
        """
        try:
            import tokenizers
        except ImportError:
            raise UserError("texts need the library tokenizers; pip install 'robust-tickets[text]'") from None
        try:
            core = tokenizers.Tokenizer.from_str(self.content.decode())
        except Exception as error:  # the library raises plain exceptions
            said = " ".join(str(error).split())
            raise UserError(f"is not a tokenizer that tokenizers {tokenizers.__version__} reads ({said})") from None
        core.no_truncation()
        core.no_padding()
        return core

    @property
    def size(self) -> int:
        """One more than the largest id that it gives."""
        return max(self.core.get_vocab(with_added_tokens=True).values(), default=-1) + 1

    @cached_property
    def special(self) -> frozenset[int]:
        """Ids of the special tokens."""
        return frozenset(number for number, token in self.core.get_added_tokens_decoder().items() if token.special)

    def is_special(self, ids: Tensor) -> Tensor:
        """Return where ids are those of special tokens, bool of their shape."""
        return torch.isin(ids, torch.tensor(sorted(self.special), dtype=ids.dtype, device=ids.device))

    def encode(self, texts: Sequence[Any], length: int, *, stride: int | None = None) -> list[Encoding]:
        """Return the encoding of each text or pair of texts, special tokens included.

        Args:
            texts: strings, or pairs of strings; or lists of words, whose `word_ids` then tell which token is of which.
            length: most tokens of an encoding. Of a pair the longer text is cut first.
            stride: with it, a second text that is too long is not cut but goes on in `overflowing`, which begins so
                many tokens before the first one ended.
        """
        if stride is None:
            self.core.enable_truncation(length)
        else:
            self.core.enable_truncation(length, stride=stride, strategy="only_second")
        try:
            words = bool(texts) and isinstance(texts[0], list)
            return self.core.encode_batch(texts, is_pretokenized=words)
        finally:
            self.core.no_truncation()

    def id_of(self, token: str) -> int | None:
        """Return the id of a token, None if there is no such token."""
        return self.core.token_to_id(token)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, without special tokens."""
        return self.core.decode(list(ids))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokenizer) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Tokenizer({self.digest[:19]})"

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs."""
        return {"digest": self.digest, "_content": self._content}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tokenizer:
        return self

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read a digest or a tokenizer, and write the digest."""
        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(cls, core_schema.str_schema(pattern=DIGEST)),
            python_schema=core_schema.union_schema(
                [
                    core_schema.is_instance_schema(cls),
                    core_schema.no_info_after_validator_function(cls, core_schema.str_schema(pattern=DIGEST)),
                ]
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda tokenizer: tokenizer.digest, return_schema=core_schema.str_schema()
            ),
        )
