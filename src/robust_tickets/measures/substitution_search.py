"""The search for words whose synonyms mislead a classifier: greedy, the most important words first."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from robust_tickets.foundation.lazy import torch
from robust_tickets.measures.synonyms import Synonyms
from robust_tickets.measures.wording import STOP_WORDS, SingleOrPair, Wording

if TYPE_CHECKING:
    from torch import Tensor

DECIMALS = 4
"""To which log odds are compared: what padding changes in them is less, and decides nothing."""


class Standing(NamedTuple):
    """How sure a network is of the true class of a text."""

    odds: float
    """Logarithm of the true class's probability over that of all others together."""
    is_right: bool
    """Whether the true class is the one predicted."""


class Substituted(NamedTuple):
    """What became of the attack on one text."""

    withstood: bool
    """Whether the true class is still the one predicted."""
    queries: int
    """Texts that the network was asked about, the text as it was included."""
    changed: int
    """Words that were exchanged."""
    words: int
    """Words that the text has."""


Asking = Generator[Sequence[SingleOrPair], Sequence[Standing], Substituted]
"""A search, which yields texts, is sent how the network stands to each, and returns what became of its own."""


def substitution_search(text: Wording, standing: Standing, synonyms: Synonyms, share: float, candidates: int) -> Asking:
    """Attack one text by the synonyms of its words (Jin et al. 2020, without its filters by other networks).

    Words are tried in the order of their importance: how much less probable the true class is without them. Each is
    replaced, once, by the synonym that makes the true class least probable, if any makes it less probable than before;
    one that makes the prediction wrong is preferred to all others. Where words or synonyms do the same, the first one
    is taken. Stop words stay, and words without synonyms; these are not asked about.

    Args:
        text: whose true class the network predicts.
        standing: how the network stands to the text as it is.
        synonyms: of words.
        share: of the text's words, stop words included, that may be exchanged, in (0, 1]; at least one may be.
        candidates: most synonyms that are tried for a word.

    Returns:
        The search; see `Asking`.
    """
    options = {place: synonyms.of(word)[:candidates] for place, word in enumerate(text.words) if is_free(word)}
    places = [place for place, words in options.items() if words]
    most = budget(share, len(text.words))
    queries, changed, total = 1 + len(places), 0, len(text.words)
    importance = (yield [text.without(place).text for place in places]) if places else ()
    # Sorting keeps the order of equals.
    for _, place in sorted(zip(importance, places, strict=True), key=lambda pair: pair[0].odds):
        if changed == most or not standing.is_right:
            break
        tried = [text.replaced(place, word) for word in options[place]]
        found = yield [wording.text for wording in tried]
        queries += len(tried)
        best = min(range(len(tried)), key=lambda number: (found[number].is_right, found[number].odds))
        if not found[best].is_right or found[best].odds < standing.odds:
            text, standing, changed = tried[best], found[best], changed + 1
    return Substituted(standing.is_right, queries, changed, total)


def is_free(word: str) -> bool:
    """Return whether a word may be exchanged, if it has synonyms."""
    return word.lower().replace("’", "'") not in STOP_WORDS


def budget(share: float, words: int) -> int:
    """Return how many of the words of a text may be exchanged: the share, rounded down, but at least one."""
    # A hundredth of a word is nothing to anybody but to floating-point numbers.
    return max(1, int(share * words + 1e-6))


def standings(logits: Tensor, labels: Tensor) -> list[Standing]:
    """Return how a network stands to the true class of each text.

    Args:
        logits: `[N, C]`, C at least 2.
        labels: int64 `[N]`.
    """
    values = logits.double()
    others = values.scatter(1, labels[:, None], float("-inf"))
    odds = values.gather(1, labels[:, None])[:, 0] - others.logsumexp(1)
    right = values.argmax(1) == labels
    return list(map(Standing, torch.round(odds, decimals=DECIMALS).tolist(), right.tolist()))
