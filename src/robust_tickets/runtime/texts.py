"""From texts to a network's input: tokenised by the tokenizer in the file, cut, filled up; or tokens as they are given.

What `tokens/tokenizer.py` does to the texts of evaluation, without torch: exactly the same ids.
"""

import hashlib
import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robust_tickets.runtime.errors import RuntimeFileError, TextError
from robust_tickets.runtime.graph import TOKENS, Graph
from robust_tickets.runtime.images import as_array, like
from robust_tickets.runtime.rules.shapes import LARGEST_VOCABULARY

IDS, MASK, TYPES = TOKENS
TOKENIZER = "tokenizer.json"
"""The metadata that hold a tokenizer; `tokenizer` has its digest."""

Text = str | tuple[str, str]


class TokenRows(NamedTuple):
    """Texts as `TokenEngine` takes them."""

    rows: NDArray[np.float32]
    """[N, rows, 1, L]."""
    counts: NDArray[np.int64]
    """How many of the L are tokens, the first ones: [N], from 1 to L."""


@dataclass(frozen=True)
class TextPreparation:
    """How texts become a network's input.

    Attributes:
        names: what each row of the input holds, as `Graph.tokens` says.
        sizes: the numbers of each row are below; as many as the smallest table has rows that they are looked up in.
        length: most tokens of a text, special ones included; longer texts are cut.
        pad: id of the token that fills a batch up.
        tokenizer: the content of a `tokenizer.json`; None if there is none, so that only ids can be given.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    length: int
    pad: int = 0
    tokenizer: str | None = field(default=None, repr=False)

    def __call__(self, texts: Any) -> TokenRows:
        """Return texts as rows of numbers, filled up to the longest of them.

        Args:
            texts: a text; a pair of texts, as a tuple; a list of these; or what tokenizers of Hugging Face give,
                integer arrays or tensors [N, L] by name: `input_ids`, `attention_mask` (1 for tokens, 0 behind them;
                all ones if absent), and `token_type_ids` (all zeros if absent).

        Raises:
            TextError: there is no tokenizer, a text has no tokens, or arrays do not fit each other or the network.
            TypeError: not texts.
            ImportError: texts are given and the library tokenizers is not installed.
        """
        return self._read(texts) if isinstance(texts, Mapping) else self._encoded(listed(texts))

    @cached_property
    def core(self) -> Any:
        """The tokenizer of the library `tokenizers`, which cuts and does not fill up.

        Raises:
            TextError: the library cannot read it, or there is none.
            ImportError: the library is not installed.
        """
        if self.tokenizer is None:
            raise TextError(
                f"the file has no {TOKENIZER} in it, which texts need: give {' and '.join(self.names)}, int64 [N, L]"
            )
        try:
            tokenizers = importlib.import_module("tokenizers")
        except ImportError as error:
            raise ImportError(
                f"texts need the library tokenizers ({error}): pip install tokenizers; {IDS} [N, L] need nothing"
            ) from None
        try:
            core = tokenizers.Tokenizer.from_str(self.tokenizer)
        except Exception as error:  # the library raises plain exceptions
            raise TextError(
                f"its {TOKENIZER} is not one that tokenizers {tokenizers.__version__} reads ({error})"
            ) from None
        core.no_padding()
        core.enable_truncation(self.length)
        return core

    def _encoded(self, texts: Sequence[Text]) -> TokenRows:
        found = self.core.encode_batch(texts) if texts else []
        counts = np.array([len(one.ids) for one in found], np.int64)
        shape = (len(found), int(counts.max(initial=0)))
        values = {IDS: np.full(shape, self.pad, np.int64), TYPES: np.zeros(shape, np.int64)}
        for row, (one, count) in enumerate(zip(found, counts, strict=True)):
            values[IDS][row, :count] = one.ids
            values[TYPES][row, :count] = one.type_ids
        return self._stacked(values, counts)

    def _read(self, given: Mapping[str, Any]) -> TokenRows:
        known = [name for name in TOKENS if name in (*self.names, MASK)]
        for name in given:
            if name not in known:
                raise TextError(f"the network does not take {name!r}, but {', '.join(known)}; leave it out")
        if IDS not in given:
            raise TextError(f"{IDS} are missing; give them as integers [N, L]")
        values = {name: as_integers(name, one) for name, one in given.items()}
        shape = values[IDS].shape
        for name, one in values.items():
            if one.shape != shape:
                raise TextError(f"{name} has shape {list(one.shape)}; it should be that of {IDS}, {list(shape)}")
        values.setdefault(TYPES, np.zeros(shape, np.int64))
        return self._stacked(values, counted(values.get(MASK, np.ones(shape, np.int64))))

    def _stacked(self, values: dict[str, NDArray[np.int64]], counts: NDArray[np.int64]) -> TokenRows:
        """Return rows of numbers that have been made sure of."""
        longest = values[IDS].shape[1]
        if len(counts) and longest > self.length:
            raise TextError(
                f"the texts have {longest} tokens, but the network reads up to {self.length}; cut them, with "
                f"truncation=True and max_length={self.length} of their tokenizer"
            )
        if not counts.all():
            raise TextError(f"text {int(np.argmin(counts)) + 1} has no tokens; leave it out")
        values[MASK] = (np.arange(longest) < counts[:, None]).astype(np.int64)
        for name, size in zip(self.names, self.sizes, strict=True):
            one = values[name]
            if one.size and (one.min() < 0 or one.max() >= size):
                wrong = one.min() if one.min() < 0 else one.max()
                raise TextError(f"{name} has {wrong}; the network knows 0 to {size - 1}")
        rows = np.stack([values[name] for name in self.names], axis=1)
        return TokenRows(rows[:, :, None].astype(np.float32), counts)


def stated_texts(graph: Graph) -> TextPreparation:
    """Return how a file says texts become its input.

    Args:
        graph: with `tokens`.

    Raises:
        RuntimeFileError: what it says is not JSON, or of another network.
    """
    said, length = graph.metadata, graph.input_shape[-1]
    try:
        values = {name: json.loads(said[name]) for name in ("length", "pad", "tokenizer") if name in said}
    except (TypeError, ValueError):
        raise RuntimeFileError("what it says about its texts is not JSON; write it again") from None
    if values.get("length", length) != length:
        raise RuntimeFileError(f"states texts of {values['length']} tokens, but takes {length}; write it again")
    tokenizer, pad = said.get(TOKENIZER), values.get("pad", 0)
    if tokenizer is not None and "tokenizer" in values:
        digest = f"sha256:{hashlib.sha256(tokenizer.encode()).hexdigest()}"
        if values["tokenizer"] != digest:
            raise RuntimeFileError(f"its {TOKENIZER} is not the one that it states; write it again")
    sizes = tuple(_size(graph, row) for row in range(len(graph.tokens)))
    if type(pad) is not int or not 0 <= pad < sizes[graph.tokens.index(IDS)]:
        raise RuntimeFileError(f"states that {pad!r} fills its texts up, which is no token; write it again")
    return TextPreparation(graph.tokens, sizes, length, pad, tokenizer)


def listed(texts: Any) -> list[Text]:
    """Return texts and pairs of texts as a list.

    Raises:
        TypeError: it is something else.
        TextError: a text is not Unicode.
    """
    found = list(texts) if isinstance(texts, list) else [texts]
    for number, one in enumerate(found, 1):
        parts: Any = one if isinstance(one, tuple) and len(one) == 2 else (one,)
        if not all(isinstance(part, str) for part in parts):
            what = f"a tuple of {len(one)}" if isinstance(one, tuple) else type(one).__name__
            raise TypeError(
                f"text {number} is {what}; texts should be strings, pairs of strings as tuples, a list of these, or "
                f"integer arrays by name: {', '.join(TOKENS)}"
            )
        try:
            "".join(parts).encode()
        except UnicodeEncodeError:
            raise TextError(f"text {number} is not Unicode: it has half of a surrogate pair in it") from None
    return found


def as_integers(name: str, values: Any) -> NDArray[np.int64]:
    """Return an array or tensor of integers, or of truth values, as int64 [N, L].

    Raises:
        TypeError: it is no array.
        TextError: it is one of something else, or has other dimensions.
    """
    values = as_array(values)
    if not isinstance(values, np.ndarray):
        raise TypeError(
            f"{name} is {type(values).__name__}; it should be an integer array [N, L], as tokenizers give with "
            "return_tensors='np', or a tensor"
        )
    if not np.issubdtype(values.dtype, np.integer) and values.dtype != np.bool_:
        raise TextError(f"{name} is {values.dtype}; it should be integers")
    if values.ndim != 2:
        raise TextError(f"{name} has shape {list(values.shape)}; it should be [N, L]")
    return values.astype(np.int64)


def counted(mask: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many tokens each text has, [N], from a mask [N, L].

    Raises:
        TextError: it is not ones followed by zeros.
    """
    if not np.isin(mask, (0, 1)).all():
        raise TextError(f"{MASK} has other numbers than 1 for tokens and 0 for padding")
    gaps = (np.diff(mask, axis=1) > 0).any(axis=1)
    if gaps.any():
        raise TextError(
            f"{MASK} of text {int(np.argmax(gaps)) + 1} has a 1 behind a 0: pad on the right, as tokenizers do with "
            "padding_side='right'"
        )
    return mask.sum(axis=1)


def like_ids(given: Any, logits: NDArray[np.float32]) -> Any:
    """Return logits as a tensor on the device of the ids, where these are one."""
    return like(given[IDS], logits) if isinstance(given, Mapping) else logits


def _size(graph: Graph, row: int) -> int:
    """Return how many numbers a row may hold: as many as the smallest table that is asked for them has rows."""
    tables = [
        graph.weights[node.weights["table"]].shape[0]
        for node in graph.nodes
        if node.op == "embed" and node.inputs[0] == graph.input and node.attributes["row"] == row
    ]
    return min(tables, default=LARGEST_VOCABULARY)
