"""Robustness of text classifiers to the substitution of words by synonyms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast, final

from pydantic import Field

from robust_tickets.attacks.predict import Predict
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path
from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.settings import Ratio
from robust_tickets.foundation.unit import PLAIN
from robust_tickets.measures.examinee import Examinee
from robust_tickets.measures.figure import Figure
from robust_tickets.measures.measure import Measure
from robust_tickets.measures.substitution_search import Asking, Standing, Substituted, standings, substitution_search
from robust_tickets.measures.synonyms import Synonyms
from robust_tickets.measures.wording import SingleOrPair, Wording

if TYPE_CHECKING:
    from torch import Tensor

    from robust_tickets.data.splits import DataSplits
    from robust_tickets.data.texts.texts import Texts
    from robust_tickets.tokens.format import TokenFormat

BUILT_IN = "tales"
"""What `synonyms` calls those of the built-in texts."""

POOL = 16
"""Batches whose texts are sorted by length together; more would be held as tokens at once."""

FIGURES = {
    "substitution/clean": Figure("clean"),
    "substitution/robust": Figure("robust"),
    "substitution/success": Figure("attack success", higher_is_better=False),
    "substitution/queries": Figure("queries per text", PLAIN, (0.0, None)),
    "substitution/changed": Figure("words changed"),
}


@final
class WordSubstitution(Measure):
    """Accuracy while words are replaced by synonyms, greedily, the most important ones first.

    The search is that of TextFooler (Jin et al. 2020), with synonyms from a list of pairs and without its filters by
    embeddings and parts of speech; it draws nothing at random. Of pairs of texts the second is attacked, as is usual
    with premises and hypotheses.
    """

    title: ClassVar[str] = "Accuracy under word substitution"
    needs: ClassVar[frozenset[str]] = frozenset({"image-logits", "text-inputs"})
    kind: Literal["word-substitution"] = "word-substitution"
    synonyms: str = Field(
        default="data/synonyms.txt",
        min_length=1,
        description="File of two words a line that may stand for each other; ~ and $NAME are expanded. `tales`: those "
        "of the built-in texts.",
    )
    share: Ratio = Field(
        default=0.15, gt=0, le=1, description="At most this share of a text's words is replaced, but at least one."
    )
    candidates: int = Field(default=50, ge=1, description="Most synonyms tried for a word, the first of the file.")
    limit: int | None = Field(
        default=200, ge=1, description="At most this many test texts, balanced over classes; null means all."
    )
    batch: int = Field(default=256, ge=1, description="Texts per forward pass; affects only memory and time.")

    def figures(self, examinee: Examinee) -> dict[str, float]:
        """Return the five figures.

        `substitution/clean` and `substitution/robust` are accuracies in [0, 1] on the same texts, as they are and under
        the attack. Of texts that are classified correctly as they are, which alone are attacked, `substitution/success`
        is the share on which the attack succeeds, in [0, 1], and `substitution/queries` the mean number of times that
        the network is asked about one. `substitution/changed` is the mean share of words replaced where it succeeds.
        Means over nothing are 0.

        Raises:
            UserError: the synonyms cannot be read.
        """
        synonyms, examples = self.list_of_pairs(), examinee.examples(self.limit)
        texts = cast("list[SingleOrPair]", cast("Texts", examples.inputs).texts)
        inquiry = Inquiry(examinee.predict, examples.fit, self.batch)
        searches: list[Substituted] = []
        seen = 0
        for inputs, labels in examinee.images(self.limit):
            with torch.no_grad():
                found = standings(examinee.predict(inputs).float().cpu(), labels.cpu())
            indices = examples.indices[seen : seen + len(found)].tolist()
            seen += len(found)
            attacks = [
                (substitution_search(Wording.of(texts[index]), standing, synonyms, self.share, self.candidates), label)
                for index, standing, label in zip(indices, found, labels.tolist(), strict=True)
                if standing.is_right
            ]
            searches += inquiry.run(attacks, examinee.tell)
        fallen = [search for search in searches if not search.withstood]
        return {
            "substitution/clean": len(searches) / seen,
            "substitution/robust": (len(searches) - len(fallen)) / seen,
            "substitution/success": mean([not search.withstood for search in searches]),
            "substitution/queries": mean([search.queries for search in searches]),
            "substitution/changed": mean([search.changed / search.words for search in fallen]),
        }

    def figure(self, key: str) -> Figure | None:
        """Return one of the five."""
        return FIGURES.get(key)

    @property
    def gradient_free(self) -> bool:
        """Return True: it searches on what is measured, be it a file."""
        return True

    def list_of_pairs(self) -> Synonyms:
        """Return the synonyms.

        Raises:
            UserError: there is no such file, or a line of it is not two words.
        """
        return Synonyms.of_tales() if self.synonyms == BUILT_IN else Synonyms.read(given_path(self.synonyms))

    def reads(self) -> tuple[Path, ...]:
        """Return the file of synonyms, unless they are built in."""
        return () if self.synonyms == BUILT_IN else (given_path(self.synonyms),)

    def require(self) -> None:
        """Refuse a file of synonyms that is missing or malformed, before anything is trained."""
        self.list_of_pairs()

    def require_for(self, splits: DataSplits, provides: frozenset[str], classes: int) -> None:
        """Refuse what are no texts with one label each, and a single class.

        Raises:
            UserError: says which.
        """
        super().require_for(splits, provides, classes)
        if classes < 2:
            raise UserError(
                f"{splits.name}: has one class, but {self.kind} needs two, so that one can be mistaken for the other"
            )

    def describe(self) -> str:
        """Return for example `word substitution, at most 15 % of words, synonyms.txt`."""
        return f"word substitution, at most {100 * self.share:g} % of words, {Path(self.synonyms).name}"


class Inquiry:
    """Asks a network what many searches want to know, in common batches.

    Args:
        predict: token inputs by name to logits `[N, C]`.
        fit: how texts become ids.
        batch: texts per forward pass.
    """

    def __init__(self, predict: Predict, fit: TokenFormat, batch: int) -> None:
        self.predict, self.fit, self.batch = predict, fit, batch

    def run(
        self, searches: Sequence[tuple[Asking, int]], tell: Callable[[str], None] | None = None
    ) -> list[Substituted]:
        """Return what became of searches, each given with the true class of its text.

        `tell` shows a few words on how many are done; None: nothing is shown.
        """
        asked: dict[int, Sequence[SingleOrPair]] = {}
        done: dict[int, Substituted] = {}

        def go_on(number: int, answers: Any) -> None:
            try:
                asked[number] = searches[number][0].send(answers)
            except StopIteration as end:
                done[number] = end.value
                asked.pop(number, None)

        for number in range(len(searches)):
            go_on(number, None)
        while asked:
            texts = [text for several in asked.values() for text in several]
            labels = [searches[number][1] for number, several in asked.items() for _ in several]
            answers = iter(self.answers(texts, labels))
            for number, several in list(asked.items()):
                go_on(number, [next(answers) for _ in several])
            if tell is not None:
                tell(f"{len(done):,} of {len(searches):,} texts attacked")
        return [done[number] for number in range(len(searches))]

    def answers(self, texts: Sequence[SingleOrPair], labels: Sequence[int]) -> Iterator[Standing]:
        """Yield how the network stands to the true class of each text."""
        pool = POOL * self.batch
        for start in range(0, len(texts), pool):
            yield from self.together(texts[start : start + pool], torch.tensor(labels[start : start + pool]))

    def together(self, texts: Sequence[SingleOrPair], labels: Tensor) -> list[Standing]:
        """Return the same of some texts, of which those of about one length share batches."""
        from robust_tickets.data.texts.tokenised import Tokenised

        tokenised = Tokenised(self.fit.tokenizer.encode(texts, self.fit.length), self.fit)
        found: dict[int, Standing] = {}
        for chosen in tokenised.lengths.argsort(stable=True).split(self.batch):
            with torch.no_grad():
                logits = self.predict(tokenised.padded(chosen)).float().cpu()
            found |= zip(chosen.tolist(), standings(logits, labels[chosen]), strict=True)
        return [found[number] for number in range(len(texts))]


def mean(values: Sequence[float]) -> float:
    """Return the mean; 0 of nothing."""
    return fmean(values) if values else 0.0
