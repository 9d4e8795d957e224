"""Language models that are refused, and folders that would run code."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import robust_tickets as rt
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.folders import load_folder, save_source
from robust_tickets.models.heads import get_head
from robust_tickets.models.sources import load_source
from tests.language import (
    QUERY,
    SIZES,
    altered,
    body_of,
    changed_json,
    core_tokenizer,
    language_folder,
    tokenizer_of,
    tokens_of,
)


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return language_folder(tmp_path / "bert", "bert", "sequence", num_labels=3)


def test_a_saved_tokenizer_that_was_altered_is_refused(bert: Path, tmp_path: Path) -> None:
    source = load_source(bert)
    save_source(source.network, source.identity, tmp_path / "saved")
    file = tmp_path / "saved" / "tokenizer.json"
    file.write_text(file.read_text().replace("dog", "god"))
    with pytest.raises(UserError, match=r"tokenizer\.json: was altered"):
        load_folder(tmp_path / "saved")
    file.unlink()
    with pytest.raises(UserError, match=r"tokenizer\.json: No such file"):
        load_folder(tmp_path / "saved")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop(QUERY), f"1 missing: {QUERY}"),
        (lambda state: state.update(extra=torch.ones(1)), "1 unexpected: extra"),
        (lambda state: state.update({QUERY: torch.ones(3, 3)}), r"query\.weight is \(3, 3\), expected \(16, 16\)"),
        (lambda state: state.update({QUERY: torch.full((16, 16), torch.nan)}), "NaN or infinity"),
        (lambda state: state.pop("classifier.bias"), r"does not fit BertForSequenceClassification: 1 missing"),
        (lambda state: state.pop("bert.pooler.dense.bias"), r"1 missing: bert\.pooler\.dense\.bias"),
        (lambda state: state.update({QUERY: torch.ones(16, 16, dtype=torch.int8)}), "contains int8"),
    ],
)
def test_weights_that_do_not_fit_are_refused(bert: Path, change: Any, words: str) -> None:
    altered(bert, change)
    with pytest.raises(UserError, match=words):
        load_source(bert)


def test_a_tie_that_the_weights_break_is_refused(tmp_path: Path) -> None:
    language_folder(tmp_path, "bert", "masked")
    altered(tmp_path, lambda state: state.update({"cls.predictions.decoder.weight": torch.ones(32, 16)}))
    with pytest.raises(UserError, match=r"differ, although config\.json ties them; set tie_word_embeddings to false"):
        load_source(tmp_path)
    changed_json(tmp_path / "config.json", tie_word_embeddings=False)
    altered(tmp_path, lambda state: state.update({"cls.predictions.decoder.bias": torch.ones(32)}))
    source = load_source(tmp_path)
    assert torch.equal(source.network.body.get_parameter("cls.predictions.decoder.weight"), torch.ones(32, 16))


@pytest.mark.parametrize(
    ("kind", "architecture", "words"),
    [
        ("gpt2", "GPT2LMHeadModel", r"gpt2 \(GPT2LMHeadModel\) is a decoder, which generates text; supported are enc"),
        ("llama", "LlamaForCausalLM", r"llama \(LlamaForCausalLM\) is a decoder"),
        ("t5", "T5ForConditionalGeneration", r"t5 \(.*\) is an encoder with a decoder"),
        ("bert", "BertLMHeadModel", r"bert \(BertLMHeadModel\) is a decoder"),
        ("flaubert", "FlaubertWithLMHeadModel", "is not a type of language model that is supported"),
        ("vit", "ViTForImageClassification", r"names no timm architecture \(ViTForImageClassification\)"),
    ],
)
def test_models_that_are_no_encoders_of_text_are_refused_by_name(
    bert: Path, kind: str, architecture: str, words: str
) -> None:
    changed_json(bert / "config.json", model_type=kind, architectures=[architecture])
    with pytest.raises(UserError, match=words) as caught:
        load_source(bert)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_decoder": True}, "is_decoder is set"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "the weights are quantised"),
        ({"hidden_size": "wide"}, "is not a configuration that transformers reads"),
        ({"vocab_size": 20}, r"20 word embeddings|expected \(20, 16\)"),
    ],
)
def test_a_configuration_that_cannot_be_built_is_refused(bert: Path, changes: dict[str, Any], words: str) -> None:
    changed_json(bert / "config.json", **changes)
    with pytest.raises(UserError, match=words):
        load_source(bert)


def test_a_tokenizer_of_other_weights_is_refused(bert: Path, tmp_path: Path) -> None:
    small = language_folder(tmp_path / "small", "bert", "sequence", vocab_size=20)
    with pytest.raises(UserError, match="gives ids up to 20, but the network has 20 word embeddings"):
        load_source(small)
    other = language_folder(tmp_path / "roberta", "roberta", "sequence")
    core_tokenizer().save(str(other / "tokenizer.json"))
    (other / "tokenizer_config.json").unlink()
    with pytest.raises(UserError, match="pads with id 0, but the network counts positions from id 1 on"):
        load_source(other)
    (bert / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"has no tokenizer\.json, which a text network needs"):
        load_source(bert)
    (bert / "vocab.txt").write_text("a\nb\n")
    with pytest.raises(UserError, match=r"has vocab\.txt but no tokenizer\.json; make one with transformers"):
        load_source(bert)
    core_tokenizer().save(str(tmp_path / "mine.json"))
    assert tokens_of(load_source(bert, tokenizer=str(tmp_path / "mine.json")).network).mask == 4


def test_a_length_may_be_stated_and_nothing_that_images_have(bert: Path) -> None:
    assert tokens_of(load_source(bert, preprocessing={"length": 12}).network).length == 12
    with pytest.raises(UserError, match=r"preprocessing\.length: hf/bert takes up to 40 tokens, not 41"):
        load_source(bert, preprocessing={"length": 41})
    with pytest.raises(UserError, match=r"preprocessing\.size: the network takes texts, which have none; leave it out"):
        load_source(bert, preprocessing={"size": 32})
    with pytest.raises(UserError, match=r"preprocessing\.length: the network takes images, which have none"):
        load_source("cifar/resnet8", weights="random", preprocessing={"length": 12})
    with pytest.raises(UserError, match="in_channels: says nothing of a language model"):
        load_source(bert, in_channels=3)
    with pytest.raises(UserError, match="num_classes: hf/bert has 3 classes, not 5"):
        load_source(bert, num_classes=5)
    with pytest.raises(UserError, match="tokenizer: cifar/resnet8 is not a language model"):
        load_source("cifar/resnet8", weights="random", tokenizer="x.json")
    with pytest.raises(UserError, match="head: 'bert' is not the head of hf/bert; that is classifier"):
        load_source(bert, head="bert")


def test_a_hostile_folder_runs_nothing(bert: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    code = f"from pathlib import Path\nPath({str(trace)!r}).touch()\n"
    for name in ("modeling_evil.py", "configuration_evil.py", "tokenization_evil.py"):
        (bert / name).write_text(code + "class Evil: pass\n")
    auto = {"AutoConfig": "configuration_evil.Evil", "AutoModelForSequenceClassification": "modeling_evil.Evil"}
    changed_json(bert / "config.json", auto_map=auto, attn_implementation="evil/kernel", _attn_implementation="evil/x")
    changed_json(bert / "tokenizer_config.json", auto_map={"AutoTokenizer": ["tokenization_evil.Evil", None]})
    source = load_source(bert)
    assert source.identity.configuration is not None
    assert "auto_map" not in json.dumps(source.identity.configuration)
    assert body_of(source.network).held.config._attn_implementation in ("sdpa", "eager")
    (bert / "model.safetensors").unlink()

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (trace,)

    torch.save({"bert": Evil()}, bert / "pytorch_model.bin")
    with pytest.raises(UserError, match="is a pickle that imports"):
        load_source(bert)
    assert not trace.exists()


def test_models_from_python_that_are_not_supported_are_refused_by_name() -> None:
    configuration = transformers.GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=32, n_positions=16)
    with pytest.raises(UserError, match=r"GPT2LMHeadModel: gpt2 \(GPT2LMHeadModel\) is a decoder"):
        load_source((transformers.GPT2LMHeadModel(configuration), tokenizer_of()))

    class Mine(transformers.BertForSequenceClassification):
        pass

    with pytest.raises(UserError, match="Mine: is your own subclass of a model of transformers"):
        load_source((Mine(transformers.BertConfig(**SIZES["bert"])), tokenizer_of()))


def test_without_transformers_one_line_says_what_to_install(bert: Path) -> None:
    code = (
        "import sys; sys.modules['transformers'] = None\n"
        "import robust_tickets as rt\n"
        f"try:\n    rt.load_source({str(bert)!r})\n"
        "except rt.UserError as error:\n    print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "language models need the library transformers; pip install 'robust-tickets[text]'\n"


def evaluated_from_memory(network: rt.Network, folder: Path) -> None:
    rt.draw(network, sparsity=0.5).save(folder / "ticket")
    rt.evaluate(folder / "ticket", "tale-moods")


NAMED: dict[str, Callable[[rt.Network, Path], Any]] = {
    "images": lambda network, folder: network.pixels,
    "another head": lambda network, folder: get_head(network.body, "missing"),
    "another network": lambda network, folder: rt.masked(network.body, {"fc.weight": torch.ones(2, 2).bool()}),
    "a ticket of a network in memory": evaluated_from_memory,
}


@pytest.mark.parametrize("case", NAMED)
def test_messages_call_a_model_by_its_class_in_transformers(case: str, bert: Path, tmp_path: Path) -> None:
    network = load_source(bert).network
    assert repr(network).startswith("Network(BertForSequenceClassification, ")
    with pytest.raises(UserError, match="BertForSequenceClassification") as raised:
        NAMED[case](network, tmp_path)
    assert "LanguageBody" not in str(raised.value)
