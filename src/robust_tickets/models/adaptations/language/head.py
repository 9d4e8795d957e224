"""What an encoder gets to label texts, words or spans, or to guess hidden words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from robust_tickets.models.adaptations.adaptation import Adaptation
from robust_tickets.models.adaptations.language.text_heads import TEXT_HEADS, HeadKind, TextHead

if TYPE_CHECKING:
    from robust_tickets.models.interface import Interface
    from robust_tickets.models.network import Network


class LanguageHead(Adaptation):
    """What an encoder gets to label texts, words or spans, or to guess hidden words."""

    kind: Literal["language"] = "language"
    head: HeadKind = Field(
        default="sequence",
        description="sequence: a label or a number for each text; token: a label for each token; span: where an "
        "answer begins and ends; masked: the word behind each mask.",
    )

    def adapted(self, network: Network, num_classes: int, interface: Interface, seed: int, name: str) -> Network:
        """Return the same encoder under a fresh head; see `rehead` in `body.py`."""
        from robust_tickets.models.adaptations.language.body import rehead

        return rehead(network, self, num_classes, interface, seed, name)

    @property
    def classifier(self) -> LanguageHead:
        """The head that labels texts."""
        return LanguageHead(head="sequence")

    @property
    def form(self) -> TextHead:
        """What is particular about this kind of head."""
        return TEXT_HEADS[self.head]

    def gives(self, num_classes: int) -> str:
        """Return what comes out."""
        return self.form.gives(num_classes)
