"""Small networks for texts, with a tokenizer of words in them."""

import hashlib
import json
from typing import Any

import numpy as np
import tokenizers
from tokenizers import models, pre_tokenizers, processors

from robust_tickets.runtime.graph import TOKENS, Graph, Node, Weight
from robust_tickets.runtime.reference import interpret

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "the", "dog", "cat", "runs", "sleeps", "fast", ".")
VOCABULARY, LENGTH, WIDTH = 20, 40, 16


def word_tokenizer(*, special: bool = True) -> str:
    """Return the JSON of a tokenizer of whole words, with BERT's special tokens around texts or without."""
    core = tokenizers.Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.add_special_tokens(list(WORDS[:4]))
    if special:
        core.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    return core.to_str()


def stated(tokenizer: str | None = None, length: int = LENGTH, **others: Any) -> dict[str, str]:
    """Return what a file says about its texts."""
    content = word_tokenizer() if tokenizer is None else tokenizer
    digest = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
    said = {"length": length, "pad": 0, "tokenizer": digest, **others}
    return {name: json.dumps(value) for name, value in said.items()} | {"tokenizer.json": content}


def text_graph(
    *, by_token: bool = False, length: int = LENGTH, metadata: dict[str, str] | None = None, types: bool = True
) -> Graph:
    """Return one layer of attention on words, types and positions: 3 logits of a text, or of each token."""
    random = np.random.default_rng(0)
    weights: dict[str, Weight] = {}
    nodes: list[Node] = []

    def weight(*shape: int) -> str:
        name = f"w{len(weights)}"
        values = random.standard_normal(shape).astype(np.float32) / np.float32(
            shape[-1 if len(shape) < 3 else 1] ** 0.5
        )
        weights[name] = Weight(shape, values.ravel())
        return name

    def node(op: str, *inputs: str, weights: dict[str, str] | None = None, **attributes: Any) -> str:
        name = f"{op}{len(nodes)}"
        nodes.append(Node(op, name, inputs, f"{name}.out", attributes, weights or {}))
        return nodes[-1].output

    def matrix(x: str, outputs: int) -> str:
        window = {"stride": [1, 1], "padding": [0, 0, 0, 0], "dilation": [1, 1], "groups": 1}
        return node("conv", x, **window, weights={"weight": weight(outputs, WIDTH, 1, 1), "bias": weight(outputs)})

    names = TOKENS if types else TOKENS[:2]
    x = node("embed", "tokens", row=0, weights={"table": weight(VOCABULARY, WIDTH)})
    if types:
        x = node("add", x, node("embed", "tokens", row=2, weights={"table": weight(2, WIDTH)}))
    x = node("sequence", x, weights={"positions": weight(WIDTH, length)})
    mask = node("slice", "tokens", start=1, stop=2)
    seen = node("attention", *(matrix(x, WIDTH) for _ in range(3)), mask, heads=2, key_heads=2, scale=0.35)
    x = node("layer_norm", node("add", x, seen), epsilon=1e-6, weights={"scale": weight(WIDTH), "shift": weight(WIDTH)})
    if by_token:
        x = matrix(x, 3)
    else:
        x = node("reshape", node("tokens", x, start=0, stop=1), shape=[WIDTH])
        x = node("linear", x, weights={"weight": weight(3, WIDTH), "bias": weight(3)})
    said = stated(length=length) if metadata is None else metadata
    return Graph("tokens", (len(names), 1, length), tuple(nodes), x, weights, said, names)


def text_tokens(lengths: list[int], longest: int | None = None, seed: int = 0) -> dict[str, np.ndarray]:
    """Return random texts of these lengths, filled up to the longest, int64 [N, L] by name."""
    random, longest = np.random.default_rng(seed), longest or max(lengths)
    shape = (len(lengths), longest)
    mask = (np.arange(longest) < np.array(lengths)[:, None]).astype(np.int64)
    return {
        "input_ids": random.integers(0, VOCABULARY, shape) * mask,
        "attention_mask": mask,
        "token_type_ids": random.integers(0, 2, shape) * mask,
    }


def expected_logits(graph: Graph, tokens: dict[str, np.ndarray]) -> np.ndarray:
    """Return what the reference gives, [N, 3], or of a network that answers for tokens [N, L, 3], 0 at padding."""
    rows = np.stack([tokens[name] for name in graph.tokens], 1)[:, :, None].astype(np.float32)
    found = interpret(graph.of_length(rows.shape[-1]), rows)
    if found.ndim == 2:
        return found
    return found[:, :, 0].swapaxes(1, 2) * tokens["attention_mask"][..., None]
