"""The task that data ask for, and the network that is trained for it: of whole images, or of every pixel."""

from collections.abc import Sequence

from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from robust_tickets.measures.evaluation import Evaluation
from robust_tickets.measures.measure import Measure
from robust_tickets.models.network import Network
from robust_tickets.models.segmentation import SegmentationNetwork, segmenter
from robust_tickets.models.segmentation_settings import SegmentationSettings
from robust_tickets.models.sources import Source, layers_of
from robust_tickets.training.task import Classification, Segmentation, Task
from robust_tickets.verbs.target import fit_head
from robust_tickets.verbs.transfer_settings import Head


def task_of(splits: DataSplits) -> Task:
    """Return what a label of these data is."""
    return Segmentation(splits.classes) if splits.labels_pixels else Classification()


def network_for(
    splits: DataSplits,
    classifier: Network,
    head: Head,
    segmentation: SegmentationSettings | None,
    seed: int,
    name: str,
) -> Network:
    """Return the network that is trained on these data; `classifier`, which it is made of, is taken apart.

    Args:
        splits: the target.
        classifier: the source, or a ticket's subnetwork.
        head: whether the source's last layer is kept.
        segmentation: what a backbone gets to label pixels; None: the default.
        seed: of the head.
        name: what messages call the network.

    Raises:
        UserError: the network cannot label pixels, its head cannot be kept, or it labels pixels and the data do not.
    """
    labels_pixels = isinstance(classifier.body, SegmentationNetwork)
    if splits.labels_pixels and not labels_pixels:
        if head == "keep":
            raise UserError(f"head: keep: {name} tells images apart and {splits.name} labels pixels; use head: fresh")
        settings = segmentation or SegmentationSettings()
        return segmenter(classifier, settings, len(splits.classes), splits.size, seed, name)
    if segmentation is not None:
        why = f"{name} labels pixels already" if labels_pixels else f"{splits.name} labels whole images"
        raise UserError(f"segmentation: {why}; leave it out")
    if labels_pixels and not splits.labels_pixels:
        raise UserError(
            f"{splits.name}: labels whole images and {name} labels pixels; transfer the source it came from"
        )
    fit_head(classifier, splits, head, seed)
    return classifier


def require_whole_images(splits: DataSplits, asker: str) -> None:
    """Refuse data that label pixels where one label an image is needed.

    Raises:
        UserError: they do.
    """
    if splits.labels_pixels:
        raise UserError(
            f"{splits.name}: labels pixels and {asker} needs one label an image; only transfers label pixels"
        )


def require_measurable(
    splits: DataSplits, robustness: Evaluation | None, measures: Sequence[Measure], classes: int | None = None
) -> None:
    """Refuse what cannot be measured on these data, before anything is trained.

    Args:
        splits: the target, at the network's size and channels.
        robustness: the attack that is decided on; None for none.
        measures: what else is measured.
        classes: how many the network tells apart; None: as many as the data have.

    Raises:
        UserError: an attack or a measure that does not fit the data: their labels, classes, channels or size.
    """
    classes = len(splits.classes) if classes is None else classes
    if robustness is not None:
        robustness.require_for(splits, classes)
    for measure in measures:
        # An attack that is decided on may be for pixels; as a further measure it has figures of whole images.
        Measure.require_for(measure, splits, classes)
        measure.require_for(splits, classes)


def require_gradients(source: Source, *, linear: bool = False) -> None:
    """Refuse to train a network whose own code keeps gradients from what would be trained.

    Args:
        source: the network.
        linear: whether only the head is to be trained.

    Raises:
        UserError: gradients do not reach the head, or, unless `linear`, most of the weights.
    """
    body, untrained = source.network.body, set(source.untrained)
    sizes = {path: tensor.numel() for path, tensor in body.named_parameters() if path not in source.network.idle}
    head = {path for path in sizes if path.startswith(f"{source.network.head}.")}
    name, where = source.identity.name, layers_of(path for path in sizes if path in untrained)
    if head & untrained:
        raise UserError(f"{name}: its forward runs without gradients (of {where}), so nothing of it can be trained")
    lost, rest = (sum(sizes[path] for path in paths) for paths in (untrained & sizes.keys(), sizes.keys() - head))
    if not linear and 2 * lost > rest:
        raise UserError(
            f"{name}: no gradient reaches {where}, because its forward detaches them; train its head alone "
            "(mode: linear), or let gradients through"
        )
