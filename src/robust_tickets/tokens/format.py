"""What a language model expects of texts, as far as whoever feeds it has to know."""

from dataclasses import dataclass

from robust_tickets.tokens.tokenizer import Tokenizer


@dataclass(frozen=True)
class TokenFormat:
    """How texts become the tensors of a language model.

    Attributes:
        tokenizer: from texts to ids.
        length: most tokens of an input, special ones included.
        vocabulary: one more than the largest id that the network knows.
        pad: id of the token that fills a batch up.
        mask: id of the token that hides a word; None if there is none.
        names: of the tensors that the network takes: input_ids, attention_mask, token_type_ids.
    """

    tokenizer: Tokenizer
    length: int
    vocabulary: int
    pad: int
    mask: int | None
    names: tuple[str, ...]

    @property
    def facts(self) -> tuple[object, ...]:
        """What decides which ids a text becomes, for digests."""
        return self.tokenizer.digest, self.length, self.pad, self.mask, self.names

    @property
    def words(self) -> str:
        """The longest text, for readers."""
        return f"texts of up to {self.length} tokens"
