"""A text as words that can be exchanged or left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import final

from robust_tickets.tokens.tales import words

SingleOrPair = str | tuple[str, str]
"""A text, or a pair of texts."""

WORD = re.compile(r"(\w+(?:['’]\w+)*)")
"""Letters, digits and apostrophes between them: `well-known` is two words, `don't` is one."""

STOP_WORDS = frozenset(
    words("""
    a an the this that these those some any each every either neither both all no not nor none never only just too very
    i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers
    herself it its itself they them their theirs themselves who whom whose which what when where why how there here
    and but or if because as until while than then so though although of at by for with without about against between
    among into through during before after above below to from up down in out on off over under again further once
    am is are was were be been being have has had having do does did doing can could may might must shall should will
    would ought own same such other more most few s t d m n ll re ve don ain isn aren wasn weren hasn haven hadn doesn
    didn won wouldn couldn shouldn can't cannot don't isn't aren't wasn't weren't hasn't haven't hadn't doesn't didn't
    won't wouldn't couldn't shouldn't n't i'm you're he's she's it's we're they're i've you've we've they've i'd you'd
    he'd she'd we'd they'd i'll you'll he'll she'll we'll they'll that's there's what's who's let's
    """)
)
"""Words that hold sentences together, or deny; they are never exchanged."""


@final
class Wording:
    """One text, or a pair of texts of which the second can be changed. Whatever is between words stays as it is.

    Args:
        pieces: in turn what stands between words, possibly nothing, and a word; the first and the last are no words.
        first: the first text of a pair; None for a single text.
    """

    def __init__(self, pieces: Sequence[str], first: str | None = None) -> None:
        self.pieces, self.first = tuple(pieces), first

    @classmethod
    def of(cls, text: SingleOrPair) -> Wording:
        """Return the wording of a text, or of a pair of texts."""
        first, changeable = (None, text) if isinstance(text, str) else text
        return cls(WORD.split(changeable), first)

    @property
    def text(self) -> SingleOrPair:
        """The text, or the pair."""
        changeable = "".join(self.pieces)
        return changeable if self.first is None else (self.first, changeable)

    @property
    def words(self) -> tuple[str, ...]:
        """The words that can be changed, in order."""
        return self.pieces[1::2]

    def without(self, place: int) -> Wording:
        """Return the same without a word, and without a space beside it."""
        before, after = self.pieces[2 * place], self.pieces[2 * place + 2]
        if after[:1].isspace():
            after = after[1:]
        elif before[-1:].isspace():
            before = before[:-1]
        return Wording((*self.pieces[: 2 * place], before + after, *self.pieces[2 * place + 3 :]), self.first)

    def replaced(self, place: int, word: str) -> Wording:
        """Return the same with another word in place of one, written in capitals as that was."""
        at = 2 * place + 1
        return Wording((*self.pieces[:at], in_case_of(self.pieces[at], word), *self.pieces[at + 1 :]), self.first)


def in_case_of(model: str, word: str) -> str:
    """Return a lower-case word in capitals, or with its first letter as a capital, as another word is written."""
    if len(model) > 1 and model.isupper():
        return word.upper()
    return word[0].upper() + word[1:] if model[0].isupper() else word
