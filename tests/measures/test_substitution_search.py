"""The greedy search, on sums of words' weights, where it can be done by hand."""

from collections.abc import Callable

import pytest
import torch

from robust_tickets.measures.substitution_search import Standing, Substituted, budget, standings, substitution_search
from robust_tickets.measures.synonyms import Synonyms
from robust_tickets.measures.wording import SingleOrPair, Wording

WEIGHTS = {"fine": 2.0, "nice": 3.0, "decent": 1.0, "okay": -1.0, "kind": 2.5, "mild": -0.5, "tale": 0.25, "story": 1.0}
PAIRS = (("fine", "decent"), ("fine", "okay"), ("nice", "kind"), ("mild", "nice"), ("tale", "story"))


def by_weight(text: str) -> Standing:
    """The true class is predicted while the weights of the words make more than 0."""
    odds = sum(WEIGHTS.get(word.strip(".,").lower(), 0.0) for word in text.split())
    return Standing(odds, odds > 0)


def attacked(
    text: SingleOrPair,
    *,
    share: float = 1.0,
    candidates: int = 50,
    pairs: tuple[tuple[str, str], ...] = PAIRS,
    judge: Callable[[str], Standing] = by_weight,
) -> tuple[Substituted, list[list[SingleOrPair]]]:
    """Return what becomes of a text, and what is asked in turn."""

    def of(one: SingleOrPair) -> Standing:
        return judge(one if isinstance(one, str) else one[1])

    search = substitution_search(Wording.of(text), of(text), Synonyms(pairs), share, candidates)
    asked, answers = [], None
    while True:
        try:
            texts = search.send(answers)  # pyright: ignore[reportArgumentType]  # None begins
        except StopIteration as end:
            return end.value, asked
        asked.append(list(texts))
        answers = [of(one) for one in texts]


def test_the_most_important_word_goes_first_and_to_the_worst_of_its_synonyms() -> None:
    found, asked = attacked("a fine tale, so nice.")
    assert asked == [
        ["a tale, so nice.", "a fine, so nice.", "a fine tale, so."],
        ["a fine tale, so kind.", "a fine tale, so mild."],
        ["a decent tale, so mild.", "a okay tale, so mild."],
    ]
    assert found == Substituted(withstood=False, queries=1 + 3 + 2 + 2, changed=2, words=5)


def test_the_search_ends_as_soon_as_the_prediction_is_wrong() -> None:
    found, asked = attacked("fine nice tale", pairs=(("fine", "decent"), ("nice", "dreary"), ("tale", "okay")))
    assert asked[1:] == [["fine dreary tale"], ["decent dreary tale"], ["decent dreary okay"]]
    assert found.changed == 3
    found, asked = attacked("nice tale", pairs=(("nice", "okay"), ("tale", "dreary")))
    assert asked[1:] == [["okay tale"]]
    assert found == Substituted(withstood=False, queries=4, changed=1, words=2)


@pytest.mark.parametrize(
    ("share", "words", "most"),
    [(0.15, 1, 1), (0.15, 13, 1), (0.15, 14, 2), (0.15, 20, 3), (0.29, 100, 29), (1.0, 7, 7), (0.15, 0, 1)],
)
def test_the_share_is_rounded_down_but_one_word_may_always_go(share: float, words: int, most: int) -> None:
    assert budget(share, words) == most


def test_no_more_than_the_share_is_exchanged() -> None:
    # Of 13 words one may go, of 14 two: nice -> mild leaves 1.5, fine -> okay then -1.5.
    short = "fine nice " + "the " * 11
    assert attacked(short, share=0.15)[0] == Substituted(withstood=True, queries=5, changed=1, words=13)
    assert attacked(f"{short} the", share=0.15)[0] == Substituted(withstood=False, queries=7, changed=2, words=14)


def test_a_word_is_exchanged_once_though_its_synonyms_have_synonyms() -> None:
    found, asked = attacked("nice", pairs=(("nice", "kind"), ("kind", "okay")))
    assert asked == [[""], ["kind"]]
    assert found == Substituted(withstood=True, queries=3, changed=1, words=1)


def test_a_word_stays_where_every_synonym_helps_the_true_class() -> None:
    found, asked = attacked("the tale")
    assert asked == [["the"], ["the story"]]
    assert found == Substituted(withstood=True, queries=3, changed=0, words=2)
    # And it takes nothing from what may be exchanged.
    longer, _ = attacked("tale nice", share=0.5, pairs=(("tale", "story"), ("nice", "okay")))
    assert longer.changed == 1


def test_words_without_synonyms_and_stop_words_are_not_asked_about() -> None:
    found, asked = attacked("the fine barn was not nice", pairs=(("not", "hardly"), ("was", "seemed")))
    assert asked == []
    assert found == Substituted(withstood=True, queries=1, changed=0, words=6)
    empty, asked = attacked("", judge=lambda text: Standing(1.0, True))
    assert asked == []
    assert empty == Substituted(withstood=True, queries=1, changed=0, words=0)


def test_where_words_or_synonyms_do_the_same_the_first_is_taken() -> None:
    weights = {"one": 1.0, "two": 1.0, "red": 0.5, "blue": 0.5}

    def judge(text: str) -> Standing:
        return Standing(sum(weights.get(word, 0.0) for word in text.split()), True)

    _, asked = attacked("one two", pairs=(("one", "red"), ("one", "blue"), ("two", "red")), judge=judge)
    assert asked == [["two", "one"], ["red two", "blue two"], ["red red"]]


def test_a_synonym_that_misleads_is_preferred_to_one_that_makes_the_class_less_probable() -> None:
    # Of three classes the true one may be less probable and still the first.
    def judge(text: str) -> Standing:
        return {"one": Standing(1.0, True), "red": Standing(-0.5, True), "blue": Standing(-0.4, False)}.get(
            text, Standing(0.0, True)
        )

    found, _ = attacked("one", pairs=(("one", "red"), ("one", "blue")), judge=judge)
    assert not found.withstood


def test_at_most_so_many_synonyms_are_tried_the_first_ones() -> None:
    _, asked = attacked("fine", candidates=1)
    assert asked[1] == ["decent"]


def test_of_a_pair_the_second_text_is_attacked() -> None:
    found, asked = attacked(("a nice tale", "fine words"))
    assert asked == [[("a nice tale", "words")], [("a nice tale", "decent words"), ("a nice tale", "okay words")]]
    assert found.words == 2


def test_odds_are_those_of_the_true_class_against_all_others() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0], [40.0, 0.0, 0.0]])
    one, other = standings(logits, torch.tensor([2, 0]))
    probabilities = logits[0].softmax(0)
    assert one.odds == pytest.approx(float((probabilities[2] / (1 - probabilities[2])).log()), abs=1e-3)
    assert not one.is_right
    # A probability of 1 in floating-point numbers still has odds that can fall.
    assert other.odds == pytest.approx(40 - torch.tensor(2.0).log().item(), abs=1e-3)
    assert other.is_right
