"""What goes into a language model: its tokenizer, from files or from Python, and what it says of special tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path, read_json, read_lines
from robust_tickets.foundation.settings import parse
from robust_tickets.models.adaptations.language.body import LanguageBody
from robust_tickets.models.adaptations.language.library import ENCODERS
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.tokens import TokenInput, Tokens
from robust_tickets.tokens.tales import corpus, teller_of
from robust_tickets.tokens.tokenizer import FILE, Tokenizer
from robust_tickets.tokens.vocabulary import trained_tokenizer

USUAL_LENGTH = 512
"""Most tokens of a text unless something says otherwise; attention costs the square of it."""

USUAL_VOCABULARY: int = SourceSettings.model_fields["vocabulary_size"].default

TALES = "tales"
"""The name of the built-in texts, from which a vocabulary may be learned."""

TOLD = 4000
"""Texts of the built-in corpus."""

SPELLINGS = {"pad_token": ("[PAD]", "<pad>"), "mask_token": ("[MASK]", "<mask>")}
"""Special tokens as tokenizers have them whose files do not name them."""

SAYS = ("tokenizer_config.json", "special_tokens_map.json")
"""Files beside a `tokenizer.json` that name special tokens and the longest text."""

SLOW = ("vocab.txt", "vocab.json", "spm.model", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model")
"""Files of tokenizers without a `tokenizer.json`."""


@dataclass(frozen=True)
class TokenizerFound:
    """A tokenizer, and what is said beside it."""

    tokenizer: Tokenizer
    special: Mapping[str, str] = field(default_factory=dict)
    """`pad_token` and `mask_token`, as far as they are named."""
    longest: int | None = None
    """Most tokens of a text."""
    notes: tuple[str, ...] = ()


def tokenizer_in(folder: Path) -> TokenizerFound:
    """Return the tokenizer in a folder of transformers, or of ours.

    Raises:
        UserError: there is no `tokenizer.json`; says how to make one.
    """
    if not (folder / FILE).is_file():
        if slow := next((name for name in SLOW if (folder / name).is_file()), None):
            raise UserError(
                f"{folder}: has {slow} but no {FILE}; make one with transformers: "
                f"AutoTokenizer.from_pretrained({str(folder)!r}).save_pretrained({str(folder)!r})"
            )
        raise UserError(f"{folder}: has no {FILE}, which a text network needs; give it as `tokenizer: path`")
    special: dict[str, str] = {}
    longest = None
    for name in SAYS:
        content = read_json(folder / name) if (folder / name).is_file() else {}
        for key in SPELLINGS:
            said = content.get(key) if isinstance(content, dict) else None
            text = said.get("content") if isinstance(said, dict) else said
            if isinstance(text, str):
                special.setdefault(key, text)
        most = content.get("model_max_length") if isinstance(content, dict) else None
        longest = int(most) if isinstance(most, int | float) and 0 < most < 1e9 else longest
    return TokenizerFound(Tokenizer.read(folder / FILE), special, longest)


def tokenizer_at(place: str | Path, vocabulary_size: int) -> TokenizerFound:
    """Return the tokenizer that a setting means: a `tokenizer.json`, a folder with one, or texts to learn one from.

    Raises:
        UserError: there is nothing of the kind.
    """
    path = given_path(str(place))
    if place == TALES and not path.exists():
        return _learned(corpus(teller_of("corpus", "train", 0), TOLD), vocabulary_size, f"{TOLD} built-in tales")
    if path.is_dir():
        return tokenizer_in(path)
    if not path.is_file():
        raise UserError(
            f"tokenizer: no such file {str(place)!r}; give a tokenizer.json, or a text file to learn one from"
        )
    if path.suffix == ".json":
        return tokenizer_in(path.parent) if path.name == FILE else TokenizerFound(Tokenizer.read(path))
    texts = [line for line in read_lines(path) if line]
    if not texts:
        raise UserError(f"tokenizer: {path} has no text in it to learn a vocabulary from")
    return _learned(texts, vocabulary_size, f"the {len(texts)} lines of {path.name}")


def _learned(texts: Sequence[str], size: int, what: str) -> TokenizerFound:
    """Return a tokenizer that is learned from texts."""
    tokenizer = trained_tokenizer(texts, size)
    return TokenizerFound(tokenizer, notes=(f"vocabulary: {tokenizer.size} tokens, learned from {what}",))


def tokenizer_given(given: Any) -> TokenizerFound:
    """Return a tokenizer that was given from Python: ours, a path, or a fast one of transformers or tokenizers.

    Raises:
        UserError: it is something else.
    """
    if isinstance(given, Tokenizer):
        return TokenizerFound(given)
    if isinstance(given, str | Path):
        path = given_path(str(given))
        return tokenizer_in(path) if path.is_dir() else tokenizer_at(path, USUAL_VOCABULARY)
    core = getattr(given, "backend_tokenizer", given)
    if not hasattr(core, "to_str"):
        raise UserError(
            f"tokenizer: a {type(given).__name__} has no {FILE}; give a fast tokenizer of transformers, or a path"
        )
    from tokenizers import Tokenizer as Core

    plain = Core.from_str(core.to_str())
    plain.no_truncation()
    plain.no_padding()
    special = {key: text for key in SPELLINGS if isinstance(text := getattr(given, key, None), str)}
    longest = getattr(given, "model_max_length", None)
    return TokenizerFound(
        Tokenizer.of(plain.to_str().encode()), special, longest if longest is not None and longest < 1e9 else None
    )


def special_id(found: TokenizerFound, key: str) -> int | None:
    """Return the id of the token for padding or for masks; None if there is none."""
    names = (found.special[key],) if key in found.special else SPELLINGS[key]
    return next((number for name in names if (number := found.tokenizer.id_of(name)) is not None), None)


def tokens_for(body: LanguageBody, found: TokenizerFound, where: str) -> tuple[Tokens, tuple[str, ...]]:
    """Return what goes into a body with a tokenizer, and what is worth noting.

    Args:
        body: the language model.
        found: its tokenizer.
        where: what messages call both.

    Raises:
        UserError: the tokenizer does not belong to the network: it has more tokens than that has embeddings, or
            another id for padding than that counts positions from.
    """
    settings = body.held.config
    pad = special_id(found, "pad_token")
    pad = settings.pad_token_id if pad is None else pad
    if pad is None:
        raise UserError(f"{where}: neither the tokenizer nor config.json names the token for padding")
    if ENCODERS[settings.model_type].counts_from_padding and pad != settings.pad_token_id:
        raise UserError(
            f"{where}: the tokenizer pads with id {pad}, but the network counts positions from id "
            f"{settings.pad_token_id} on; give the tokenizer that belongs to these weights"
        )
    inputs: tuple[TokenInput, ...] = ("input_ids", "attention_mask")
    if (getattr(settings, "type_vocab_size", 0) or 0) > 1:
        inputs = (*inputs, "token_type_ids")
    values = {
        "length": min(body.longest, found.longest or USUAL_LENGTH, USUAL_LENGTH),
        "vocabulary": settings.vocab_size,
        "tokenizer": found.tokenizer,
        "pad": pad,
        "mask": special_id(found, "mask_token"),
        "inputs": inputs,
    }
    notes = found.notes
    if (size := found.tokenizer.size) < settings.vocab_size:
        notes += (f"vocabulary: the tokenizer knows {size:,} tokens, the network has room for {settings.vocab_size:,}",)
    return parse(Tokens, values, where), notes
