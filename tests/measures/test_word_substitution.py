"""Word substitution on a classifier that counts words, so that every figure is known."""

from pathlib import Path

import pytest

from robust_tickets.measures.word_substitution import WordSubstitution
from tests.measures.counting import Counter, text_examinee

PAIRS = "fine decent\nfine okay\nnice mild\ndull decent\n"
TEXTS = [
    "The FINE boat",  # 2; falls: fine -> okay, 1 + 1 + 2 queries, a third of the words
    "the nice fine boat boat boat boat",  # 5; one word of 7 may go: nice -> mild leaves 1.5; 1 + 2 + 1 queries
    "the boat",  # 0, which is class 0: wrong as it is
    "dull boat",  # of class 0; falls: dull -> decent, 1 + 1 + 1 queries, half of the words
    "",  # class 0; nothing to replace, one query
]
LABELS = [1, 1, 1, 0, 0]


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    path = tmp_path / "pairs.txt"
    path.write_text(PAIRS)
    return str(path)


@pytest.mark.parametrize(("batch", "rows"), [(1, 1), (2, 3), (256, 256)])
def test_figures_are_those_counted_by_hand_whatever_the_batches(pairs: str, batch: int, rows: int) -> None:
    found = WordSubstitution(synonyms=pairs, batch=batch).figures(text_examinee(Counter(), TEXTS, LABELS, rows))
    assert found == pytest.approx(
        {
            "substitution/clean": 4 / 5,
            "substitution/robust": 2 / 5,
            "substitution/success": 2 / 4,
            "substitution/queries": (4 + 4 + 3 + 1) / 4,
            "substitution/changed": (1 / 3 + 1 / 2) / 2,
        }
    )


def test_queries_are_what_the_network_was_asked_and_texts_share_batches(pairs: str) -> None:
    counter = Counter()
    WordSubstitution(synonyms=pairs).figures(text_examinee(counter, TEXTS, LABELS, 256))
    # All texts at once, then all texts without each word, then all first words with each synonym.
    assert counter.rows == [5, 1 + 2 + 1, 2 + 1 + 1]
    counter = Counter()
    WordSubstitution(synonyms=pairs, batch=3).figures(text_examinee(counter, TEXTS, LABELS, 256))
    assert counter.rows == [5, 3, 1, 3, 1]


def test_more_words_more_success(pairs: str) -> None:
    subject = text_examinee(Counter(), TEXTS[1:2], LABELS[1:2])
    assert WordSubstitution(synonyms=pairs, share=0.2).figures(subject)["substitution/robust"] == 1
    assert WordSubstitution(synonyms=pairs, share=0.3).figures(subject) == {
        "substitution/clean": 1,
        "substitution/robust": 0,
        "substitution/success": 1,
        "substitution/queries": 6,
        "substitution/changed": pytest.approx(2 / 7),
    }


def test_only_the_second_text_of_a_pair_is_attacked(pairs: str) -> None:
    texts = [("nice boat", "fine boat"), ("fine fine fine", "the boat")]
    found = WordSubstitution(synonyms=pairs, share=1).figures(text_examinee(Counter(), texts, [1, 1]))
    # 3 + 2 falls to 3 - 1 at worst; in the second pair there is nothing to replace.
    assert found["substitution/robust"] == 1
    assert found["substitution/queries"] == (1 + 1 + 2 + 1) / 2


def test_where_nothing_is_right_nothing_is_attacked(pairs: str) -> None:
    counter = Counter()
    found = WordSubstitution(synonyms=pairs, limit=2).figures(text_examinee(counter, TEXTS, [0] * 5))
    assert set(found.values()) == {0.0}
    assert counter.rows == [2]


def test_the_file_of_synonyms_is_among_what_figures_depend_on(pairs: str) -> None:
    assert WordSubstitution(synonyms=pairs).reads() == (Path(pairs),)
    assert WordSubstitution(synonyms="tales").reads() == ()
    WordSubstitution(synonyms="tales").require()
