"""Self-supervision: learning from several views of each image, without labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, final

from pydantic import Field

from robust_tickets.attacks.aim import MISCLASSIFICATION, Aim
from robust_tickets.data.augmentation import STILL
from robust_tickets.foundation.errors import UserError
from robust_tickets.measures.metric import Metric
from robust_tickets.measures.nearest_neighbours import NearestNeighbours
from robust_tickets.models.adaptations.adaptation import Adaptation
from robust_tickets.models.adaptations.projection_head import ProjectionHead
from robust_tickets.objectives.objective import Criterion, Objective
from robust_tickets.tasks.task import Head, Task

if TYPE_CHECKING:
    from torch import Tensor

    from robust_tickets.data.splits import DataSplits
    from robust_tickets.models.network import Network

OUTPUTS, PROTOTYPES = 128, 2048
"""Width of a projection (SimCLR, MoCo), and how many prototypes there are by default (DINO on ImageNet has 65536)."""


@final
class SelfSupervision(Task):
    """Features in which views of an image are alike, under a projector; judged by nearest neighbours.

    Labels are used for that judgement alone: images need none to be learned from. Of a source that was pretrained so,
    the projector lies beside the network, and `head: keep` takes it up.
    """

    target_kind = "unlabelled"
    asks = "images, whose labels do not matter"
    provides = frozenset({"pixel-inputs", "views"})
    supervised: ClassVar[bool] = False
    made: ClassVar[type[Adaptation]] = ProjectionHead
    """What is recorded of a network that trains so."""
    kind: Literal["self-supervision"] = "self-supervision"
    hidden: int | None = Field(
        default=None, ge=1, description="Width of the projector's hidden layer; absent: that of the features."
    )
    outputs: int | None = Field(
        default=None, ge=2, description="Width of the projection, or number of prototypes; absent: 128, or 2048."
    )
    prototypes: bool | None = Field(
        default=None,
        description="Whether the outputs are scores of prototypes; absent: as the objective learns (dino: true).",
    )

    @property
    def projection(self) -> ProjectionHead:
        """Return what the projector is made of."""
        return ProjectionHead(hidden=self.hidden, prototypes=bool(self.prototypes))

    def under(self, objective: Objective) -> Task:
        """Return the task with outputs as the objective learns them."""
        if self.prototypes is not None:
            return self
        return self.model_copy(update={"prototypes": objective.scores_prototypes})

    def head_size(self, splits: DataSplits) -> int:
        """Return the width of the projection, or the number of prototypes."""
        return self.outputs or (PROTOTYPES if self.prototypes else OUTPUTS)

    def done_by(self, adaptation: Adaptation | None) -> bool:
        """Return whether such networks have a projector."""
        return isinstance(adaptation, self.made)

    def has_head_for(self, network: Network, splits: DataSplits) -> bool:
        """Return whether a network trains under such a projector."""
        return self.does_it(network) and network.num_classes == self.head_size(splits)

    def adapt(
        self, network: Network, splits: DataSplits, head: Head, seed: int, name: str, where: str = "head"
    ) -> Network:
        """Return the network under a projector: a fresh one, or the one that it was pretrained under.

        Raises:
            UserError: see `Task.adapt`; also a projector that is to be kept where there is none, or another one.
        """
        from robust_tickets.models.adaptations.adapted_body import AdaptedBody
        from robust_tickets.models.adaptations.projection import put_projector
        from robust_tickets.tasks.target import as_evaluated

        if isinstance(network.body, AdaptedBody):
            if self.does_it(network) and head == "keep":
                return network
            raise UserError(f"{where}: {name} {network.body.does}; give the source it came from")
        wanted, outputs, kept = self.projection, self.head_size(splits), network.projector
        if head == "keep" and kept is None:
            raise UserError(f"{where}: keep: {name} came without a projector; use {where}: fresh, which trains one")
        if head == "keep" and kept is not None and (kept.head, kept.outputs) != (wanted, outputs):
            raise UserError(
                f"{where}: keep: the projector of {name} is {projector_words(kept.head, kept.outputs)}, but "
                f"{projector_words(wanted, outputs)} is asked for; ask for that of the source, or use {where}: fresh"
            )
        interface = as_evaluated(network.interface, splits)
        made = wanted.adapted(network, outputs, interface, seed, name)
        if head == "keep" and kept is not None:
            put_projector(made, kept, name)
        return made

    def pretrained(self, network: Network, splits: DataSplits, seed: int, name: str) -> Network:
        """Return the network under its own projector, if it has such a one, or under a fresh one."""
        if self.has_head_for(network, splits):
            return network
        kept = network.projector
        fits = kept is not None and (kept.head, kept.outputs) == (self.projection, self.head_size(splits))
        return self.adapt(network, splits, "keep" if fits else "fresh", seed, name)

    def as_source(self, trained: Network, source: Network) -> Network:
        """Return the plain architecture, headless, with the projector beside it."""
        from robust_tickets.models.adaptations.projection import ProjectionNetwork, as_plain

        if not isinstance(trained.body, ProjectionNetwork) or self.does_it(source):
            return trained
        return as_plain(trained, source, self.projection)

    def criterion(self, label_smoothing: float) -> Criterion:
        """Return what refuses to be asked: there are no labels."""
        return NoLabels()

    def metric(self, classes: Sequence[str]) -> Metric:
        """Return the accuracy of nearest neighbours."""
        return NearestNeighbours()

    def require_data(self, splits: DataSplits) -> None:
        """Refuse data that are not whole images; of labels whole ones may be there.

        Raises:
            UserError: says what they are for.
        """
        if STILL not in splits.train.targets.provides or "pixel-inputs" in splits.lacks:
            raise UserError(
                f"task: self-supervision: {splits.name} {splits.target_words}; give images without labels, or with one "
                "label each"
            )

    def describe(self) -> str:
        """Return a few words for tables."""
        return "views without labels"


def projector_words(head: ProjectionHead, outputs: int) -> str:
    """Return what a projector is, for messages."""
    hidden = f", hidden layers {head.hidden} wide" if head.hidden is not None else ""
    return f"{outputs} {'prototypes' if head.prototypes else 'wide'}{hidden}"


class NoLabels:
    """The criterion of data without labels: it cannot be asked."""

    aim: Aim = MISCLASSIFICATION

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        """Refuse.

        Raises:
            UserError: says what does without labels.
        """
        raise UserError("there are no labels to learn from; use an objective that learns from views of each image")

    def imitation(self, outputs: Any, taught: Any, targets: Any, temperature: float) -> Tensor:
        """Refuse; see `Task.provides`."""
        raise NotImplementedError("projections are not imitated")
