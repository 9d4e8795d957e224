"""What a draw is made with: a copy of the network, its data, the plan, the weights that may go."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adapted_body import places_of
from robust_tickets.models.couplings import trace_couplings
from robust_tickets.models.gradients import require_gradients
from robust_tickets.models.layers import prunable_weights
from robust_tickets.models.network import Network
from robust_tickets.models.sources import Source
from robust_tickets.objectives.objective import Objective
from robust_tickets.pruning.composition import require_composable
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.needs import EXAMPLES
from robust_tickets.pruning.parametrisations.parametrisation import Parametrisation
from robust_tickets.pruning.plans import Plan
from robust_tickets.pruning.rewinds import AnyRewind
from robust_tickets.tasks.classification import Classification
from robust_tickets.tasks.kinds import task_for
from robust_tickets.tasks.target import Data, require_size, target_data
from robust_tickets.tasks.task import Task
from robust_tickets.training.batch_norm import has_batch_norm
from robust_tickets.training.batch_source import ImageBatches, no_batches
from robust_tickets.training.job import require_shapes_to_last
from robust_tickets.training.kept import require_keepable
from robust_tickets.training.targets import criterion_for
from robust_tickets.verbs.draw_settings import DEFAULT_SPARSITY, DrawSettings
from robust_tickets.verbs.teacher import named_teacher, require_trained_head


@dataclass(frozen=True)
class Preparation:
    """What a draw is made with: a copy of the network, the data it trains on, the plan, the weights that may go."""

    classifier: Network
    """As it trains: of the source, or made from it for the task."""
    task: Task
    splits: DataSplits | None
    """None if nothing trains."""
    batches: ImageBatches | None
    plan: Plan
    names: tuple[str, ...]
    """Of the source's weights that may go."""
    places: dict[str, str]
    """Where the source's parameters and buffers are in `classifier`: for another task it may be another network."""
    teacher: Network | None
    """Whom the training imitates, if that is another network than the source."""
    calibration: DataSplits | None
    """On whose training images batch-norm statistics are computed under the masks; None if they are not."""

    @classmethod
    def of(
        cls,
        source: Source,
        settings: DrawSettings,
        sparsity: float | None,
        data: Data | None,
        recalibrate: Data | None,
        seed: int,
    ) -> "Preparation":
        """Prepare the draw of one sparsity.

        Raises:
            UserError: parts that do not fit each other, the network or the data.
        """
        data = data if data is not None else settings.data
        splits = target_data(data, source, seed) if data is not None else None
        batches = ImageBatches(splits, settings.training, seed) if splits is not None else None
        per_epoch = batches.per_epoch if batches is not None else 1
        names = prunable_weights(source.network, settings.prunable)
        own = settings.selection.own_sparsity(weights_of(source.network, names))
        if own is not None:
            sparsity = own if sparsity is None else settings.selection.allowed(sparsity, own)
        # A stand-in, until training has decided.
        target = DEFAULT_SPARSITY if settings.is_open(sparsity) else sparsity
        plan = settings.timeline.plan(target, per_epoch)
        if batches is not None and not per_epoch and settings.timeline.plan(target, 1).steps:
            raise no_batches(batches, batches.noun)
        if plan.steps and batches is None:
            raise UserError(
                f"draw.data is missing: the timeline {settings.timeline.kind} trains, so give data to train on"
            )
        require_composable(settings.selection, settings.parametrisation, plan, settings.rewind)
        plan = settings.with_rungs(plan)
        require_reached(settings.rewind, plan, per_epoch)
        require_keepable(settings.training, batches, plan)
        require_shapes_to_last(settings.training.objective, plan)
        classifier, task = copy.deepcopy(source.network), Classification()
        places = places_of(source.network.body, classifier.body)
        calibration = calibration_data(
            source,
            recalibrate if recalibrate is not None else settings.recalibrate,
            splits if not plan.steps and settings.finetune is None else None,
            seed,
        )
        teacher = None
        reads = EXAMPLES in settings.score.needs
        if reads and batches is None:
            raise UserError(
                f"draw.data is missing: score {settings.score.kind!r} reads training examples, so give data to read"
            )
        if settings.finetune is not None and batches is None:
            raise UserError("draw.data is missing: draw.finetune trains on them first, so give data to train on")
        if not plan.steps and not reads and settings.finetune is None:
            splits = batches = None
        elif splits is not None:
            objective = settings.training.objective
            task = task_for(splits, settings.task, objective)
            require_gradients(source)
            if settings.head == "as-transferred":
                raise UserError("head: only a recipe knows how tickets are transferred; use keep or fresh")
            if plan.steps:
                criterion_for(task, settings.training, splits.lacks, "draw.training")
                require_followed(objective, settings.parametrisation)
            if settings.finetune is not None:
                criterion_for(task, settings.finetune, splits.lacks, "draw.finetune")
            if settings.score.reads_loss and not task.supervised:
                raise UserError(
                    f"draw.score: {settings.score.kind} reads gradients of the loss over labels, and nothing here "
                    "learns from labels; use magnitude, wanda or least-squares"
                )
            classifier = task.adapt(classifier, splits, settings.head, seed, source.identity.name, "draw.head")
            require_size(classifier, splits, source.identity.name)
            places = places_of(source.network.body, classifier.body)
            names = tuple(name for name in names if name in places and places[name] not in classifier.idle)
            is_fresh = settings.head == "fresh" and settings.finetune is None
            require_trained_head(objective, is_fresh, "draw.head")
            teacher = named_teacher(objective, classifier, task, splits)
        return cls(classifier, task, splits, batches, plan, names, places, teacher, calibration)

    @property
    def is_moved(self) -> bool:
        """Whether the source's weights have other names in the network that trains."""
        return any(name != place for name, place in self.places.items())

    @property
    def trained_names(self) -> tuple[str, ...]:
        """Names of the weights that may go, in the network that trains."""
        return tuple(self.places[name] for name in self.names)


def require_followed(objective: Objective, parametrisation: Parametrisation) -> None:
    """Refuse an objective that looks at other weights than those of the forward pass.

    Raises:
        UserError: says what goes together.
    """
    if objective.reads_weights and parametrisation.changes_weights:
        raise UserError(
            f"draw.training.objective: {objective.describe()} looks at the weights themselves, which parametrisation "
            f"{parametrisation.model_dump()['kind']} changes in the forward pass; use fixed, or another objective"
        )


def require_reached(rewind: AnyRewind, plan: Plan, per_epoch: int) -> None:
    """Refuse a rewind point that the first round does not reach.

    Raises:
        UserError: says where the point is and where the first round ends.
    """
    point = rewind.kept_step(per_epoch)
    first = next(event.step for event in plan.events if any(action.sets_masks for action in event.actions))
    if point is not None and point >= first:
        raise UserError(
            f"draw.rewind: step {point} is not reached before the first prune, at step {first}; choose an earlier one, "
            "or rewind: pretrained"
        )


def couplings_of(classifier: Network, names: Sequence[str], settings: DrawSettings) -> tuple[Coupling, ...]:
    """Return the channels that live and die together, if group or parametrisation ask for them."""
    if not settings.group.is_coupled and not settings.parametrisation.is_coupled:
        return ()
    return trace_couplings(classifier.body, classifier.interface.example(1), names)


def weights_of(classifier: Network, names: Sequence[str]) -> dict[str, Tensor]:
    """Return the weights that may go, by name."""
    return {name: classifier.body.get_parameter(name).detach() for name in names}


def calibration_data(source: Source, asked: Data | None, idle: DataSplits | None, seed: int) -> DataSplits | None:
    """Return the data on which batch-norm statistics are computed: those asked for, or those that nothing trains on.

    Raises:
        UserError: statistics are asked for of a network that has none, or of fewer than two images.
    """
    has_statistics = has_batch_norm(source.network.body)
    if asked is None:
        return idle if has_statistics else None
    if not has_statistics:
        raise UserError(f"recalibrate: {source.identity.name} has no batch norm; leave it out")
    splits = target_data(asked, source, seed)
    if len(splits.train) < 2:
        raise UserError(f"recalibrate: {splits.name} has {len(splits.train)} training images; statistics need two")
    return splits
