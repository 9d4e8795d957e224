"""How tags of words are scored: F1 over whole names, as CoNLL-2003's conlleval and seqeval have it; or accuracy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, final

from robust_tickets.foundation.lazy import torch
from robust_tickets.measures.set_metric import SetMetric

if TYPE_CHECKING:
    from torch import Tensor

OUTSIDE = "O"
NAME_TAG = re.compile(r"([BIESLU])-(.+)")
"""B begins a name, I goes on, E or L ends it, S or U is one alone."""

Name = tuple[str, int, int]
"""Kind of a name, its first and its last word."""


def marks_names(tags: Sequence[str]) -> bool:
    """Return whether tags mark names: each is O, or one of `NAME_TAG`."""
    return any(tag != OUTSIDE for tag in tags) and all(tag == OUTSIDE or NAME_TAG.fullmatch(tag) for tag in tags)


def names_in(tags: Sequence[str]) -> Iterator[Name]:
    """Yield the names that the tags of a text mark, by conlleval's rules.

    A name that begins without a B counts: after O, after the end of a name, or where the kind changes.
    """
    before, kind, first = OUTSIDE, "", 0
    for place, tag in enumerate([*tags, OUTSIDE]):
        matched = NAME_TAG.fullmatch(tag)
        mark, of = matched.groups() if matched else (OUTSIDE, "")
        ended = before in "ESLU" or mark in "BSUO" or of != kind
        if before != OUTSIDE and ended:
            yield kind, first, place - 1
        if mark != OUTSIDE and (before == OUTSIDE or ended):
            first = place
        before, kind = mark, of


def sequences(outputs: Tensor, targets: Tensor, classes: Sequence[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield of each text the given and the asked tags of its words: logits [N, L, C], targets [N, L], -100 for none."""
    given, asked = outputs.argmax(-1).cpu(), targets.cpu()
    for ours, theirs in zip(given, asked, strict=True):
        counts = theirs >= 0
        said, right = ([str(classes[tag]) for tag in tags[counts].tolist()] for tags in (ours, theirs))
        yield said, right


@final
class NameF1(SetMetric):
    """F1 over all names of a set: one counts if its kind, first and last word are right (micro average).

    Kept is int64 [kinds, 3]: of each kind of name how many were found rightly, given, and asked for.
    """

    name: str = "F1 of names"
    key: ClassVar[str] = "name_f1"

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__(classes)
        self.kinds = sorted({matched[2] for tag in classes if (matched := NAME_TAG.fullmatch(tag))})

    def of_batch(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Count the names of a batch."""
        total = torch.zeros(len(self.kinds), 3, dtype=torch.long)
        row = {kind: number for number, kind in enumerate(self.kinds)}
        for given, asked in sequences(outputs, targets, self.classes):
            ours, theirs = set(names_in(given)), set(names_in(asked))
            for column, names in enumerate((ours & theirs, ours, theirs)):
                for kind, _, _ in names:
                    total[row[kind], column] += 1
        return total

    def value(self, measured: Tensor) -> float:
        """Return F1; 0 where there is no name."""
        return f1_of(measured.sum(0))

    def packed(self, measured: Tensor) -> dict[str, Any]:
        """Return F1, that of each kind of name, and the counts."""
        each = dict(zip(self.kinds, map(f1_of, measured), strict=True))
        return {self.key: self.value(measured), "f1_of": each, "counts": measured.tolist()}

    def unpacked(self, values: dict[str, Any]) -> Tensor:
        """Undo `packed`."""
        return torch.tensor(values["counts"], dtype=torch.long)


def f1_of(counts: Tensor) -> float:
    """Return F1 of right, given and asked, [3]."""
    right, given, asked = counts.tolist()
    return 2 * right / (given + asked) if given + asked else 0.0


@final
class WordAccuracy(SetMetric):
    """The fraction of words whose tag is right; kept are the right ones and all of them, int64 [2]."""

    name: str = "accuracy of words"
    key: ClassVar[str] = "word_accuracy"

    def of_batch(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Count the words of a batch: logits [N, L, classes], targets [N, L], -100 where none is asked for."""
        right = (outputs.argmax(-1) == targets).sum()
        return torch.stack([right, (targets >= 0).sum()]).cpu()

    def value(self, measured: Tensor) -> float:
        """Return the fraction."""
        right, words = measured.tolist()
        return right / max(1, words)

    def packed(self, measured: Tensor) -> dict[str, Any]:
        """Return the fraction and the counts."""
        right, words = measured.tolist()
        return {self.key: self.value(measured), "right": right, "words": words}

    def unpacked(self, values: dict[str, Any]) -> Tensor:
        """Undo `packed`."""
        return torch.tensor([values["right"], values["words"]])
