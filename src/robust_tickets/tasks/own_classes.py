"""The classes that a network says its outputs are, beside those that data have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from robust_tickets.foundation.enumeration import enumerated
from robust_tickets.foundation.errors import UserError

if TYPE_CHECKING:
    from robust_tickets.data.splits import DataSplits
    from robust_tickets.models.network import Network


def own_names(names: Sequence[str] | None, classes: Sequence[str]) -> tuple[str, ...] | None:
    """Return the names of a network's outputs, spelled as data spell them; None if they say nothing of these data.

    Classes that data only number, from 0 on, are the outputs in their order, whatever these are called.

    Args:
        names: of the outputs, in their order; None if they are not known.
        classes: of the data; none if they have none.
    """
    numbers = [str(number) for number in range(len(classes))]
    if names is None or not classes or len(set(names)) < len(names):
        return None
    if list(classes) == numbers and not set(classes) <= set(names):
        return None
    spelled = {one.casefold(): one for one in classes}
    return tuple(spelled.get(name.casefold(), name) for name in names)


def has_own_classes(network: Network, splits: DataSplits) -> bool:
    """Return whether the outputs are the classes of the data in their order, as far as the network names them."""
    names = own_names(network.class_names, splits.classes)
    return names is None or names == tuple(splits.classes)


def require_own_classes(network: Network, splits: DataSplits, where: str) -> None:
    """Refuse to keep a head whose outputs are other classes than the data's, or these in another order.

    Raises:
        UserError: says which they are; `where` names the setting.
    """
    if not has_own_classes(network, splits):
        names = network.class_names or ()
        raise UserError(
            f"{where}: keep: the network's classes are {enumerated(names)}, but {splits.name} has "
            f"{enumerated(splits.classes)}; name them so in the same order, number the labels from 0 in its order, or "
            f"use {where}: fresh"
        )
