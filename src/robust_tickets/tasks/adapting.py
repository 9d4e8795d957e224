"""Tasks that need another body than a source's own: its layers are adapted, or have been already."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, ClassVar

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adaptation import Adaptation
from robust_tickets.tasks.classification import fit_head
from robust_tickets.tasks.task import Head, Task

if TYPE_CHECKING:
    from robust_tickets.data.splits import DataSplits
    from robust_tickets.models.network import Network


class AdaptingTask(Adaptation, Task, ABC):
    """A task whose settings are those of an adaptation."""

    adaptation: ClassVar[type[Adaptation]]
    """What is recorded of a network that does the task."""

    def adapt(
        self, network: Network, splits: DataSplits, head: Head, seed: int, name: str, where: str = "head"
    ) -> Network:
        """Return the network that does the task; of one that does already, with a head for these classes or its own."""
        from robust_tickets.models.adaptations.adapted_body import AdaptedBody
        from robust_tickets.models.forward_trace import trace_forward

        if not self.does_it(network):
            if head == "keep":
                raise UserError(
                    f"{where}: keep: {name} labels whole images, but {splits.name} {splits.target_words}; use "
                    f"{where}: fresh"
                )
            made = self.adaptation.model_validate(self.model_dump())
            interface = network.pixels.model_copy(update={"size": splits.size})
            adapted = made.adapted(network, len(splits.classes), interface, seed, name)
            try:
                trace_forward(adapted.body, interface, name)
            except UserError as error:
                raise UserError(f"{splits.name}: {error}; give a larger data.size") from None
            return adapted
        if self.model_fields_set - {"kind"}:
            assert isinstance(network.body, AdaptedBody)
            kind = self.model_dump()["kind"]
            raise UserError(f"task: {kind}: {name} already {network.body.does}, with its own head; leave it out")
        fit_head(network, splits, head, seed, where)
        return network

    def done_by(self, adaptation: Adaptation | None) -> bool:
        """Return whether such networks were adapted to this task."""
        return isinstance(adaptation, self.adaptation)
