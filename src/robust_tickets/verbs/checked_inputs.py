"""What a runtime file is checked with: random inputs, test data, and what must not spread to others."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.batch import sliced
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import generator
from robust_tickets.foundation.settings import parse
from robust_tickets.models.interface import Interface
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.tokens import EXAMPLE_LENGTH, Tokens
from robust_tickets.runtime.graph import Graph
from robust_tickets.runtime.load import Runtime
from robust_tickets.runtime.texts import IDS, MASK, stated_texts
from robust_tickets.tasks.target import fitted_data
from robust_tickets.verbs.measure import in_order

IMAGES = 10
"""Number of random images."""

TEXTS = 5
"""Number of random texts of a length."""


class CheckedInputs(ABC):
    """What a runtime file of some kind is checked with."""

    noun: ClassVar[str]
    """As the file's runtime calls its inputs."""
    spreads: ClassVar[str]
    """What is wrong where `isolates` says no."""

    @staticmethod
    @abstractmethod
    def random(graph: Graph) -> list[Any]:
        """Return batches of random inputs, the same at every call."""

    @staticmethod
    @abstractmethod
    def interface(said: Mapping[str, str], path: Path) -> Interface:
        """Return how data become the file's inputs.

        Args:
            said: the file's metadata.
            path: the file, for messages.

        Raises:
            UserError: it does not say.
        """

    @staticmethod
    @abstractmethod
    def isolates(runtime: Runtime, inputs: Any) -> bool:
        """Return whether what has no part in an input leaves its logits alone, to the bit."""

    @classmethod
    def of_data(cls, data: str, graph: Graph, path: Path, limit: int) -> list[Any]:
        """Return test inputs of data as the file's network takes them, in batches.

        Raises:
            UserError: the file does not say how data become its input, or they do not fit.
        """
        splits = fitted_data(DataSettings(name=data), cls.interface(graph.metadata, path), path.name, 0)
        if not len(splits.test):
            raise UserError(f"{data}: has no test {cls.noun}; give data that do")
        return [inputs for inputs, _ in in_order(splits.test, limit)]


class CheckedImages(CheckedInputs):
    """Images in [0, 1]."""

    noun = "images"
    spreads = "an image that contains a NaN does not give NaN, or affects other images"

    @staticmethod
    def random(graph: Graph) -> list[Tensor]:
        """Return uniform noise."""
        return [torch.rand((IMAGES, *graph.input_shape), generator=generator(0, "check"))]

    @staticmethod
    def interface(said: Mapping[str, str], path: Path) -> Pixels:
        """Return the preprocessing that the file states."""
        try:
            values = {name: json.loads(said[name]) for name in Pixels.model_fields}
        except (KeyError, json.JSONDecodeError):
            raise UserError(
                f"{path}: does not say how images become its input (mean, std, size); write it with tickets shrink"
            ) from None
        return parse(Pixels, values, str(path))

    @staticmethod
    def isolates(runtime: Runtime, inputs: Tensor) -> bool:
        """Return whether an image with a NaN gives only NaN, and the others what they give without it."""
        broken = inputs[:3].clone()
        broken[1, ..., -1] = float("nan")
        logits, whole = runtime(broken), runtime(inputs[:3])
        return bool(logits[1].isnan().all()) and torch.equal(logits[[0, 2]], whole[[0, 2]])


class CheckedTexts(CheckedInputs):
    """Texts as tokens."""

    noun = "texts"
    spreads = "what stands at padding, or in other texts, changes the logits of a text"

    @staticmethod
    def random(graph: Graph) -> list[dict[str, Tensor]]:
        """Return texts of random tokens and types: of few and of many tokens, some filled up.

        There are few lengths: on first use, each is measured.
        """
        texts, chance = stated_texts(graph), generator(0, "check")
        batches = []
        for length in sorted({2, min(EXAMPLE_LENGTH + 1, texts.length), texts.length}):
            counts = torch.tensor([length, length, max(1, length - 1), (length + 1) // 2, 1])
            mask = (torch.arange(length) < counts[:, None]).long()
            drawn = {
                name: torch.randint(size, (TEXTS, length), generator=chance)
                for name, size in zip(texts.names, texts.sizes, strict=True)
            }
            # At padding is what is there in texts of data, too.
            filled = {name: torch.where(mask == 1, one, texts.pad * (name == IDS)) for name, one in drawn.items()}
            batches.append({**filled, MASK: mask})
        return batches

    @staticmethod
    def interface(said: Mapping[str, str], path: Path) -> Tokens:
        """Return the tokenizer that lies in the file."""
        return Tokens.of_file(said, str(path))

    @staticmethod
    def isolates(runtime: Runtime, inputs: dict[str, Tensor]) -> bool:
        """Return whether a text gives alone what it gives among others, filled up with other tokens or not at all."""
        mask = inputs[MASK]
        whole = runtime({**inputs, IDS: torch.where(mask == 1, inputs[IDS], 0)})
        if not torch.equal(whole, runtime({**inputs, IDS: torch.where(mask == 1, inputs[IDS], 1)})):
            return False
        for index, count in enumerate(mask.sum(1).tolist()):
            one = {name: values[:, :count] for name, values in sliced(inputs, index, index + 1).items()}
            shown = whole[index : index + 1]
            if not torch.equal(runtime(one), shown[:, :count] if shown.dim() == 3 else shown):
                return False
        return True


CHECKED: dict[str, type[CheckedInputs]] = {kind.noun: kind for kind in (CheckedImages, CheckedTexts)}
"""By what goes into a loaded file."""
