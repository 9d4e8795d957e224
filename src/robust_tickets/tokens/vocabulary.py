"""A tokenizer trained on texts: byte-level BPE, between BERT's special tokens."""

from __future__ import annotations

from collections.abc import Iterable

from robust_tickets.foundation.errors import UserError
from robust_tickets.tokens.tokenizer import Tokenizer

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""BERT's special tokens; their ids are their places here."""


def trained_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """Return an uncased byte-level BPE tokenizer (Radford et al., 2019) with a vocabulary learned from texts.

    The same texts give the same tokenizer, bit for bit. (The library's WordPiece trainer numbers the same texts' tokens
    differently at every call, and may choose others.) Every text can be written in its tokens.

    Args:
        texts: what it is learned from.
        size: most tokens of the vocabulary, special ones and the 256 bytes included.

    Raises:
        UserError: the library `tokenizers` is missing.
    """
    try:
        from tokenizers import Tokenizer as Core
        from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
    except ImportError:
        raise UserError("texts need the library tokenizers; pip install 'robust-tickets[text]'") from None
    core = Core(models.BPE())
    core.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    ends = [(token, SPECIAL.index(token)) for token in ("[CLS]", "[SEP]")]
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    return Tokenizer.of(core.to_str().encode())
