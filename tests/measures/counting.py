"""A text classifier that counts words, under examination: every answer can be found by hand."""

from collections.abc import Mapping, Sequence

import torch
from tokenizers import Tokenizer as Core
from tokenizers import models, normalizers, pre_tokenizers, processors
from torch import Tensor

from robust_tickets.data.batches import batches
from robust_tickets.data.examples import Examples, Listing
from robust_tickets.data.targets.class_numbers import ClassNumbers
from robust_tickets.data.texts.texts import Text, Texts
from robust_tickets.measures.examinee import Examinee
from robust_tickets.tokens.format import TokenFormat
from robust_tickets.tokens.tokenizer import Tokenizer

WEIGHTS = {"fine": 2.0, "nice": 3.0, "decent": 1.0, "okay": -1.0, "mild": -0.5, "the": 0.0, "boat": 0.0, "dull": -1.0}
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
NAMES = ("input_ids", "attention_mask", "token_type_ids")


def counting_format() -> TokenFormat:
    core = Core(models.WordLevel({word: n for n, word in enumerate((*SPECIAL, *WEIGHTS))}, unk_token="[UNK]"))
    core.normalizer = normalizers.Lowercase()
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.add_special_tokens(list(SPECIAL))
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = Tokenizer.of(core.to_str().encode())
    return TokenFormat(tokenizer, 24, len(SPECIAL) + len(WEIGHTS), 0, None, NAMES)


class Counter:
    """Class 1 where the weights of a text's words make more than 0. Padding that counted would spoil every sum."""

    def __init__(self) -> None:
        self.weights = torch.tensor([50.0, 0.0, 0.0, 0.0, *WEIGHTS.values()])
        self.rows: list[int] = []

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        assert tuple(inputs) == NAMES
        self.rows.append(len(inputs["input_ids"]))
        sums = (self.weights[inputs["input_ids"]] * inputs["attention_mask"]).sum(1)
        return torch.stack([torch.zeros_like(sums), sums], 1)


def text_examinee(predict: Counter, texts: Sequence[Text], labels: Sequence[int], batch: int = 3) -> Examinee:
    examples = Examples(Listing.whole(Texts(texts), ClassNumbers(torch.tensor(labels))), counting_format())

    def limited(limit: int | None) -> Examples:
        return examples.subset(torch.arange(min(limit or len(examples), len(examples))))

    return Examinee(
        predict,
        predict,
        lambda limit: batches(limited(limit), batch_size=batch, seed=0, train=False),
        lambda limit, count: [],
        limited,
        lambda settings, limit: [],
        seed=0,
    )
