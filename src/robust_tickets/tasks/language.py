"""Tasks that ask a language model for something else than a label for each text."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, ClassVar, Literal

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.language.head import LanguageHead
from robust_tickets.tasks.own_classes import require_own_classes
from robust_tickets.tasks.task import Head, Task

if TYPE_CHECKING:
    from robust_tickets.data.splits import DataSplits
    from robust_tickets.models.adaptations.adaptation import Adaptation
    from robust_tickets.models.network import Network


class LanguageTask(Task, ABC):
    """A task of an encoder under one of Hugging Face's heads; pretraining and draws train it too."""

    keeps_body = True
    language_head: ClassVar[Literal["sequence", "token", "span", "masked"]]
    """Which head does it."""

    def done_by(self, adaptation: Adaptation | None) -> bool:
        """Return whether such networks have this head."""
        return adaptation == LanguageHead(head=self.language_head)

    def adapt(
        self, network: Network, splits: DataSplits, head: Head, seed: int, name: str, where: str = "head"
    ) -> Network:
        """Return the encoder under the head that does the task: its own where that is kept, or else a fresh one."""
        # Imported here: settings of tasks are read before torch is loaded.
        from robust_tickets.tasks.target import as_evaluated

        outputs = self.head_size(splits)
        if head == "keep":
            if not self.does_it(network):
                raise UserError(
                    f"{where}: keep: {name} has no head that {self.does}, as {splits.name} needs; use {where}: fresh"
                )
            network.require_head(f"{where}: keep")
            if network.num_classes != outputs:
                raise UserError(
                    f"{where}: keep: {name} has {network.num_classes} outputs, but {splits.name} needs {outputs}; use "
                    f"{where}: fresh"
                )
            require_own_classes(network, splits, where)
            return network
        interface = as_evaluated(network.interface, splits)
        return LanguageHead(head=self.language_head).adapted(network, outputs, interface, seed, name)

    does: ClassVar[str]
    """What such a head does, for messages: `guesses hidden words`."""
