"""Channels as positions along the sides of layers: which numbers are one channel, which run alike."""

from collections import defaultdict
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
    role: Literal["out", "in", "norm", "slope", "bare"]
    """Output or input of a convolution or linear layer, a norm, the slopes of a PReLU, or a parameter itself."""


@dataclass(frozen=True, eq=False)
class ChannelSet:
    """Channels that run through the same ports.

    `positions[port]` is int64 [channels, k]: where each channel lies along that port. `obstacles` say why
    the set cannot be removed exactly, if something on its way is known to forbid it.
    """

    channels: int
    positions: dict[Port, Tensor]
    obstacles: tuple[str, ...]


class Slots:
    """Gives every position of every port one number, and remembers which numbers are one channel."""

    def __init__(self) -> None:
        self.bases: dict[Port, int] = {}
        self.sizes: dict[Port, int] = {}
        self.total = 1  # 0 is no channel
        self.left: list[np.ndarray] = []
        self.right: list[np.ndarray] = []
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
        left, right = np.concatenate([*self.left, [0]]), np.concatenate([*self.right, [0]])
        edges = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(self.total, self.total))
        _, labels = connected_components(edges, directed=False)

        obstacles: defaultdict[int, dict[str, str]] = defaultdict(dict)
        for numbers, reason, subject in self.obstacles:
            for label in np.unique(labels[numbers]):
                obstacles[int(label)].setdefault(reason, reason.format(subject))

        courses: defaultdict[int, list[tuple[Port, np.ndarray]]] = defaultdict(list)
        rank = {name: position for position, name in enumerate(order)}
        for port in sorted(self.bases, key=lambda port: (rank[port.module], port.role)):
            base, size = self.bases[port], self.sizes[port]
            own = labels[base : base + size]
            by_label = np.argsort(own, kind="stable")
            found, starts = np.unique(own[by_label], return_index=True)
            for label, positions in zip(found, np.split(by_label, starts[1:]), strict=True):
                courses[int(label)].append((port, positions))

        sets: defaultdict[tuple[Any, ...], list[list[np.ndarray]]] = defaultdict(list)
        for label, course in courses.items():
            shape = tuple((port, len(positions)) for port, positions in course)
            sets[shape, tuple(obstacles[label].values())].append([positions for _, positions in course])
        return [
            ChannelSet(
                channels=len(channels),
                positions={
                    port: torch.from_numpy(np.stack([channel[i] for channel in channels]))
                    for i, (port, _) in enumerate(shape)
                },
                obstacles=reasons,
            )
            for (shape, reasons), channels in sets.items()
        ]
