"""Synonyms: which words may stand for which."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import final

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_lines
from robust_tickets.tokens.tales import ALIKE


@final
class Synonyms:
    """Pairs of words, each of which may stand for the other, whatever their case.

    Args:
        pairs: of them; a word's synonyms keep the order of the pairs.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        found: dict[str, dict[str, None]] = {}
        for one, other in pairs:
            one, other = one.lower(), other.lower()
            if one != other:
                found.setdefault(one, {})[other] = None
                found.setdefault(other, {})[one] = None
        self._of = {word: tuple(others) for word, others in found.items()}

    @classmethod
    def read(cls, path: Path) -> Synonyms:
        """Return the pairs in a file of two words a line; empty lines are skipped.

        Raises:
            UserError: there is no such file, it is not UTF-8 text, a line has more or fewer words, or there is none.
        """
        if not path.is_file():
            raise UserError(
                f"{path}: no such file; synonyms come from a file of two words a line, or are `tales`, those of the "
                "built-in texts"
            )
        pairs: list[tuple[str, str]] = []
        for number, line in enumerate(read_lines(path), 1):
            match line.split():
                case []:
                    continue
                case [one, other]:
                    pairs.append((one, other))
                case words:
                    raise UserError(
                        f"{path}, line {number}: has {len(words)} word{'s' * (len(words) > 1)}; write two synonyms, "
                        "separated by a space"
                    )
        if not pairs:
            raise UserError(f"{path}: contains no words; write two synonyms a line, separated by a space")
        return cls(pairs)

    @classmethod
    def of_tales(cls) -> Synonyms:
        """Return those of the built-in texts, whose world has three kinds of adjectives."""
        return cls(pair for group in ALIKE for pair in combinations(group, 2))

    def of(self, word: str) -> tuple[str, ...]:
        """Return the synonyms of a word, lower case, those of the first pairs first; none if it has none."""
        return self._of.get(word.lower(), ())
