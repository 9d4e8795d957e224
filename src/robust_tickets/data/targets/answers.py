"""Answers: where in its context each question is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from robust_tickets.data.examples import Listing
from robust_tickets.data.settings import DataSettings
from robust_tickets.data.targets.targets import zeros
from robust_tickets.data.targets.text_targets import TextTargets
from robust_tickets.data.texts.questions import Questions
from robust_tickets.data.texts.windows import Windows
from robust_tickets.tokens.format import TokenFormat

Answer = tuple[str, int]
"""A text, and the character of the context at which it begins; -1 if it does not occur there."""


class Answers(TextTargets):
    """The answers to each question, of which the first that occurs in the context is trained on.

    Args:
        answers: one or more to each question.
    """

    kind: ClassVar[str] = "answers"
    words: ClassVar[str] = "asks questions about texts"
    noun: ClassVar[str] = "answers"

    def __init__(self, answers: Sequence[Sequence[Answer]]) -> None:
        self.answers = list(answers)

    @property
    def balance(self) -> Tensor:
        """All 0."""
        return zeros(len(self.answers))

    @classmethod
    def presented(cls, part: Listing, fit: TokenFormat, settings: DataSettings) -> Listing:
        """Return the windows of the chosen questions."""
        assert isinstance(part.inputs, Questions)
        assert isinstance(part.targets, Answers)
        windows = part.inputs.windows(fit, settings.stride)
        chosen = torch.isin(windows.questions, part.indices).nonzero().flatten()
        return Listing(windows, WindowAnswers(windows, part.inputs, part.targets), chosen)

    def single(self, index: int, fit: TokenFormat, keep: bool) -> Any:
        """Return the answers to a question."""
        return self.answers[index]

    def collated(self, targets: Sequence[Any]) -> list[Any]:
        """Return answers as they are."""
        return list(targets)

    def fingerprints(self, indices: Tensor) -> list[str]:
        """Return the answers."""
        return [repr(self.answers[index]) for index in indices.tolist()]


class WindowAnswers(TextTargets):
    """Where the answer is in each window, and what is needed to judge what a network answers.

    Args:
        windows: of all questions.
        questions: whose they are.
        answers: to these.
    """

    kind: ClassVar[str] = Answers.kind
    words: ClassVar[str] = Answers.words
    noun: ClassVar[str] = Answers.noun

    def __init__(self, windows: Windows, questions: Questions, answers: Answers) -> None:
        self.windows, self.questions, self.answers = windows, questions, answers

    @property
    def balance(self) -> Tensor:
        """All 0."""
        return zeros(len(self.windows))

    def single(self, index: int, fit: TokenFormat, keep: bool) -> dict[str, Any]:
        """Return the answer's first and last token, and what else there is to a window; see `collated`."""
        question = int(self.windows.questions[index])
        answers, places = self.answers.answers[question], self.windows.places_of(index)
        return {
            "span": span_of(next((answer for answer in answers if answer[1] >= 0), None), places),
            "question": torch.tensor(question),
            "places": places,
            "context": self.questions.pairs[question][1],
            "answers": [text for text, _ in answers],
        }

    def collated(self, targets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return, by name, of the windows of a batch:

        `span`, int64 `(n, 2)`: the answer's first and last token, both 0 where it is not in the window; `question`,
        int64 `(n,)`: the question's number; `places`, int64 `(n, L, 2)`: the characters of the context that each token
        stands for, -1 where it is of none; `context` and `answers`, lists of texts.
        """
        return {
            "span": torch.stack([one["span"] for one in targets]),
            "question": torch.stack([one["question"] for one in targets]),
            "places": pad_sequence([one["places"] for one in targets], True, -1),
            "context": [one["context"] for one in targets],
            "answers": [one["answers"] for one in targets],
        }

    def fingerprints(self, indices: Tensor) -> list[str]:
        """Return the answers to each window's question."""
        return self.answers.fingerprints(self.windows.questions[indices])


def span_of(answer: Answer | None, places: Tensor) -> Tensor:
    """Return the first and the last token of an answer, int64 `(2,)`; both 0 where it is not wholly among them.

    Args:
        answer: None if it does not occur in the context.
        places: int64 `(L, 2)`, the characters that tokens stand for, from and up to.
    """
    nowhere = torch.zeros(2, dtype=torch.long)
    if answer is None:
        return nowhere
    begin, end = answer[1], answer[1] + len(answer[0])
    touched = ((places[:, 0] < end) & (places[:, 1] > begin) & (places[:, 0] >= 0)).nonzero().flatten()
    if not len(touched) or places[touched[0], 0] > begin or places[touched[-1], 1] < end:
        return nowhere
    return torch.stack([touched[0], touched[-1]])
