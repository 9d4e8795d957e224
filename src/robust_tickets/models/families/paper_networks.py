"""The small networks of the papers, defined in `networks/`. They come without weights."""

from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.families.downloads import Downloads
from robust_tickets.models.families.family import ArchitectureOptions, Loaded
from robust_tickets.models.networks import NETWORKS, NamedArchitecture
from robust_tickets.models.pixels import Pixels


class PaperNetworks:
    """`cifar/...`, `small/...`, `demo/...` and a few without a prefix; see `networks/`."""

    prefix = ""

    def names(self) -> list[str]:
        """Return the usual members; widths and depths beyond these exist too."""
        return [name for network in NETWORKS for name in network.examples]

    def knows(self, name: str) -> bool:
        """Return whether one of the networks understands the name."""
        return any(network.pattern.fullmatch(name) for network in NETWORKS)

    def tags(self, name: str) -> list[str]:
        """Return nothing: no weights come with these networks."""
        return []

    def build(self, name: str, shape: ArchitectureOptions) -> nn.Module:
        """Return the network; 10 classes, 3 channels and its paper's size unless asked otherwise."""
        network = _find(name)
        return network.build(name, shape.num_classes or 10, shape.in_channels or 3, shape.size or network.size)

    def pretrained(self, name: str, tag: str | None, shape: ArchitectureOptions, downloads: Downloads) -> Loaded:
        """Refuse: there are none."""
        raise UserError(
            f"{name} comes without weights; give `weights: path/to/file`, or `weights: random` to pretrain it"
        )

    def preprocessing(self, name: str, body: nn.Module, in_channels: int) -> tuple[Pixels | None, str]:
        """Return the usual normalisation, for other than colour images only if it treats channels alike."""
        network = _find(name)
        mean, std = network.mean, network.std
        if in_channels != len(mean):
            alike = len({*mean}) == len({*std}) == 1
            mean, std = (mean[:1], std[:1]) if alike else ((0.0,), (1.0,))
            mean, std = mean * in_channels, std * in_channels
        return Pixels(mean=mean, std=std, size=network.size), f"preprocessing: the usual one of {name}"


def _find(name: str) -> NamedArchitecture:
    return next(network for network in NETWORKS if network.pattern.fullmatch(name))
