"""Which commands are executed a few channels at a time, one after the other, before the next channels come.

A depthwise convolution reads one channel to write one. Taken together with what makes its input, it finds that in the
cache, where the whole map would have gone to memory and come back: twice, if its halo is filled as well. What lies
between them is never there as a whole: each thread has room for a few channels of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from robust_tickets.runtime.planning import commands as c
from robust_tickets.runtime.planning.buffers import Buffer, MapView, View

CHANNELS = 8
"""Channels are taken by multiples of this: all that a convolution's rows may be divides it."""
_IN_CACHE = 128 * 1024
"""Bytes that are counted on to stay in the second-level cache until they are read again."""
_TASKS = 4
"""So many tasks a thread that none waits long for the last one, where there are as many channels."""
_FEW = 4
"""Input channels that are read again for each task at no cost worth mentioning, whatever the kernel."""
_LEAST_TASKS = 2
"""Tasks a thread without which there is no chain."""


@dataclass(frozen=True, eq=False)
class Chain:
    """Commands that are executed together, or one alone."""

    commands: tuple[c.Command, ...]
    edges: tuple[int, ...] = ()
    """The first channel of each task, and how many channels there are; absent: one command alone."""
    rooms: tuple[tuple[Buffer, int], ...] = ()
    """Buffers that hold the channels of one task in each of some places, and bytes from one place to the next."""
    places: int = 1
    """As many as tasks can be under way at the same time."""

    def is_local(self, view: View) -> bool:
        """Return whether a view is of the channels of one task."""
        return any(view.buffer is buffer for buffer, _ in self.rooms)


def chains(commands: Sequence[c.Command], threads: int) -> tuple[Chain, ...]:
    """Return commands in order, those together that end in a depthwise convolution; their buffers then live as long."""
    found: list[Chain] = []
    position = 0
    while position < len(commands):
        together = _together(commands, position)
        if threads > 1 and _channels(together[-1]) // CHANNELS < _LEAST_TASKS * threads:
            # Cut up in other ways, each of them gives all threads something to do.
            together = together[:1]
        last = position + len(together) - 1
        found.append(_chain(together, position, last, threads) if len(together) > 1 else Chain(together))
        for command in found[-1].commands:
            for view in command.views:
                # The first channels are written before the last are read.
                view.buffer.used(position)
                view.buffer.used(last)
        position = last + 1
    return tuple(found)


def is_depthwise(command: c.Command) -> bool:
    """Return whether a command is a convolution that reads one channel for each that it writes."""
    if isinstance(command, c.Convolve):
        return command.weight.shape[1] == 1 and command.groups == command.target.channels
    return isinstance(command, c.Depthwise)


def _together(commands: Sequence[c.Command], first: int) -> tuple[c.Command, ...]:
    """Return the most commands that begin with one and end in a depthwise convolution, else the one alone."""
    together = [commands[first]]
    most = (commands[first],)
    if not (_mixes(commands[first]) or is_depthwise(commands[first]) or _moves(commands[first])):
        return most
    for command in commands[first + 1 :]:
        if not ((_moves(command) or is_depthwise(command)) and _same(command.source, together[-1].target)):
            break
        if _mixes(commands[first]) and command.target.buffer is commands[first].source.buffer:
            # A residual is written over, of which the first command still needs every channel.
            break
        together.append(command)
        if is_depthwise(command):
            most = tuple(together)
    return most


def _chain(commands: tuple[c.Command, ...], first: int, last: int, threads: int) -> Chain:
    """Return commands, which are at these places, as a chain."""
    final = commands[-1].target
    assert isinstance(final, MapView)
    between: dict[Buffer, MapView] = {}
    for command in commands[:-1]:
        view = command.target
        assert isinstance(view, MapView)
        alone = first <= view.buffer.born and view.buffer.dies <= last
        whole = (view.first, view.channels) == (0, view.layout.channels)
        # What is moved keeps the number of its channel.
        if alone and whole and (not _moves(command) or command.source.buffer in between):
            between[view.buffer] = view
    for command in reversed(commands[:-1]):
        if isinstance(command, c.Gather) and command.target.buffer not in between:
            between.pop(command.source.buffer, None)
    views = {view.buffer: view for command in commands[:-1] if isinstance(view := command.target, MapView)}
    plane = sum(view.layout.rows * view.layout.channel_stride for view in views.values())
    most = max(1, _IN_CACHE // plane // CHANNELS)
    if threads > 1:
        most = min(most, max(1, final.channels // (_TASKS * threads * CHANNELS)))
    edges = (*range(0, final.channels, most * CHANNELS), final.channels)
    count = max(b - a for a, b in pairwise(edges))
    places = min(threads, len(edges) - 1)
    rooms, local = [], {}
    for buffer, view in between.items():
        layout = replace(view.layout, channels=count)
        room = Buffer(places * layout.size)
        rooms.append((room, layout.size))
        local[buffer] = MapView(room, layout, 0, count)
    return Chain(tuple(_placed(one, local, edges) for one in commands), edges, tuple(rooms), places)


def _placed(command: c.Command, local: Mapping[Buffer, MapView], edges: tuple[int, ...]) -> c.Command:
    """Return a command on the views that take the place of others."""
    source, target = (local.get(view.buffer, view) for view in (command.source, command.target))
    if isinstance(command, c.Convolve):
        residual = command.residual and local.get(command.residual.buffer, command.residual)
        return replace(command, source=source, target=target, residual=residual, edges=edges)
    if isinstance(command, c.Depthwise):
        return replace(command, source=source, target=target, edges=edges)
    return replace(command, source=source, target=target)


def _channels(command: c.Command) -> int:
    return command.target.channels if isinstance(command.target, MapView) else 0


def _mixes(command: c.Command) -> bool:
    """Return whether a command makes channels of all others: at each pixel, or of the few of an image."""
    if not isinstance(command, c.Convolve) or command.groups > 1:
        return False
    return command.window.kernel == (1, 1) or command.inputs <= _FEW


def _moves(command: c.Command) -> bool:
    """Return whether a command moves the pixels of each channel of a map."""
    return isinstance(command, c.Border | c.Gather) and isinstance(command.source, MapView)


def _same(one: View, other: View) -> bool:
    """Return whether two views are the same channels of the same map."""
    return (
        isinstance(one, MapView)
        and isinstance(other, MapView)
        and one.buffer is other.buffer
        and (one.first, one.channels) == (other.first, other.channels)
    )
