"""Texts become the tokens of evaluation, those of others are taken as they are, and the rest is refused in one line."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from robust_tickets.data.texts.texts import Texts
from robust_tickets.runtime.errors import RuntimeFileError, TextError
from robust_tickets.runtime.load import Runtime
from robust_tickets.runtime.storage.file import write_file
from robust_tickets.runtime.texts import TextPreparation, stated_texts
from robust_tickets.tokens.format import TokenFormat
from robust_tickets.tokens.tokenizer import Tokenizer
from robust_tickets.tokens.vocabulary import trained_tokenizer
from tests.runtime.text_graphs import (
    LENGTH,
    VOCABULARY,
    expected_logits,
    stated,
    text_graph,
    text_tokens,
    word_tokenizer,
)

NAMES = ("input_ids", "attention_mask", "token_type_ids")
SAID = ["the dog runs fast .", "", "a cat", "so " * 99, "Ünïcode, \u202e 🐈 \n tabs\t", "the\0dog"]
PAIRS = [("the dog", "a cat runs"), ("the " * 60, "dog"), ("dog", "the " * 60), ("the " * 60, "cat " * 50), ("", "")]


def prepared(tokenizer: str, length: int = LENGTH, vocabulary: int = 10_000, pad: int = 0) -> TextPreparation:
    return TextPreparation(NAMES, (vocabulary, 2, 2), length, pad, tokenizer)


@pytest.mark.parametrize("length", [4, 17, LENGTH])
@pytest.mark.parametrize("texts", [SAID, PAIRS, [*SAID, *PAIRS]], ids=["texts", "pairs", "both"])
@pytest.mark.parametrize("kind", ["words", "bytes"])
def test_texts_become_the_tokens_of_evaluation(length: int, texts: list[Any], kind: str) -> None:
    made = {"words": Tokenizer.of(word_tokenizer().encode()), "bytes": trained_tokenizer(SAID * 9, 300)}[kind]
    rows, counts = prepared(made.content.decode(), length, pad=1)(texts)
    fit = TokenFormat(made, length, 10_000, 1, None, NAMES)
    held = Texts(texts).held(torch.arange(len(texts)), fit, False)
    wanted = held.padded(torch.arange(len(texts)))
    assert counts.tolist() == held.lengths.tolist()
    for row, name in enumerate(NAMES):
        np.testing.assert_array_equal(rows[:, row, 0], wanted[name].numpy(), err_msg=name)


def test_one_text_and_one_pair_are_a_batch_of_one() -> None:
    prepare = prepared(word_tokenizer())
    for given in ("the dog", ("the dog", "a cat"), ["the dog"], [("the dog", "a cat")]):
        wanted = prepare(given if isinstance(given, list) else [given])
        np.testing.assert_array_equal(prepare(given).rows, wanted.rows)
        assert len(wanted.rows) == 1
    assert prepare([]).rows.shape == (0, 3, 1, 0)
    assert len(prepare(["the dog", "a cat"]).rows) == 2, "a list is no pair"


def test_what_tokenizers_of_transformers_give_is_taken() -> None:
    import tokenizers

    core = tokenizers.Tokenizer.from_str(word_tokenizer())
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_object=core, pad_token="[PAD]")
    texts, runtime = ["the dog runs fast .", "a cat", "the " * 99], Runtime(text_graph())
    expected = runtime(texts)
    for kind in ("np", "pt"):
        given = theirs(texts, padding=True, truncation=True, max_length=LENGTH, return_tensors=kind)
        np.testing.assert_array_equal(runtime(given), expected)


def test_absent_masks_are_ones_and_absent_types_zeros() -> None:
    prepare, tokens = stated_texts(text_graph()), text_tokens([7, 7])
    tokens["token_type_ids"][:] = 0
    whole = prepare(tokens)
    np.testing.assert_array_equal(prepare({"input_ids": tokens["input_ids"]}).rows, whole.rows)
    for kind in (np.int32, np.uint8, np.uint64):
        some = prepare({name: value.astype(kind) for name, value in tokens.items()})
        np.testing.assert_array_equal(some.rows, whole.rows)
    mask = torch.from_numpy(tokens["attention_mask"]).bool()
    np.testing.assert_array_equal(prepare({**tokens, "attention_mask": mask}).rows, whole.rows)


IDS = np.full((2, 3), 5)
BROKEN: dict[str, tuple[Any, str]] = {
    "no ids": ({"attention_mask": IDS}, "input_ids are missing; give them as integers"),
    "unknown": ({"input_ids": IDS, "position_ids": IDS}, "does not take 'position_ids', but input_ids, attention_mask"),
    "floats": ({"input_ids": IDS.astype(np.float32)}, "input_ids is float32; it should be integers"),
    "half floats": ({"input_ids": torch.ones(2, 3, dtype=torch.bfloat16)}, "it should be integers"),
    "one row": ({"input_ids": IDS[0]}, r"input_ids has shape \[3\]; it should be \[N, L\]"),
    "other shape": (
        {"input_ids": IDS, "attention_mask": np.ones((2, 4), int)},
        r"attention_mask has shape \[2, 4\]; it should be that of input_ids, \[2, 3\]",
    ),
    "beyond": ({"input_ids": IDS + 15}, "input_ids has 20; the network knows 0 to 19"),
    "negative": ({"input_ids": IDS - 6}, "input_ids has -1; the network knows 0 to 19"),
    "beyond 2^32": ({"input_ids": IDS + 2**32}, "input_ids has 4294967301; the network knows 0 to 19"),
    "types": ({"input_ids": IDS, "token_type_ids": IDS}, "token_type_ids has 5; the network knows 0 to 1"),
    "long": ({"input_ids": np.ones((1, 41), int)}, "have 41 tokens, but the network reads up to 40; cut them"),
    "left": (
        {"input_ids": IDS, "attention_mask": np.array([[1, 1, 1], [0, 1, 1]])},
        "attention_mask of text 2 has a 1 behind a 0: pad on the right",
    ),
    "gap": ({"input_ids": IDS, "attention_mask": np.array([[1, 0, 1]] * 2)}, "text 1 has a 1 behind a 0"),
    "twos": ({"input_ids": IDS, "attention_mask": IDS}, "has other numbers than 1 for tokens and 0 for padding"),
    "empty row": ({"input_ids": IDS, "attention_mask": np.array([[1, 1, 1], [0, 0, 0]])}, "text 2 has no tokens"),
    "no columns": ({"input_ids": np.ones((2, 0), int)}, "text 1 has no tokens"),
    "surrogate": (["a", "\ud800"], "text 2 is not Unicode"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_does_not_fit_is_refused_in_one_line(case: str) -> None:
    given, message = BROKEN[case]
    with pytest.raises(TextError, match=message) as caught:
        Runtime(text_graph())(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "text 1 is int; texts should be strings, pairs of strings"),
        (["a", None], "text 2 is NoneType"),
        ([["a", "b"]], "text 1 is list"),
        (("a", "b", "c"), "text 1 is a tuple of 3"),
        ([("a",)], "text 1 is a tuple of 1"),
        (np.ones((1, 3), int), "text 1 is ndarray"),
        ({"input_ids": [[1, 2], [3]]}, "input_ids is list; it should be an integer array"),
    ],
)
def test_what_is_no_text_is_refused_by_its_type(given: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Runtime(text_graph())(given)


def test_a_tokenizer_without_special_tokens_makes_nothing_of_nothing() -> None:
    runtime = Runtime(text_graph(metadata=stated(word_tokenizer(special=False))))
    assert runtime(["the", "a cat"]).shape == (2, 3)
    with pytest.raises(TextError, match="text 2 has no tokens"):
        runtime(["the", "  "])


def test_a_network_without_types_takes_none() -> None:
    graph = text_graph(types=False)
    tokens = text_tokens([5, 2])
    with pytest.raises(TextError, match="does not take 'token_type_ids', but input_ids, attention_mask; leave it out"):
        Runtime(graph)(tokens)
    del tokens["token_type_ids"]
    np.testing.assert_allclose(Runtime(graph)(tokens), expected_logits(graph, tokens), atol=1e-5)


def test_a_file_without_a_tokenizer_takes_ids_alone() -> None:
    runtime = Runtime(text_graph(metadata={}))
    assert runtime(text_tokens([5])).shape == (1, 3)
    with pytest.raises(
        TextError, match=r"has no tokenizer\.json in it, which texts need: give input_ids and attention"
    ):
        runtime("the dog")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({**stated(), "length": "41"}, "states texts of 41 tokens, but takes 40; write it again"),
        ({**stated(), "pad": "20"}, "states that 20 fills its texts up, which is no token"),
        ({**stated(), "pad": "true"}, "states that True fills its texts up"),
        ({**stated(), "pad": "{"}, "is not JSON; write it again"),
        ({**stated(), "tokenizer.json": word_tokenizer(special=False)}, "is not the one that it states"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(said: dict[str, str], message: str, tmp_path) -> None:
    write_file(text_graph(metadata=said), tmp_path / "model.rtk")
    import robust_tickets as rt

    with pytest.raises(RuntimeFileError, match=rf"model\.rtk: .*{message}"):
        rt.load_runtime(tmp_path / "model.rtk")


def test_a_tokenizer_that_cannot_be_read_or_is_too_large_is_refused_at_the_first_text() -> None:
    with pytest.raises(TextError, match=r"its tokenizer\.json is not one that tokenizers .* reads"):
        Runtime(text_graph(metadata=stated("{}")))("the dog")
    large = trained_tokenizer(SAID, 300).content.decode()
    with pytest.raises(TextError, match=f"the network knows 0 to {VOCABULARY - 1}"):
        Runtime(text_graph(metadata=stated(large)))("the dog")


def test_without_the_library_one_line_says_what_to_install_and_ids_are_taken(tmp_path) -> None:
    write_file(text_graph(), tmp_path / "model.rtk")
    code = (
        "import sys; sys.modules['tokenizers'] = None\n"
        "import numpy as np, robust_tickets as rt\n"
        f"network = rt.load_runtime({str(tmp_path / 'model.rtk')!r}, tune=False)\n"
        "print(network({'input_ids': np.ones((2, 3), int)}).shape, 'torch' in sys.modules)\n"
        "try:\n    network('the dog')\nexcept ImportError as error:\n    print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    shape, complaint = ran.stdout.strip().split("\n")
    assert shape == "(2, 3) False"
    assert "pip install tokenizers" in complaint
