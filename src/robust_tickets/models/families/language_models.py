"""Language models: encoders as transformers builds them, by type, and a tiny one of our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.language.body import LanguageBody
from robust_tickets.models.adaptations.language.building import new_model
from robust_tickets.models.adaptations.language.configuration import configuration_of
from robust_tickets.models.adaptations.language.head import LanguageHead
from robust_tickets.models.adaptations.language.library import ENCODERS, head_of
from robust_tickets.models.families.downloads import Downloads
from robust_tickets.models.families.family import ArchitectureOptions, Loaded
from robust_tickets.models.pixels import Pixels


class LanguageModels:
    """`hf/<type>`: an encoder of transformers, by the name of its type, as in `hf/bert`.

    Models of the Hub have names that begin alike, `hf/OWNER/NAME`; what is recorded of them is their type and
    their configuration. See `language_sources.py`.
    """

    prefix = "hf/"
    sizes: ClassVar[Mapping[str, Mapping[str, Any]]] = {kind: {} for kind in ENCODERS}
    """Type -> what is not as transformers has it by default."""
    texts: ClassVar[str | None] = None
    """What a vocabulary is learned from where no tokenizer is given; None: one has to be."""

    def names(self) -> list[str]:
        """Return every type."""
        return [f"{self.prefix}{kind}" for kind in self.sizes]

    def knows(self, name: str) -> bool:
        """Return whether there is such a type."""
        return name in self.sizes

    def tags(self, name: str) -> list[str]:
        """Return nothing: a type has no weights of its own."""
        return []

    def configuration(self, name: str) -> dict[str, Any]:
        """Return what a type is built from where nothing else is given."""
        return {"model_type": name, **self.sizes[name]}

    def build(self, name: str, shape: ArchitectureOptions) -> nn.Module:
        """Return a model with random weights: of a configuration with the head that it names, else to label texts."""
        content = dict(shape.configuration or self.configuration(name))
        configuration = configuration_of(content, f"{self.prefix}{name}")
        architectures = content.get("architectures") or [None]
        head = head_of(architectures[0], configuration) or "sequence"
        if LanguageHead(head=head).form.has_classes and shape.num_classes not in (None, configuration.num_labels):
            configuration.num_labels = shape.num_classes
        return LanguageBody(new_model(configuration, head), LanguageHead(head=head))

    def pretrained(self, name: str, tag: str | None, shape: ArchitectureOptions, downloads: Downloads) -> Loaded:
        """Refuse: weights have a name of their own, or a folder."""
        raise UserError(
            f"{self.prefix}{name}: is a type of language model, without weights; name a model of the Hub "
            "(hf/OWNER/NAME) or a folder, or give weights: random"
        )

    def preprocessing(self, name: str, body: nn.Module, in_channels: int) -> tuple[Pixels | None, str]:
        """Return nothing: a tokenizer is never presumed."""
        return None, ""


class TinyLanguageModels(LanguageModels):
    """`tiny/bert`: a BERT that a CPU pretrains in minutes."""

    prefix = "tiny/"
    texts = "tales"
    sizes: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "bert": {
            "hidden_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 512,
            "max_position_embeddings": 128,
        }
    }
