"""A transferred network where it is kept: in memory, or in a folder from which it is read when it is asked for.

A grid has hundreds of runs, and most are asked for nothing but what was measured of them before; held in memory, their
networks would fill it.
"""

import weakref
from collections.abc import Callable
from pathlib import Path

from robust_tickets.models.folders import load_folder
from robust_tickets.models.network import Network


def held(network: Network) -> Callable[[], Network]:
    """Return what gives this network, which stays in memory."""
    return lambda: network


class StoredNetwork:
    """Gives the network of a folder, the same one for as long as anybody uses it.

    Args:
        folder: of one seed.
        like: a network of the same architecture, for one that is the user's own code.
        network: it, if it is in memory.
    """

    def __init__(self, folder: Path, like: Network, network: Network | None = None) -> None:
        self.folder, self.like = folder, like
        self.alive = weakref.ref(network) if network is not None else None

    def __call__(self) -> Network:
        """Return the network, in evaluation mode, as training leaves it.

        Raises:
            UserError: the folder is damaged or gone.
        """
        network = self.alive() if self.alive is not None else None
        if network is None:
            network, _ = load_folder(self.folder, like=self.like)
            network.eval()
            self.alive = weakref.ref(network)
        return network
