"""Which positions of which layers are the same channel, read off torch-pruning's dependency graph.

The graph says what must go together when a filter goes. It is a set of good heuristics over autograd nodes,
not a proof, and its own surgery on grouped convolutions is not exact; so only its edges are used here, and
`models/proofs.py` proves every set before anyone may rely on it.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
import torch_pruning
from torch import Tensor, nn
from torch_pruning.ops import OPTYPE

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.channels import ChannelSet, Port, Slots

LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)

_OBSTACLES = {
    OPTYPE.OUTPUT: "reaches the output of the network",
    OPTYPE.LN: "passes a layer norm ({}), where removing one channel changes all others",
    OPTYPE.GN: "passes a group norm ({}), where removing one channel changes the others of its group",
    OPTYPE.IN: "passes an instance norm ({}), which is not traced",
    OPTYPE.MHA: "belongs to the attention layer {}, which shrinks by heads, not by channels",
    OPTYPE.LSTM: "passes the recurrent layer {}",
    OPTYPE.EMBED: "meets the embedding {}",
    OPTYPE.PARAMETER: "meets the bare parameter {}",
}


class _Index(NamedTuple):
    """A position in the layer reached and the root channel it came from: what torch-pruning's maps take."""

    idx: int
    root_idx: int


class _Names:
    """Names of modules and bare parameters, empty for the graph's own nodes."""

    def __init__(self, body: nn.Module) -> None:
        self.names = {id(module): name for name, module in body.named_modules()}
        self.names |= {id(parameter): name for name, parameter in body.named_parameters()}

    def of(self, owner: Any) -> str:
        return self.names.get(id(owner), "")


def channel_sets(body: nn.Module, example: Tensor) -> list[ChannelSet]:
    """Group the positions of all convolutions and linear layers into sets of channels.

    Args:
        body: a network on the CPU whose parameters require gradients; it is put into eval mode.
        example: an input of the shape the network takes, [N, C, H, W] for images.

    Returns:
        Sets in the order in which their first producer appears in the network.

    Raises:
        UserError: torch-pruning cannot follow the network at all.
    """
    with torch.no_grad():
        body(example)  # a shape the network does not take fails here, in the network's own words
    try:
        with warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("ignore")
            graph = torch_pruning.DependencyGraph().build_dependency(body, (example,), verbose=False)  # pyright: ignore[reportArgumentType]
    except Exception as error:
        raise UserError(
            f"the channels of {type(body).__name__} cannot be traced (torch-pruning: {error!r}); "
            "prune it by elements, rows, kernels or blocks"
        ) from error
    names = _Names(body)
    slots = Slots()
    traced: set[Port] = set()
    layers = {name: module for name, module in body.named_modules() if isinstance(module, LAYERS)}
    for name, layer in layers.items():
        if layer in graph.module2node and Port(name, "out") not in traced:
            _collect(graph, layer, slots, traced, names)
    for name, layer in layers.items():
        if isinstance(layer, nn.modules.conv._ConvNd) and layer.groups > 1:
            _tie_groups(name, layer, slots)
    return slots.channel_sets([name for name, _ in body.named_modules()])


def _collect(graph: Any, layer: Any, slots: Slots, traced: set[Port], names: _Names) -> None:
    """Follow the output channels of one layer and tie every position they reach to them.

    A channel that meets an obstacle is not followed further. That also ends walks in circles, which windowed
    and shuffled layouts cause: their index arithmetic is beyond the graph.
    """
    width = layer.weight.shape[0]
    root = slots.number(Port(names.of(layer), "out"), width, np.arange(width))
    refused = np.zeros(width, dtype=bool)
    handler = graph.get_pruner_of_module(layer).prune_out_channels
    stack = [(graph.module2node[layer], handler, [_Index(channel, channel) for channel in range(width)])]
    seen: set[tuple[Any, ...]] = set()
    limit = 8 * len(graph.module2node)
    while stack:
        node, handler, indices = stack.pop()
        indices = [index for index in indices if not refused[index.root_idx]]
        if not indices or (step := (id(node), handler, tuple(indices))) in seen:
            continue
        seen.add(step)
        origins = np.asarray([index.root_idx for index in indices], dtype=np.int64)
        obstacle = _arrive(node, handler, indices, root[origins], slots, traced, names)
        if obstacle is None and len(seen) > limit:
            obstacle = "cannot be followed: its layout is regrouped in a way that is not traced"
        if obstacle is not None:
            slots.refuse(root[origins], obstacle)
            refused[origins] = True
            continue
        for edge in node.dependencies:
            if edge.is_triggered_by(handler):
                reached: Any = indices
                for mapping in edge.index_mapping:
                    reached = reached if mapping is None else mapping(reached)
                stack.append((edge.target, edge.handler, reached))


def _arrive(
    node: Any,
    handler: Any,
    indices: list[Any],
    origins: np.ndarray,
    slots: Slots,
    traced: set[Port],
    names: _Names,
) -> str | None:
    """Tie channels to their places in the layer reached, or return what keeps them from being removed."""
    if node.type in _OBSTACLES:
        return _OBSTACLES[node.type].format(names.of(node.module))
    if node.type == OPTYPE.ELEMENTWISE and any(kind in str(node.module) for kind in ("Softmax", "DotProduct")):
        return "feeds attention or a softmax, where removing one channel changes all others"
    if isinstance(node.module, nn.modules.conv._ConvTransposeNd):
        return f"passes the transposed convolution {names.of(node.module)}"
    found = _port(node.module, names.of(node.module), handler.__name__)
    if found is None:
        return None
    port, size = found
    positions = np.asarray([index.idx for index in indices], dtype=np.int64)
    if positions.max() >= size or positions.min() < 0:
        return f"is padded, cut or regrouped on its way to {port.module}, which is not traced"
    slots.tie(origins, slots.number(port, size, positions))
    if port.role == "out" and len(np.unique(positions)) == size:
        traced.add(port)
    return None if port.role == "in" or node.outputs else _OBSTACLES[OPTYPE.OUTPUT]


def _port(module: nn.Module, name: str, handler: str) -> tuple[Port, int] | None:
    """Return the port a pruning function acts on and its width, or None for layers without channels."""
    if isinstance(module, nn.modules.conv._ConvNd):
        if handler == "prune_in_channels" and not _depthwise(module):
            return Port(name, "in"), module.in_channels
        return Port(name, "out"), module.out_channels
    if isinstance(module, nn.Linear):
        if handler == "prune_in_channels":
            return Port(name, "in"), module.in_features
        return Port(name, "out"), module.out_features
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return Port(name, "norm"), module.num_features
    if isinstance(module, nn.PReLU) and module.num_parameters > 1:
        return Port(name, "slope"), module.num_parameters
    return None


def _depthwise(layer: nn.modules.conv._ConvNd) -> bool:
    return layer.groups == layer.in_channels == layer.out_channels


def _tie_groups(name: str, layer: nn.modules.conv._ConvNd, slots: Slots) -> None:
    """A group of a convolution keeps its shape only as a whole: tie its inputs and outputs to each other."""
    outputs = slots.number(Port(name, "out"), layer.out_channels, np.arange(layer.out_channels))
    sides = [outputs.reshape(layer.groups, -1)]
    if not _depthwise(layer):
        inputs = slots.number(Port(name, "in"), layer.in_channels, np.arange(layer.in_channels))
        sides.append(inputs.reshape(layer.groups, -1))
    members = np.concatenate(sides, axis=1)
    for column in range(1, members.shape[1]):
        slots.tie(members[:, 0], members[:, column])
