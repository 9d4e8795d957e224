"""Randomised smoothing (Cohen et al., 2019): a normalisation layer without tensors, then the network."""

from collections.abc import Set

from robust_tickets.models.formats.layout import State, Unwrapped, strip


class Cohen:
    """`1.module.*` (ImageNet, DataParallel) or `1.*` (CIFAR); mean and std are not in the file."""

    def unwrap(self, state: State, wanted: Set[str]) -> Unwrapped | None:
        """Return the network behind the normalisation layer."""
        for prefix in ("1.module.", "1."):
            if state and all(name.startswith(prefix) for name in state):
                return Unwrapped(strip(state, prefix), f"Cohen smoothing ({prefix}*)")
        return None
