"""Built-in texts as data: a corpus and two labelled sets, told by `tokens/tales.py`."""

from collections.abc import Callable, Sequence

import torch

from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.settings import TaleSettings
from robust_tickets.data.targets.class_numbers import ClassNumbers
from robust_tickets.data.targets.hidden_words import HiddenWords
from robust_tickets.data.texts.texts import Texts
from robust_tickets.tokens.tales import MOODS, TOPICS, Teller, corpus, mood_texts, teller_of, topic_texts

CORPUS_SHARE = 4
"""Test texts are a quarter as many as training texts."""


def read_tales(settings: TaleSettings) -> Found:
    """Return the corpus, with a test part a quarter as large."""
    parts = {}
    for part, count in (("train", settings.count), ("test", settings.count // CORPUS_SHARE)):
        texts = corpus(teller_of("corpus", part, settings.seed), count)
        parts[part] = Listing.whole(Texts(texts), HiddenWords(len(texts)))
    return Found(parts, (), "tales")


Maker = Callable[[Teller, int], tuple[list[str], list[int]]]
"""What makes so many texts, and their class numbers."""


def read_labelled(name: str, make: Maker, classes: Sequence[str], settings: TaleSettings) -> Found:
    """Return a labelled set, with a test part a quarter as large."""
    parts = {}
    for part, count in (("train", settings.count), ("test", settings.count // CORPUS_SHARE)):
        texts, labels = make(teller_of(name, part, settings.seed), count)
        parts[part] = Listing.whole(Texts(texts), ClassNumbers(torch.tensor(labels)))
    return Found(parts, tuple(classes), name)


def read_topics(settings: TaleSettings) -> Found:
    """Return texts labelled with what they are about."""
    return read_labelled("tale-topics", topic_texts, tuple(TOPICS), settings)


def read_moods(settings: TaleSettings) -> Found:
    """Return texts labelled with whether they speak well of something."""
    return read_labelled("tale-moods", mood_texts, MOODS, settings)
