"""Tiny language models as transformers itself writes them, for tests."""

from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers
from tokenizers import models, pre_tokenizers, processors

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
