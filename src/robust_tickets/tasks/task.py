"""What every task offers; the loop, the verbs and the measures know none by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings
from robust_tickets.measures.measure import Measure
from robust_tickets.measures.metric import Metric
from robust_tickets.objectives.objective import Criterion, Objective
from robust_tickets.tasks.own_classes import has_own_classes

if TYPE_CHECKING:
    from robust_tickets.data.splits import DataSplits
    from robust_tickets.foundation.batch import Batch
    from robust_tickets.measures.evaluation import Evaluation
    from robust_tickets.models.adaptations.adaptation import Adaptation
    from robust_tickets.models.network import Network

Head = Literal["fresh", "keep"]
"""Whether a network gets a new last layer for the target's classes."""


class Task(Settings, ABC):
    """What a label is, how a source becomes its network, and by which figure it is judged.

    A subclass has a literal `kind`, by which recipes name it.
    """

    target_kind: ClassVar[str]
    """The kind of target that it learns from, as `DataSplits.target_kind` names it; data imply their task."""
    asks: ClassVar[str]
    """What it asks of data, for messages: `a label for every pixel`; `{one}` stands for what one of the inputs is."""
    provides: ClassVar[frozenset[str]]
    """What it offers to objectives, attacks and measures, which say what they need: `pixel-inputs` or `text-inputs`
    (data have one of them), `loss` (one per example), class `logits` (of whatever the classes are of), `image-logits`
    and `image-labels` (of whole images or texts), `imitation` (outputs that can be held against a teacher's),
    `views` (several of each image)."""
    supervised: ClassVar[bool] = True
    """Whether it learns from labels; otherwise from several views of each image."""
    keeps_body: ClassVar[bool] = False
    """Whether a source's own network does it, under its own kind of head."""

    @abstractmethod
    def adapt(
        self, network: Network, splits: DataSplits, head: Head, seed: int, name: str, where: str = "head"
    ) -> Network:
        """Return the network that is trained on these data; `network`, from which it is made, is taken apart.

        Args:
            network: the source, or a ticket's subnetwork.
            splits: the target.
            head: whether the source's last layer is kept.
            seed: of the head.
            name: what messages call the network.
            where: which setting `head` is, for messages.

        Raises:
            UserError: the network cannot do this task, or its head cannot be kept.
        """

    @abstractmethod
    def criterion(self, label_smoothing: float) -> Criterion:
        """Return what is minimised, given outputs and targets.

        Args:
            label_smoothing: probability spread over all classes, in [0, 1).
        """

    @abstractmethod
    def metric(self, classes: Sequence[str]) -> Metric:
        """Return what selects epochs, and what is measured and decided on in the end."""

    def asking(self, batch: Batch) -> Batch:
        """Return a training batch that tells the network what is asked for, if that spares work; by default as it is.

        Outputs may then be of that alone; the criterion takes either.
        """
        return batch

    def done_by(self, adaptation: Adaptation | None) -> bool:
        """Say whether networks with this adaptation do this task; by default those that none has changed do."""
        return adaptation is None

    def does_it(self, network: Network) -> bool:
        """Say whether a network does this task as it is."""
        from robust_tickets.models.adaptations.adapted_body import adaptation_of

        return self.done_by(adaptation_of(network.body))

    def head_size(self, splits: DataSplits) -> int:
        """Return how many outputs a head for these data has."""
        return len(splits.classes)

    def has_head_for(self, network: Network, splits: DataSplits) -> bool:
        """Say whether a network has a head for these data as it is."""
        if not self.does_it(network) or network.headless or network.num_classes != self.head_size(splits):
            return False
        return has_own_classes(network, splits)

    def pretrained(self, network: Network, splits: DataSplits, seed: int, name: str) -> Network:
        """Return the network that is pretrained on these data: as it is, if it has a head for them; see `adapt`."""
        if self.has_head_for(network, splits):
            return network
        return self.adapt(network, splits, "fresh", seed, name)

    def under(self, objective: Objective) -> Task:
        """Return the task with what an objective decides that the user left open; by default as it is."""
        return self

    def as_source(self, trained: Network, source: Network) -> Network:
        """Return what is kept of a network that was pretrained from `source`; by default all of it."""
        return trained

    def require_data(self, splits: DataSplits) -> None:
        """Refuse data that this task does not learn from.

        Raises:
            UserError: says what they are for.
        """
        if splits.target_kind != self.target_kind:
            kind = self.model_dump()["kind"]
            asks = self.asks.format(one=splits.one)
            raise UserError(f"task: {kind}: {splits.name} {splits.target_words}; leave it out, or give {asks}")

    def require_measures(
        self,
        splits: DataSplits,
        robustness: Evaluation | None,
        measures: Sequence[Measure],
        classes: int | None = None,
    ) -> None:
        """Refuse what cannot be measured on data of this task, before anything is trained.

        Args:
            splits: the target, at the network's size and channels.
            robustness: the attack that is decided on; None for none.
            measures: further measures.
            classes: how many classes the network has; None: as many as the data.

        Raises:
            UserError: an attack or a measure that does not fit task or data: their labels, classes, channels or size.
        """
        classes = len(splits.classes) if classes is None else classes
        if robustness is not None:
            robustness.require_for(splits, self.provides - splits.lacks, classes)
        for measure in measures:
            # An attack that is decided on may be for pixels; as a further measure it has figures of whole images.
            Measure.require_for(measure, splits, self.provides - splits.lacks, classes)
            measure.require_for(splits, self.provides - splits.lacks, classes)

    def describe(self) -> str:
        """Return a few words for tables on the network that it makes; nothing if that is the source's own."""
        return ""

    def recorded(self) -> dict[str, Any]:
        """Return what a run's record says about the task, besides its other settings."""
        return {"segmentation": None, "task": self.model_dump(mode="json")}
