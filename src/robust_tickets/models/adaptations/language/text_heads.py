"""The four kinds of head on an encoder: what each is called, what comes out of it, and what that means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

from robust_tickets.foundation.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor

HeadKind = Literal["sequence", "token", "span", "masked"]

ASKED = "asked"
"""The name in a batch of inputs, besides those of transformers, of the tokens whose logits alone are wanted."""


class TextHead(ABC):
    """What is particular about a kind of head; the layers are transformers' own."""

    does: ClassVar[str]
    """What a model with it does, for messages."""
    table: ClassVar[str]
    """The table in which transformers lists its classes, from configuration to model."""

    @abstractmethod
    def labels(self, num_classes: int) -> int | None:
        """Return how many labels the configuration of a fresh head has; None: it has no part in them."""

    @abstractmethod
    def width(self, configuration: Any) -> int:
        """Return the size of the last dimension of its logits."""

    @abstractmethod
    def gives(self, num_classes: int) -> str:
        """Return what comes out, for readers."""

    @property
    def has_classes(self) -> bool:
        """Whether its outputs are classes, of any number, that the configuration names."""
        return False

    def logits(self, outputs: Any) -> Tensor:
        """Return the one tensor of what transformers' model returns."""
        return outputs.logits

    def shape(self, num_classes: int) -> tuple[int | None, ...]:
        """Return the shape of the logits of two texts; None for the number of tokens."""
        return (2, None, num_classes)

    def decided(self, inputs: Mapping[str, Tensor], outputs: Tensor) -> Tensor | None:
        """Return which classes logits decide for, int64 [decisions]: by default of each token without padding."""
        return outputs.argmax(2)[inputs["attention_mask"].to(outputs.device) == 1]


@final
class SequenceHead(TextHead):
    """A label, or a number, for each text."""

    does = "labels texts"
    table = "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING"

    def labels(self, num_classes: int) -> int | None:
        """Return the number of classes."""
        return num_classes

    def width(self, configuration: Any) -> int:
        """Return the number of classes; 1 where it gives a number."""
        return configuration.num_labels

    def gives(self, num_classes: int) -> str:
        """Return what comes out."""
        return f"{num_classes} classes" if num_classes > 1 else "one number for each text"

    @property
    def has_classes(self) -> bool:
        """Return True."""
        return True

    def shape(self, num_classes: int) -> tuple[int | None, ...]:
        """Return [2, classes]."""
        return (2, num_classes)

    def decided(self, inputs: Mapping[str, Tensor], outputs: Tensor) -> Tensor | None:
        """Return the class of each text; None of numbers."""
        return outputs.argmax(1).flatten() if outputs.shape[1] > 1 else None


@final
class TokenHead(TextHead):
    """A label for each token."""

    does = "labels tokens"
    table = "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING"

    def labels(self, num_classes: int) -> int | None:
        """Return the number of classes."""
        return num_classes

    def width(self, configuration: Any) -> int:
        """Return the number of classes."""
        return configuration.num_labels

    def gives(self, num_classes: int) -> str:
        """Return what comes out."""
        return f"one of {num_classes} classes for each token"

    @property
    def has_classes(self) -> bool:
        """Return True."""
        return True


@final
class SpanHead(TextHead):
    """Where an answer begins and ends."""

    does = "finds answers in texts"
    table = "MODEL_FOR_QUESTION_ANSWERING_MAPPING"

    def labels(self, num_classes: int) -> int | None:
        """Return 2: how much speaks for each token as the first of the answer, and as its last."""
        return 2

    def width(self, configuration: Any) -> int:
        """Return 2."""
        return 2

    def gives(self, num_classes: int) -> str:
        """Return what comes out."""
        return "where the answer begins and ends"

    def logits(self, outputs: Any) -> Tensor:
        """Return what speaks for each token as the first and as the last, [N, L, 2]."""
        return torch.stack([outputs.start_logits, outputs.end_logits], dim=-1)

    def decided(self, inputs: Mapping[str, Tensor], outputs: Tensor) -> Tensor | None:
        """Return the first and the last token of each answer."""
        return outputs.argmax(1).flatten()


@final
class MaskedHead(TextHead):
    """The word behind each mask."""

    does = "guesses hidden words"
    table = "MODEL_FOR_MASKED_LM_MAPPING"

    def labels(self, num_classes: int) -> int | None:
        """Return None: its classes are the vocabulary."""
        return None

    def width(self, configuration: Any) -> int:
        """Return the size of the vocabulary."""
        return configuration.vocab_size

    def gives(self, num_classes: int) -> str:
        """Return what comes out."""
        return f"one of {num_classes:,} words for each token"


TEXT_HEADS: dict[HeadKind, TextHead] = {
    "sequence": SequenceHead(),
    "token": TokenHead(),
    "span": SpanHead(),
    "masked": MaskedHead(),
}
"""By the names that settings and files have for them."""
