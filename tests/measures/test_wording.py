"""Words of a text, exchanged and left out; lists of synonyms."""

from pathlib import Path

import pytest

from robust_tickets.foundation.errors import UserError
from robust_tickets.measures.synonyms import Synonyms
from robust_tickets.measures.wording import Wording
from robust_tickets.tokens.tales import BAD, GOOD

TEXT = "Well-made,  it's  a FINE café – don’t miss it!"


def test_words_are_letters_and_apostrophes_and_the_rest_stays_between_them() -> None:
    wording = Wording.of(TEXT)
    assert wording.words == ("Well", "made", "it's", "a", "FINE", "café", "don’t", "miss", "it")
    assert wording.text == TEXT
    assert Wording.of("").words == Wording.of(" ... ").words == ()


def test_an_exchanged_word_is_written_in_the_case_of_the_old_one() -> None:
    wording = Wording.of("Fine words, FINE words, fine words")
    assert wording.replaced(0, "decent").text == "Decent words, FINE words, fine words"
    assert wording.replaced(2, "decent").text == "Fine words, DECENT words, fine words"
    assert wording.replaced(4, "decent").text == "Fine words, FINE words, decent words"


@pytest.mark.parametrize(
    ("text", "place", "without"),
    [
        ("a fine boat", 1, "a boat"),
        ("a fine boat", 0, "fine boat"),
        ("a boat.", 1, "a."),
        ("it is so, no?", 2, "it is, no?"),
        ("one", 0, ""),
    ],
)
def test_a_word_is_left_out_with_a_space_beside_it(text: str, place: int, without: str) -> None:
    assert Wording.of(text).without(place).text == without


def test_of_a_pair_the_first_text_stays() -> None:
    wording = Wording.of(("a fine boat", "a fine day"))
    assert wording.words == ("a", "fine", "day")
    assert wording.replaced(1, "decent").text == ("a fine boat", "a decent day")
    assert wording.without(0).text == ("a fine boat", "fine day")


def test_synonyms_go_both_ways_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("fine nice\n\ngood fine\r\n  Fine\tdecent \nnice fine\nfine fine\n")
    synonyms = Synonyms.read(path)
    assert synonyms.of("Fine") == ("nice", "good", "decent")
    assert synonyms.of("good") == ("fine",)
    assert synonyms.of("absent") == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"fine nice\ngood\n", "pairs.txt, line 2: has 1 word; write two synonyms, separated by a space"),
        (b"fine nice\n\na b c\n", "pairs.txt, line 3: has 3 words; write two synonyms"),
        (b"\n\n", "pairs.txt: contains no words"),
        (b"caf\xe9 bar\n", "pairs.txt: is not UTF-8 text"),
        (None, "pairs.txt: no such file"),
    ],
)
def test_a_file_of_anything_else_is_refused_in_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "pairs.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        Synonyms.read(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_built_in_synonyms_keep_what_a_text_says() -> None:
    synonyms = Synonyms.of_tales()
    assert set(synonyms.of("fine")) == set(GOOD) - {"fine"}
    assert set(synonyms.of("dull")) == set(BAD) - {"dull"}
    assert "young" in synonyms.of("old")
    assert synonyms.of("not") == ()
