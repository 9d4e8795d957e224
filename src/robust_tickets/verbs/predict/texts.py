"""Predictions of texts: by the head that the language model has."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import parse
from robust_tickets.models.adaptations.language.head import LanguageHead
from robust_tickets.models.adaptations.language.text_heads import HeadKind
from robust_tickets.models.network import Network
from robust_tickets.models.tokens import Tokens
from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.images import stated_classes
from robust_tickets.runtime.load import Runtime
from robust_tickets.shrinking.artefact import OnnxFile
from robust_tickets.shrinking.export import portable
from robust_tickets.verbs.predict.asked import AskedTexts
from robust_tickets.verbs.predict.given_texts import given_texts
from robust_tickets.verbs.predict.predictions import Predictions
from robust_tickets.verbs.predict.predictor import OnUnreadable, Predictor
from robust_tickets.verbs.predict.readings import answered, guessed, labelled, tagged

READINGS: dict[HeadKind, Callable[[AskedTexts], Predictions]] = {
    "sequence": labelled,
    "token": tagged,
    "span": answered,
    "masked": guessed,
}
"""What the logits of each head mean."""


@dataclass(frozen=True)
class TextPredictor(Predictor):
    """Logits of texts, and what is needed to go from strings to words."""

    noun: ClassVar[str] = "texts"
    name: str
    compute: Callable[[Any], Tensor]
    tokens: Tokens
    head: LanguageHead
    width: int
    """Logits of a text or token."""
    classes: tuple[str, ...] | None

    @classmethod
    def of_network(cls, name: str, network: Network, classes: tuple[str, ...] | None) -> "TextPredictor":
        """Return that of a torch network."""
        from robust_tickets.models.adaptations.language.body import LanguageBody

        body, tokens = network.body, network.interface
        assert isinstance(body, LanguageBody)
        assert isinstance(tokens, Tokens)
        compute = torch.no_grad()(portable(network))
        return cls(name, compute, tokens, body.adaptation, body.num_classes, classes or body.class_names)

    @classmethod
    def of_file(cls, file: OnnxFile) -> "TextPredictor":
        """Return that of an ONNX file, which holds its tokenizer and says which head it has."""
        return cls._of_said(str(file.path), file.metadata, file.predict, file.session.get_outputs()[0].shape[-1])

    @classmethod
    def of_runtime(cls, name: str, runtime: Runtime) -> "TextPredictor":
        """Return that of a runtime file, which holds its tokenizer and says which head it has."""
        return cls._of_said(name, runtime.graph.metadata, runtime.logits, runtime.output_shape[0])

    @classmethod
    def _of_said(
        cls, name: str, said: Mapping[str, str], compute: Callable[[Any], Tensor], outputs: int
    ) -> "TextPredictor":
        tokens = Tokens.of_file(said, name)
        try:
            head = parse(LanguageHead, json.loads(said["adaptation"]), name)
            classes = stated_classes(said)
        except (KeyError, ValueError) as error:
            why = error if isinstance(error, RuntimeFileError) else "does not say which head it has"
            raise UserError(f"{name}: {why}; write it again with tickets shrink") from None
        return cls(name, compute, tokens, head, outputs, classes)

    @property
    def outputs(self) -> int:
        """Logits of a text or token."""
        return self.width

    @property
    def adaptation(self) -> LanguageHead:
        """Its head."""
        return self.head

    @property
    def interface(self) -> Tokens:
        """The tokenizer, and how long texts may be."""
        return self.tokens

    def predicted(self, given: Any, top: int, on_unreadable: OnUnreadable) -> Predictions:
        """Return what the network says of each text."""
        texts = given_texts(given, self.name)
        asked = AskedTexts(self.name, texts, self.compute, self.tokens.format, self.outputs, self.classes, top)
        return READINGS[self.head.head](asked)
