"""Tiny language models as transformers itself writes them, for tests."""

import copy
import json
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import models, pre_tokenizers, processors
from torch import Tensor

from robust_tickets.models.adaptations.language.body import LanguageBody
from robust_tickets.models.adaptations.language.head import LanguageHead
from robust_tickets.models.adaptations.language.text_heads import HeadKind
from robust_tickets.models.network import Network
from robust_tickets.models.sources import Source
from robust_tickets.models.tokens import Tokens

WORDS = (
    "a",
    "b",
    "the",
    "dog",
    "cat",
    "runs",
    "sleeps",
    "red",
    "blue",
    "fast",
    "slowly",
    "house",
    "in",
    "on",
    "and",
    ".",
)

BERT_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROBERTA_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")

HEADS = {
    "sequence": "AutoModelForSequenceClassification",
    "token": "AutoModelForTokenClassification",
    "span": "AutoModelForQuestionAnswering",
    "masked": "AutoModelForMaskedLM",
    "none": "AutoModel",
}

COUNTED = ("roberta", "xlm-roberta", "camembert", "mpnet")
"""Types whose positions begin after the id of padding."""

SMALL = {
    "vocab_size": 32,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
}

SIZES: dict[str, dict[str, Any]] = {
    "bert": SMALL,
    "roberta": {**SMALL, "type_vocab_size": 1},
    "xlm-roberta": {**SMALL, "type_vocab_size": 1},
    "camembert": {**SMALL, "type_vocab_size": 1},
    "distilbert": {
        "vocab_size": 32,
        "dim": 16,
        "n_layers": 2,
        "n_heads": 2,
        "hidden_dim": 24,
        "max_position_embeddings": 40,
    },
    "electra": {**SMALL, "embedding_size": 8},
    "deberta-v2": {
        **SMALL,
        "relative_attention": True,
        "position_buckets": 8,
        "pos_att_type": ["p2c", "c2p"],
        "max_relative_positions": -1,
    },
    "modernbert": {
        **SMALL,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "cls_token_id": 2,
        "eos_token_id": 3,
        "sep_token_id": 3,
        "local_attention": 8,
    },
    "mpnet": SMALL,
    "albert": {**SMALL, "embedding_size": 8},
}


def core_tokenizer(special: tuple[str, ...] = BERT_SPECIAL) -> tokenizers.Tokenizer:
    """Return a tokenizer of whole words, whose special tokens come first."""
    unknown, begin, end = ("[UNK]", "[CLS]", "[SEP]") if special == BERT_SPECIAL else ("<unk>", "<s>", "</s>")
    core = tokenizers.Tokenizer(
        models.WordLevel({word: number for number, word in enumerate((*special, *WORDS))}, unk_token=unknown)
    )
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.add_special_tokens(list(special))
    core.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} $B:1 {end}:1",
        special_tokens=[(token, special.index(token)) for token in (begin, end)],
    )
    return core


def tokenizer_of(kind: str = "bert", **options: Any) -> transformers.PreTrainedTokenizerFast:
    """Return a fast tokenizer of transformers for a type of model."""
    special = ROBERTA_SPECIAL if kind in COUNTED else BERT_SPECIAL
    pad, mask = (next(token for token in special if word in token.lower()) for word in ("pad", "mask"))
    core = core_tokenizer(special)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=core, pad_token=pad, mask_token=mask, **options)


def language_model(kind: str = "bert", head: str = "sequence", **options: Any) -> Any:
    """Return a tiny model of transformers with random weights, in evaluation mode."""
    torch.manual_seed(0)
    configuration = transformers.AutoConfig.for_model(kind, **{**SIZES[kind], **options})
    model = getattr(transformers, HEADS[head]).from_config(configuration)
    for parameter in model.parameters():  # zeros and ones hide mistakes
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model.eval()


def language_folder(folder: Path, kind: str = "bert", head: str = "sequence", **options: Any) -> Path:
    """Write a tiny model with its tokenizer, by transformers' own functions."""
    language_model(kind, head, **options).save_pretrained(folder)
    tokenizer_of(kind).save_pretrained(folder)
    return folder


TEXTS = ["the dog runs fast .", "a cat"]
QUERY = "bert.encoder.layer.0.attention.self.query.weight"


def inputs_of(source: Source) -> dict[str, Tensor]:
    """Return two texts of different lengths as a batch."""
    tokens = tokens_of(source.network)
    encodings = tokens.tokenizer.encode(TEXTS, tokens.length)
    longest = max(len(encoding.ids) for encoding in encodings)
    ids = torch.full((len(TEXTS), longest), tokens.pad)
    mask = torch.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding.ids)] = torch.tensor(encoding.ids)
        mask[row, : len(encoding.ids)] = 1
    whole = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    return {name: whole[name] for name in tokens.inputs}


def tokens_of(network: Network) -> Tokens:
    assert isinstance(network.interface, Tokens)
    return network.interface


def body_of(network: Network) -> LanguageBody:
    assert isinstance(network.body, LanguageBody)
    return network.body


def encoder_state(network: Network) -> dict[str, Tensor]:
    prefix = f"{body_of(network).held.base_model_prefix}."
    return {name: tensor for name, tensor in network.plain_state().items() if name.startswith(prefix)}


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return list(left) == list(right) and all(torch.equal(left[name], right[name]) for name in left)


def rehead(network: Network, head: HeadKind, classes: int = 3, seed: int = 0) -> Network:
    twin = copy.deepcopy(network)
    return LanguageHead(head=head).adapted(twin, classes, twin.interface, seed, "the network")


def changed_json(file: Path, **changes: Any) -> None:
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, **changes}))


def altered(folder: Path, change: Any) -> None:
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")
