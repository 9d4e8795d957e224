"""Channels as positions along the sides of layers: which numbers are one channel, which run alike."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor


@dataclass(frozen=True, order=True)
class Port:
    """One side of a layer along which channels lie."""

    module: str
    """Path of the layer inside the body; of the parameter for `bare`."""
    role: Literal["out", "in", "norm", "slope", "bare", "columns", "packed", "heads"]
    """Output or input of a convolution or linear layer, a norm, the slopes of a PReLU, a parameter itself, its columns,
    the packed projections of an attention layer, or its heads, which it counts."""


@dataclass(frozen=True, eq=False)
class ChannelSet:
    """Channels that run through the same ports.

    `positions[port]` is int64 [channels, k]: where each channel lies along that port. `obstacles` say why
    the set cannot be removed exactly, if something on its way is known to forbid it.
    """

    channels: int
    positions: dict[Port, Tensor]
    obstacles: tuple[str, ...]

    @property
    def are_heads(self) -> bool:
        """Whether each is a head of an attention layer: queries, keys and values together."""
        return any(port.role == "heads" for port in self.positions)


def positions_of(sets: Mapping[str, ChannelSet], removed: Mapping[str, Tensor]) -> dict[Port, Tensor]:
    """Return where channels lie along every port that they run through, int64 [n].

    Args:
        sets: all channels, by name.
        removed: bool [channels] for the names of some sets: which of their channels are meant.
    """
    places: dict[Port, list[Tensor]] = {}
    for name, chosen in removed.items():
        for port, positions in sets[name].positions.items():
            places.setdefault(port, []).append(positions[chosen].flatten())
    return {port: torch.cat(parts) for port, parts in places.items()}


def left_of(sets: Mapping[str, ChannelSet], removed: Mapping[str, Tensor]) -> dict[str, ChannelSet]:
    """Return the same sets without some of their channels, the others as they are numbered once those are gone.

    Args:
        sets: all channels, by name.
        removed: bool [channels] for the names of some sets. At least one channel of each must stay.
    """
    gone = {port: places.sort().values for port, places in positions_of(sets, removed).items()}
    found: dict[str, ChannelSet] = {}
    for name, channels in sets.items():
        kept = ~removed[name] if name in removed else torch.ones(channels.channels, dtype=torch.bool)
        positions = {port: places[kept] for port, places in channels.positions.items()}
        for port in positions.keys() & gone.keys():
            positions[port] = positions[port] - torch.searchsorted(gone[port], positions[port])
        found[name] = ChannelSet(int(kept.sum()), positions, channels.obstacles)
    return found


def channel_dim(parameter: Tensor) -> int:
    """Return the dimension of a vector along which channels lie, such as 0 of [C] or [C, 1, 1]."""
    return max(range(parameter.dim()), key=lambda dim: parameter.shape[dim])


class Slots:
    """Gives every position of every port one number, and remembers which numbers are one channel."""

    def __init__(self) -> None:
        self.bases: dict[Port, int] = {}
        self.sizes: dict[Port, int] = {}
        self.total = 1  # 0 is no channel
        self.left: list[np.ndarray] = []
        self.right: list[np.ndarray] = []
        self.tables: list[tuple[np.ndarray, np.ndarray]] = []
        self.heads: list[np.ndarray] = []
        self.obstacles: list[tuple[np.ndarray, str, str]] = []

    def number(self, port: Port, size: int, positions: Any) -> np.ndarray:
        """Return the numbers of positions along a port that is `size` wide."""
        if port not in self.bases:
            self.bases[port], self.sizes[port] = self.total, size
            self.total += size
        return self.bases[port] + np.asarray(positions, dtype=np.int64)

    def tie(self, left: np.ndarray, right: np.ndarray) -> None:
        """Declare numbers to be the same channel, pair by pair."""
        self.left.append(left)
        self.right.append(right)

    def tie_table(self, left: np.ndarray, right: np.ndarray) -> None:
        """Declare numbers to be the same channel because code lays them out as a table of fixed rows.

        Where the rows turn out to be the heads of an attention layer, they are not fixed: whole heads go.
        """
        self.tables.append((left, right))

    def tie_heads(self, module: str, heads: list[np.ndarray]) -> None:
        """Declare all numbers of each head to be one channel, which `module`, the attention layer, counts."""
        count = self.number(Port(module, "heads"), len(heads), np.arange(len(heads)))
        if len(heads) != self.sizes[Port(module, "heads")]:
            self.refuse(np.concatenate(heads), "attends with different numbers of heads in {}", module)
            return
        for counted, numbers in zip(count, heads, strict=True):
            self.tie(np.full(len(numbers), counted), numbers)
            self.heads.append(numbers)

    def refuse(self, numbers: np.ndarray, reason: str, subject: str = "") -> None:
        """Note why the channels with these numbers cannot be removed.

        Args:
            numbers: of the channels.
            reason: with `{}` for the subject. Of equal reasons the first stands for all.
            subject: the layer or parameter that is the reason.
        """
        self.obstacles.append((numbers, reason, subject))

    def channel_sets(self, order: list[str]) -> list[ChannelSet]:
        """Merge tied positions into channels, and channels with the same course into sets.

        Args:
            order: paths of all modules and parameters; sets come in the order of the first layer each runs through.
        """
        of_heads = np.zeros(self.total, dtype=bool)
        of_heads[np.concatenate([*self.heads, np.zeros(0, dtype=np.int64)])] = True
        tables = [(a[fixed], b[fixed]) for a, b in self.tables for fixed in [~(of_heads[a] & of_heads[b])]]
        left = np.concatenate([*self.left, *(a for a, _ in tables), [0]])
        right = np.concatenate([*self.right, *(b for _, b in tables), [0]])
        edges = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(self.total, self.total))
        _, labels = connected_components(edges, directed=False)

        reasons: defaultdict[int, dict[str, str]] = defaultdict(dict)
        for numbers, reason, subject in self.obstacles:
            for label in np.unique(labels[numbers]):
                reasons[int(label)].setdefault(reason, reason.format(subject))
        distinct: dict[tuple[str, ...], int] = {(): 0}
        # Channels with the same obstacles start together, and part at every port that they do not run through alike.
        course = np.zeros(labels.max() + 1, dtype=np.int64)
        for label, found in reasons.items():
            course[label] = distinct.setdefault(tuple(found.values()), len(distinct))
        obstacles = {number: texts for texts, number in distinct.items()}
        courses = len(distinct)

        rank = {name: position for position, name in enumerate(order)}
        ports = sorted(self.bases, key=lambda port: (rank[port.module], port.role))
        runs = []
        for port in ports:
            own = labels[self.bases[port] : self.bases[port] + self.sizes[port]]
            by_label = np.argsort(own, kind="stable")
            found, starts, counts = np.unique(own[by_label], return_index=True, return_counts=True)
            runs.append((by_label, found, starts, counts))
            kinds, kind = np.unique(np.stack([course[found], counts]), axis=1, return_inverse=True)
            for new, old in enumerate(kinds[0]):
                obstacles[courses + new] = obstacles[int(old)]
            course[found] = courses + kind.reshape(-1)
            courses += kinds.shape[1]

        sets: dict[int, ChannelSet] = {}
        for port, (by_label, found, starts, counts) in zip(ports, runs, strict=True):
            for number, first in zip(*np.unique(course[found], return_index=True), strict=True):
                alike = np.flatnonzero(course[found] == number)
                positions = by_label[starts[alike][:, None] + np.arange(counts[first])]
                channels = sets.setdefault(int(number), ChannelSet(len(alike), {}, obstacles[int(number)]))
                channels.positions[port] = torch.from_numpy(positions)
        return list(sets.values())
