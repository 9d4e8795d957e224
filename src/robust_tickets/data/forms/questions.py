"""Questions, the contexts that answer them, and the answers, in columns of a table."""

from collections.abc import Mapping
from typing import Any

from robust_tickets.data.examples import Found, Listing
from robust_tickets.data.forms.form import Columns
from robust_tickets.data.forms.text_table import TextTable
from robust_tickets.data.names import PartName
from robust_tickets.data.targets.answers import Answer, Answers
from robust_tickets.data.texts.questions import Questions
from robust_tickets.foundation.errors import UserError

QUESTION, CONTEXT, ANSWERS = COLUMNS = ("question", "context", "answers")


def questions_in(tables: Mapping[PartName, TextTable], columns: Columns, place: str, name: str) -> Found | None:
    """Return the questions of tables that have SQuAD's columns; None if they have not, or other ones are named.

    Where a network trains, questions are left out of which no answer occurs in the context.

    Raises:
        UserError: a question has no answer, or a column holds something else.
    """
    if columns.named or not all(table.has(COLUMNS) for table in tables.values()):
        return None
    parts: dict[PartName, Listing] = {}
    notes: list[str] = []
    for part, table in tables.items():
        pairs = list(zip(table.texts(QUESTION), table.texts(CONTEXT), strict=True))
        answers = [
            answers_of(said, pairs[index][1], table.where(index)) for index, said in enumerate(table.values(ANSWERS))
        ]
        lost = {index for index, each in enumerate(answers) if all(start < 0 for _, start in each)}
        trains = part == "train" or len(tables) == 1
        if lost:
            then = "left out" if trains else "which nobody can find"
            notes.append(f"{len(lost):,} answers of the {part} part do not occur in their contexts, {then}")
        kept = [index for index in range(table.count) if not (trains and index in lost)]
        if not kept:
            raise UserError(f"{place}: none of the answers of the {part} part occurs in its context")
        chosen = Answers([answers[index] for index in kept])
        parts[part] = Listing.whole(Questions([pairs[index] for index in kept]), chosen)
    return Found(parts, (), name, notes=tuple(notes))


def answers_of(said: Any, context: str, where: str) -> list[Answer]:
    """Return the answers to a question, each with the place in the context at which it stands.

    Args:
        said: `{"text": [...], "answer_start": [...]}`, a list of such with one text each, or a list of texts.
        context: the text that answers the question.
        where: the question, for messages.

    Raises:
        UserError: it is none of these, or there is no answer.
    """
    if isinstance(said, Mapping):
        texts, starts = said.get("text"), said.get("answer_start")
        pairs = list(zip(texts, starts, strict=False)) if isinstance(texts, list) and isinstance(starts, list) else None
    elif isinstance(said, list | tuple):
        pairs = [
            (one.get("text"), one.get("answer_start")) if isinstance(one, Mapping) else (one, None) for one in said
        ]
    else:
        pairs = None
    texts = [(text, begin) for text, begin in pairs or [] if isinstance(text, str)]
    if pairs is None or len(texts) < len(pairs):
        raise UserError(f"{where}: has the answers {str(said)[:60]!r}; give texts, and where they begin")
    answers = [(text, start_of(text, begin, context)) for text, begin in texts if text.strip()]
    if not answers:
        raise UserError(
            f"{where}: has no answer; questions that have none (SQuAD 2.0) are not supported, so leave them out"
        )
    return answers


def start_of(text: str, begin: Any, context: str) -> int:
    """Return where an answer stands in a context: where it is said to, or else where it is found first; or -1."""
    if isinstance(begin, int) and begin >= 0 and context[begin : begin + len(text)] == text:
        return begin
    return context.find(text)
