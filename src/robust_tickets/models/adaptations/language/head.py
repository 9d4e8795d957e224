"""What an encoder gets to label texts, words or spans, or to guess hidden words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from robust_tickets.models.adaptations.adaptation import Adaptation

if TYPE_CHECKING:
    from robust_tickets.models.interface import Interface
    from robust_tickets.models.network import Network

HeadKind = Literal["sequence", "token", "span", "masked"]


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

    def gives(self, num_classes: int) -> str:
        """Return what comes out."""
        return {
            "sequence": f"{num_classes} classes" if num_classes > 1 else "one number for each text",
            "token": f"one of {num_classes} classes for each token",
            "span": "where the answer begins and ends",
            "masked": f"one of {num_classes:,} words for each token",
        }[self.head]
