"""Which positions of which layers are the same channel, read off one pass of labels through the network.

Every layer gives the channels that it makes its own labels; `models/labels.py` carries them along; every
layer ties the labels that arrive to the positions where it reads them. What cannot be removed exactly is
refused on the way. This tells what must go together, not that it may: `models/proofs.py` proves every set
before anyone may rely on it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves

from robust_tickets.foundation.batch import sliced
from robust_tickets.models.channels import ChannelSet, Port, Slots
from robust_tickets.models.labels import LabelMode
from robust_tickets.models.network import tensors_of
from robust_tickets.models.plain_attention import plain_attention
from robust_tickets.models.surgery import heads_of

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)

_OBSTACLES: dict[type[nn.Module], str] = {
    nn.LayerNorm: "passes a layer norm ({}), where removing one channel changes all others",
    nn.RMSNorm: "passes an RMS norm ({}), where removing one channel changes all others",
    nn.LocalResponseNorm: "passes a local response norm ({}), where channels change their neighbours",
    nn.MultiheadAttention: "meets the attention layer {}, which shrinks by heads",
    nn.RNNBase: "passes the recurrent layer {}",
    nn.Embedding: "meets the embedding {}",
    nn.modules.conv._ConvTransposeNd: "passes the transposed convolution {}",
}
_KEEPS_CHANNELS = (nn.LayerNorm, nn.RMSNorm, nn.LocalResponseNorm)
"""Obstacles behind which channels still lie where they lay, so that what meets them there is refused too."""


def channel_sets(body: nn.Module, example: Any) -> list[ChannelSet]:
    """Group the positions of all convolutions and linear layers into sets of channels.

    Args:
        body: a network on the CPU in eval mode.
        example: an input of the shape the network takes, [N, C, H, W] for images; or a mapping of such tensors.

    Returns:
        Sets in the order in which their first producer appears in the network.
    """
    slots = Slots()
    walk = _Walk(body, slots)
    with torch.no_grad(), plain_attention(), walk.mode:
        try:
            output = tensors_of(body, sliced(example, 0, 1))
        finally:
            walk.end()
    for tensor in tree_leaves(output):
        if isinstance(tensor, Tensor):
            walk.mode.refuse(tensor, "reaches the output of the network")
    order = [name for name, _ in body.named_modules()] + [name for name, _ in body.named_parameters()]
    return slots.channel_sets(order)


class _Walk:
    """Hooks on every layer: labels that arrive are tied to it, its own labels leave it."""

    def __init__(self, body: nn.Module, slots: Slots) -> None:
        self.mode = LabelMode(body, slots)
        self.slots = slots
        self.hooks: list[Any] = []
        arrivals: list[tuple[tuple[type[nn.Module], ...], Callable[..., None]]] = [
            (CONVOLUTIONS, self.convolution),
            ((nn.Linear,), self.linear),
            (NORMS, self.norm),
            ((nn.GroupNorm,), self.group_norm),
            ((nn.PReLU,), self.slopes),
            ((nn.MultiheadAttention,), self.attention),
            (tuple(_OBSTACLES), self.obstacle),
        ]
        owned: set[int] = set()
        for name, module in body.named_modules():
            owned.update(id(parameter) for parameter in module.parameters(recurse=False))
            for kinds, arrive in arrivals:
                if isinstance(module, kinds):
                    self._watch(name, module, arrive)
                    break
            else:
                self._bare_parameters(name, module)
                self._enter(name, module)

    def end(self) -> None:
        """Take the hooks off again."""
        for hook in self.hooks:
            hook.remove()

    def convolution(self, name: str, layer: Any, tensor: Tensor, out: Tensor) -> None:
        """Inputs meet outputs only inside a group, which keeps its shape only as a whole."""
        channel_dim = tensor.dim() - 1 - len(layer.kernel_size)
        outputs = self.slots.number(Port(name, "out"), layer.out_channels, np.arange(layer.out_channels))
        if layer.groups == layer.in_channels == layer.out_channels:
            self._arrive(name, tensor, channel_dim, outputs)
        else:
            inputs = self.slots.number(Port(name, "in"), layer.in_channels, np.arange(layer.in_channels))
            self._arrive(name, tensor, channel_dim, inputs)
            if layer.groups > 1:
                self._tie_groups(np.concatenate([side.reshape(layer.groups, -1) for side in (inputs, outputs)], axis=1))
        self._leave(out, channel_dim, outputs)

    def linear(self, name: str, layer: nn.Linear, tensor: Tensor, out: Tensor) -> None:
        """Features lie along the last dimension."""
        inputs = self.slots.number(Port(name, "in"), layer.in_features, np.arange(layer.in_features))
        outputs = self.slots.number(Port(name, "out"), layer.out_features, np.arange(layer.out_features))
        self._arrive(name, tensor, tensor.dim() - 1, inputs)
        self._leave(out, out.dim() - 1, outputs)

    def norm(self, name: str, layer: Any, tensor: Tensor, out: Tensor) -> None:
        """Batch and instance norms treat every channel on its own."""
        numbers = self.slots.number(Port(name, "norm"), layer.num_features, np.arange(layer.num_features))
        self._arrive(name, tensor, 1, numbers)
        self.mode.set_labels(out, self.mode.labels(tensor))

    def group_norm(self, name: str, layer: nn.GroupNorm, tensor: Tensor, out: Tensor) -> None:
        """A group norm treats every group on its own."""
        numbers = self.slots.number(Port(name, "norm"), layer.num_channels, np.arange(layer.num_channels))
        self._arrive(name, tensor, 1, numbers)
        self._tie_groups(numbers.reshape(layer.num_groups, -1))
        if layer.num_groups == 1:
            self.slots.refuse(numbers, "passes a group norm of one group ({}), where all channels change all", name)
        self.mode.set_labels(out, self.mode.labels(tensor))

    def slopes(self, name: str, layer: nn.PReLU, tensor: Tensor, out: Tensor) -> None:
        """One slope per channel, or one for all."""
        if layer.num_parameters > 1:
            numbers = self.slots.number(Port(name, "slope"), layer.num_parameters, np.arange(layer.num_parameters))
            self._arrive(name, tensor, 1, numbers)
        self.mode.set_labels(out, self.mode.labels(tensor))

    def attention(self, name: str, layer: nn.MultiheadAttention, tensor: Tensor, out: tuple[Tensor, Any]) -> None:
        """A head is its rows of the packed projections and its columns of the one behind."""
        self.obstacle(name, layer, tensor, out)
        if layer.in_proj_weight is None or layer.bias_k is not None:
            return  # found by nobody: weights of layers that are not called are refused
        heads, wide, behind = layer.num_heads, layer.num_heads * layer.head_dim, layer.out_proj.out_features
        packed = self.slots.number(Port(name, "packed"), 3 * wide, np.arange(3 * wide)).reshape(3, heads, -1)
        read = self.slots.number(Port(f"{name}.out_proj", "in"), wide, np.arange(wide)).reshape(heads, -1)
        self.slots.tie_heads(name, [np.append(packed[:, head], read[head]) for head in range(heads)])
        made = self.slots.number(Port(f"{name}.out_proj", "out"), behind, np.arange(behind))
        self._leave(out[0], out[0].dim() - 1, made)

    def obstacle(self, name: str, layer: nn.Module, tensor: Tensor, out: Any) -> None:
        """Refuse whatever arrives."""
        reason = next(reason for kind, reason in _OBSTACLES.items() if isinstance(layer, kind))
        self.mode.refuse(tensor, reason, name)
        if isinstance(layer, _KEEPS_CHANNELS):
            self.mode.set_labels(out, self.mode.labels(tensor))

    def _watch(self, name: str, module: nn.Module, arrive: Callable[..., None]) -> None:
        def before(layer: nn.Module, args: Any) -> None:
            self.mode.enter()

        def after(layer: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
            self.mode.leave()
            with _disable_current_modes():
                tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
                for other in tensors[1:]:  # queries, keys and values; states
                    self.mode.refuse(other, "meets other inputs of the layer {}", name)
                arrive(name, layer, tensors[0], out)

        self.hooks.append(module.register_forward_pre_hook(before))
        self.hooks.append(module.register_forward_hook(after, with_kwargs=True))

    def _enter(self, name: str, module: nn.Module) -> None:
        """Let the mode know which module is at work."""

        def before(module: nn.Module, args: Any) -> None:
            self.mode.modules.append(name)

        def after(module: nn.Module, args: Any, out: Any) -> None:
            self.mode.modules.pop()

        self.hooks.append(module.register_forward_pre_hook(before))
        self.hooks.append(module.register_forward_hook(after))

    def _bare_parameters(self, path: str, module: nn.Module) -> None:
        """A vector that no layer owns, such as a layer scale, is cut with the channels that it meets.

        So are the columns of a table with one for each head, such as biases by relative position.
        """
        for leaf, parameter in module.named_parameters(recurse=False):
            name, size = f"{path}.{leaf}".lstrip("."), parameter.numel()
            if size > 1 and size == max(parameter.shape):
                numbers = self.slots.number(Port(name, "bare"), size, np.arange(size))
                self.mode.set_labels(parameter, torch.from_numpy(numbers).reshape(parameter.shape))
            elif parameter.dim() == 2 and parameter.shape[1] in heads_of(module).values():
                numbers = self.slots.number(Port(name, "columns"), parameter.shape[1], np.arange(parameter.shape[1]))
                self.mode.set_labels(parameter, torch.from_numpy(numbers).expand(parameter.shape))

    def _arrive(self, name: str, tensor: Tensor, dim: int, numbers: np.ndarray) -> None:
        """Tie the labels along a dimension to where the layer reads them."""
        if self.mode.labels(tensor) is None:
            self.slots.refuse(numbers, "is not a channel where {} reads it", name)
        elif (labels := self.mode.along(tensor, dim)) is None:
            self.mode.refuse(tensor, "is mixed with other channels by {}, which reads along another dimension", name)
            self.slots.refuse(numbers, "is not a channel where {} reads it", name)
        else:
            known = (labels != 0).numpy()
            self.slots.tie(labels.numpy()[known], numbers[known])
            self.slots.refuse(numbers[~known], "is not a channel where {} reads it", name)

    def _leave(self, out: Tensor, dim: int, numbers: np.ndarray) -> None:
        shape = [1] * out.dim()
        shape[dim] = -1
        self.mode.set_labels(out, torch.from_numpy(numbers).reshape(shape).expand(out.shape))

    def _tie_groups(self, members: np.ndarray) -> None:
        for column in range(1, members.shape[1]):
            self.slots.tie(members[:, 0], members[:, column])
