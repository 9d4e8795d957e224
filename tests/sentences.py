"""A small tokenizer, and what a language model asks of texts."""

from functools import cache

from robust_tickets.tokens.format import TokenFormat
from robust_tickets.tokens.vocabulary import trained_tokenizer

WORDS = "the a cat dog fox sat ran on under mat log good bad dull fine film plot who what where is it not"


@cache
def token_format(length: int = 32) -> TokenFormat:
    """Return a format of texts of up to this many tokens."""
    tokenizer = trained_tokenizer([WORDS] * 3, 400)
    names = ("input_ids", "attention_mask", "token_type_ids")
    return TokenFormat(tokenizer, length, tokenizer.size, 0, 4, names)
