"""Sequences made, looked up, and attended to: as steps."""

from math import prod

import numpy as np

from robust_tickets.runtime.kernels import attention, embed, sequence
from robust_tickets.runtime.kernels.attention import AttentionKernel
from robust_tickets.runtime.kernels.layout import LANES, VECTOR, Layout
from robust_tickets.runtime.machine.compiler import compile
from robust_tickets.runtime.machine.target import Target
from robust_tickets.runtime.planning.buffers import MapView
from robust_tickets.runtime.planning.commands import Attention, Embed, Sequence
from robust_tickets.runtime.steps.movement import lane_offsets
from robust_tickets.runtime.steps.step import KernelStep, address

_TILES = {32: (4, 4), 8: (2, 2), 4: (1, 2)}
"""Vectors that a processor's registers hold -> vectors of queries, and keys or channels, taken together."""


def sequence_step(command: Sequence, arena: int, target: Target) -> KernelStep:
    """Return the step that puts pixels one after another."""
    source, out = command.source, command.target.layout
    if isinstance(source, MapView):
        offsets, plane = lane_offsets(source.layout), source.layout.channel_stride
    else:
        count = prod(source.shape[1:])
        offsets, plane = 4 * np.arange(count), 4 * count
    tokens = _tokens(out)
    inside = tokens >= command.first
    table = np.where(inside, offsets[np.where(inside, tokens - command.first, 0)], 0).astype(np.int32)
    masks = (inside << np.arange(LANES)).sum(axis=-1).astype(np.uint16)
    added = np.ascontiguousarray(np.where(tokens < 0, np.float32(0), command.added[:, tokens]), np.float32)
    module = compile(sequence.ir(), target)
    call = sequence.ARGUMENTS.pack(
        source=source.address(arena),
        target=command.target.address(arena),
        table=address(table),
        masks=address(masks),
        added=address(added),
        columns=len(tokens),
        source_channel=plane,
        target_channel=out.channel_stride,
    )
    keep = (table, masks, added, module)
    channels = command.target.channels
    return KernelStep(command.name, "sequence", module.address(sequence.NAME), call, channels, keep)


def embed_step(command: Embed, arena: int, target: Target) -> KernelStep:
    """Return the step that looks tokens up."""
    table = np.ascontiguousarray(command.table)
    module = compile(embed.ir(), target)
    call = embed.ARGUMENTS.pack(
        source=command.source.address(arena),
        target=command.target.address(arena),
        table=address(table),
        channels=table.shape[1],
        last=len(table) - 1,
        row_size=4 * table.shape[1],
        target_channel=command.target.layout.channel_stride,
    )
    tasks = len(_tokens(command.target.layout))
    return KernelStep(command.name, "embed", module.address(embed.NAME), call, tasks, (table, module))


def attention_steps(command: Attention, arena: int, target: Target) -> list[KernelStep]:
    """Return the steps that attend: for as many queries as the registers hold, and for those left over."""
    queries, keys = command.source.layout, command.key.layout
    most, together = _TILES[target.held_vectors]
    depth, value_depth = command.source.channels // command.heads, command.value.channels // command.key_heads
    while value_depth % together:
        together //= 2
    counted = np.ascontiguousarray(_tokens(keys) >= 0, np.float32)
    scale = np.array([command.scale], np.float32)
    columns = len(_tokens(queries))
    rest = columns % most
    steps = []
    for first, tiles, width in ((0, columns // most, most), (columns - rest, 1, rest)):
        if not tiles * width:
            continue
        bias = _bias(command, first, width)
        module = compile(AttentionKernel(width, together, bias is not None).ir(), target)
        call = attention.ARGUMENTS.pack(
            query=command.source.address(arena) + first * VECTOR,
            key=command.key.address(arena),
            value=command.value.address(arena),
            mask=address(counted) if command.mask is None else command.mask.address(arena),
            target=command.target.address(arena) + first * VECTOR,
            scale=address(scale),
            bias=0 if bias is None else address(bias),
            tiles=tiles,
            group=command.heads // command.key_heads,
            depth=depth,
            value_depth=value_depth,
            keys=counted.size,
            tile_size=width * VECTOR,
            query_channel=queries.channel_stride,
            key_channel=keys.channel_stride,
            value_channel=command.value.layout.channel_stride,
            target_channel=command.target.layout.channel_stride,
        )
        tasks, keep = command.heads * tiles, (counted, scale, bias, module)
        flops = 2 * command.heads * (depth + value_depth) * keys.width * tiles * width * LANES
        steps.append(KernelStep(command.name, "attention", module.address(attention.NAME), call, tasks, keep, flops))
    return steps


def _bias(command: Attention, first: int, width: int) -> np.ndarray | None:
    """Return what is added to scores, as tiles of queries read it, float32 [heads * tiles, keys, width, 16]; or None.

    Lanes that are no tokens get 0.
    """
    if command.bias is None:
        return None
    queries, keys = _tokens(command.source.layout)[first:], _tokens(command.key.layout).reshape(-1)
    queries = queries[: len(queries) // width * width].reshape(-1, width, LANES)
    both = (queries[:, None] >= 0) & (keys[None, :, None, None] >= 0)
    found = command.bias[:, queries[:, None], keys[None, :, None, None]]
    return np.ascontiguousarray(np.where(both, found, np.float32(0)), np.float32)


def _tokens(layout: Layout) -> np.ndarray:
    """Return the token in each lane of a map of one row, int32 [columns, 16]; -1 where there is none."""
    high, wide = layout.block
    assert high == 1, "a sequence has one row of vectors"
    row = layout.halo.top
    return layout.pixels()[row, layout.halo.left : layout.halo.left + wide]
