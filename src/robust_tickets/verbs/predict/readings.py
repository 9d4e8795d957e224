"""What the logits of each of a language model's heads mean."""

from torch import Tensor

from robust_tickets.data.settings import DataSettings
from robust_tickets.data.texts.questions import Questions
from robust_tickets.foundation.errors import UserError
from robust_tickets.measures.answering import best_span
from robust_tickets.verbs.predict.answers import AnswerPrediction
from robust_tickets.verbs.predict.asked import AskedTexts
from robust_tickets.verbs.predict.hidden_words import HiddenWordPrediction
from robust_tickets.verbs.predict.labels import TextLabels, ranked
from robust_tickets.verbs.predict.numbers import NumberPrediction
from robust_tickets.verbs.predict.predictions import Predictions
from robust_tickets.verbs.predict.tagged_words import TaggedPrediction

STRIDE: int = DataSettings.model_fields["stride"].default
"""Tokens that the windows of a long context share."""


def labelled(asked: AskedTexts) -> Predictions:
    """Return the most probable classes of each text or pair; where there is but one output, it is a number."""
    asked.given.require(f"{asked.name} labels texts", (str, tuple), "give strings, or pairs of strings")
    tokens = asked.tokenised(asked.given.texts)
    rows: list[TextLabels | NumberPrediction] = []
    for number, (text, logits) in enumerate(zip(asked.given.texts, asked.logits(tokens), strict=True), 1):
        if asked.outputs == 1:
            rows.append(NumberPrediction(number, text, float(logits[0])))
        else:
            rows.append(TextLabels(number, text, *ranked(logits[None].numpy(), asked.classes, asked.top)[0]))
    return asked.predictions(rows, tokens)


def tagged(asked: AskedTexts) -> Predictions:
    """Return the most probable tag of each word, at its first token; words of a text are what spaces separate."""
    asked.given.require(
        f"{asked.name} labels the words of single texts", (str, list), "give strings, or lists of words"
    )
    texts = [text.split() if isinstance(text, str) else list(text) for text in asked.given.texts]
    tokens = asked.tokenised(texts)
    rows: list[TaggedPrediction] = []
    for index, (words, logits) in enumerate(zip(texts, asked.logits(tokens), strict=True)):
        of_word = tokens.words[tokens.span(index)].long()
        first = of_word >= 0
        first[1:] &= of_word[1:] != of_word[:-1]
        values, tags = logits[first].softmax(1).max(1)
        read = tuple(words[word] for word in of_word[first].tolist())
        named = tuple(asked.class_name(tag) for tag in tags.tolist())
        rows.append(TaggedPrediction(index + 1, asked.given.texts[index], read, named, tuple(values.tolist())))
    return asked.predictions(rows, tokens)


def answered(asked: AskedTexts) -> Predictions:
    """Return the answer to each question: the best of all windows of its context."""
    instead = "give pairs, or a table with the columns question and context"
    asked.given.require(f"{asked.name} finds answers to a question in its context", tuple, instead)
    pairs = [(text[0], text[1]) for text in asked.given.texts]
    questions = Questions(pairs)
    windows = questions.windows(asked.format, STRIDE)
    best: dict[int, tuple[float, int, int]] = {}
    for index, logits in enumerate(asked.logits(windows.tokens)):
        question = int(windows.questions[index])
        found = best_span(logits, windows.places_of(index))
        if question not in best or found[0] > best[question][0]:
            best[question] = found
    rows: list[AnswerPrediction] = []
    for number, (question, context) in enumerate(pairs):
        score, begin, end = best[number]
        answer = context[begin:end].strip()  # tokens may begin with the space before a word
        start = context.index(answer, begin)
        rows.append(AnswerPrediction(number + 1, question, context, answer, start, score if end else 0.0))
    long = int((windows.questions.bincount() > 1).sum())
    notes = (f"{long:,} of {len(pairs):,} contexts are longer than {asked.format.length} tokens: read in windows",)
    return Predictions(tuple(rows), noun="questions", notes=notes if long else ())


def guessed(asked: AskedTexts) -> Predictions:
    """Return the most probable tokens in the place of each mask.

    Raises:
        UserError: a text has no mask, or the tokenizer has none.
    """
    asked.given.require(f"{asked.name} guesses hidden words", (str, tuple), "give strings, or pairs of strings")
    tokenizer, mask = asked.format.tokenizer, asked.format.mask
    if mask is None:
        raise UserError(f"{asked.name}: guesses hidden words, but its tokenizer has no token that hides one")
    tokens = asked.tokenised(asked.given.texts)
    masks = [tokens.ids[tokens.span(index)] == mask for index in range(len(tokens.lengths))]
    if lacking := [index for index, places in enumerate(masks) if not bool(places.any())]:
        named = tokenizer.core.id_to_token(mask)
        raise UserError(
            f"{asked.given.place}: text {lacking[0] + 1} has no {named} in its first {asked.format.length} tokens, "
            "which stands for the word to guess"
        )

    def word(number: int) -> str:
        return tokenizer.decode([number]).strip() or str(tokenizer.core.id_to_token(number))

    def most(logits: Tensor) -> tuple[tuple[str, ...], tuple[float, ...]]:
        values, ids = logits.softmax(0).topk(min(asked.top, len(logits)))
        return tuple(map(word, ids.tolist())), tuple(values.tolist())

    rows: list[HiddenWordPrediction] = []
    for index, logits in enumerate(asked.logits(tokens)):
        words, values = zip(*map(most, logits[masks[index]]), strict=True)
        rows.append(HiddenWordPrediction(index + 1, asked.given.texts[index], words, values))
    return asked.predictions(rows, tokens)
