"""Whether gradients reach what is to be trained."""

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.sources import Source, layers_of


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
        raise UserError(f"{name}: its forward runs without gradients (of {where}), so no part of it can be trained")
    lost, rest = (sum(sizes[path] for path in paths) for paths in (untrained & sizes.keys(), sizes.keys() - head))
    if not linear and 2 * lost > rest:
        raise UserError(
            f"{name}: no gradient reaches {where}, because its forward detaches them; train only its head "
            "(mode: linear), or let gradients through"
        )
