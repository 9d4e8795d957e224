"""Torch's export of a classifier: its calls in order, for any number of images."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch._ops import OpOverload
from torch.export import ExportedProgram
from torch.utils._pytree import tree_map

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.network import Network
from robust_tickets.models.reduced_attention import ReducedAttention

FRESH = {"conv2d", "batch_norm", "linear", "layer_norm", "add", "mul", "cat", "relu", "silu", "hardswish", "leaky_relu"}
"""Operators whose result shares no memory with anything (in place: with nothing that is read again)."""


def exported(classifier: Network, example: Any) -> ExportedProgram:
    """Return torch's export, in which no call changes a value that another one reads.

    Args:
        classifier: on the CPU, in float32 and eval mode.
        example: some of its inputs; of which there may be any number.

    Raises:
        UserError: torch cannot export it.
    """
    # Several inputs agree in their number only by name; of one a name would have to be proven.
    number = torch.export.Dim("batch") if isinstance(example, Mapping) else torch.export.Dim.DYNAMIC
    sizes = tree_map(lambda _: {0: number}, example)
    try:
        with _images_first(classifier):
            program = torch.export.export(classifier, (example,), dynamic_shapes=(sizes,))
    except Exception as error:  # whatever the network's own code raises while it is traced
        reason = str(error).strip().splitlines()[0][:200]
        raise UserError(f"{classifier.called} cannot be exported by torch: {reason}") from error
    # Torch makes operations in place functional, which takes longer than the export itself; almost always each
    # overwrites what nobody else reads, and is functional as it stands.
    functional = all(_overwrites_freely(node) for node in program.graph.nodes if _is_in_place(node))
    return program if functional else program.run_decompositions({})


@contextmanager
def _images_first(network: nn.Module) -> Iterator[None]:
    """Let torch's attention layers compute image by image; their own code mixes images and heads in one dimension."""
    layers = [one for one in network.modules() if type(one) is nn.MultiheadAttention and one._qkv_same_embed_dim]
    layers = [one for one in layers if one.bias_k is None and not one.add_zero_attn]
    try:
        for layer in layers:
            layer.__class__ = ReducedAttention
        yield
    finally:
        for layer in layers:
            layer.__class__ = nn.MultiheadAttention


def operator_of(node: fx.Node) -> str:
    """Return the name of the operator that is called, without overload and without the underscore of one in place."""
    if isinstance(node.target, OpOverload):
        return node.target._schema.name.split("::")[1].rstrip("_")
    return getattr(node.target, "__name__", str(node.target))


def constants_of(program: ExportedProgram) -> dict[str, Tensor]:
    """Return parameters, buffers and constants by the name of the placeholder they go in at."""
    signature = program.graph_signature
    held: dict[str, Any] = {**program.state_dict, **program.constants}
    places = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    return {name: held[target].detach() for name, target in places.items()}


def _is_in_place(node: fx.Node) -> bool:
    return isinstance(node.target, OpOverload) and node.target._schema.is_mutable


def _overwrites_freely(node: fx.Node) -> bool:
    written = node.args[0]
    return isinstance(written, fx.Node) and len(written.users) == 1 and operator_of(written) in FRESH
