"""What one forward pass shows of a network: which layer's output is its output, and which weights take part.

The pass runs in eval mode on a copy that shares the network's weights, on two inputs of noise, and leaves no
trace: no running statistics, gradients, modes, hooks or random state of the network change. Every tensor operation
is followed from the inputs and the weights to the output, whatever the network's code looks like.
"""

import copy
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from robust_tickets.foundation.batch import device_of, moved
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adapted_body import AdaptedBody
from robust_tickets.models.heads import fresh_head, get_head, put_head
from robust_tickets.models.interface import Interface
from robust_tickets.models.network import tensors_of
from robust_tickets.models.outputs import logits_of

FAULTS = (RuntimeError, TypeError, ValueError, LookupError, AttributeError, AssertionError, ArithmeticError)
"""What a network's own code raises where it cannot take the inputs it is given."""

INPUTS = "the inputs"

_PRODUCTS = frozenset(
    {"mm", "addmm", "bmm", "baddbmm", "mv", "addmv", "dot", "linear", "mkldnn_linear", "_trilinear", "convolution"}
    | {f"{kind}_convolution" for kind in ("", "mkldnn", "cudnn", "miopen")}
)
"""Operations that combine all features: what stands behind one is no longer what went in."""


@dataclass(frozen=True)
class ForwardTrace:
    """What one forward pass shows of a network."""

    shape: tuple[int, ...]
    """Of the logits of two inputs; of an adapted body, of the first tensor of what it computes."""
    layers: tuple[str, ...]
    """Linear layers and 2-d convolutions whose output is, up to pooling and the like, the network's output."""
    elsewhere: bool
    """Whether those layers are also called where their output is not the network's."""
    beside: tuple[str, ...]
    """What else the output is computed from: weights, operations, the inputs."""
    after: frozenset[str]
    """Names of the operations between those layers and the output."""
    unused: tuple[str, ...]
    """Parameters that no operation reads."""
    dead: tuple[str, ...]
    """Parameters that are read, but from which nothing reaches the output."""
    cut: tuple[str, ...]
    """Parameters that reach the output, and that no gradient reaches from there."""

    @property
    def idle(self) -> tuple[str, ...]:
        """Return the parameters without which the output would be the same."""
        return (*self.unused, *self.dead)


def trace_forward(body: nn.Module, interface: Interface, name: str) -> ForwardTrace:
    """Run a network once and return what that shows.

    Args:
        body: the plain architecture, on any device.
        interface: what goes in.
        name: what messages call the network.

    Raises:
        UserError: the pass fails, or what comes out is neither logits nor an object that holds them.
    """
    twin = sharing_copy(body, name)
    inputs = example(body, interface)
    flow = _Flow(twin, inputs)
    with _undisturbed(device_of(inputs)):
        outputs = outputs_of(twin, run(twin, inputs, name, interface, flow), name)
    if strange := [output.dtype for output in outputs if not output.is_floating_point()]:
        raise UserError(f"{name}: its output is of type {strange[0]}; a classifier gives logits, floats [N, classes]")
    layers, met, beside, after = flow.behind(outputs)
    reaching, learning = flow.reaching(outputs)
    parameters = [path for path, _ in twin.named_parameters()]
    if not reaching.intersection(parameters):
        raise UserError(
            f"{name}: none of its weights reaches the output of a copy; if forward was assigned to the object (as a "
            "closure over it), define it in the class"
        )
    cut = tuple(path for path in parameters if path in reaching and path not in learning)
    if cut:  # a function with its own gradient looks the same on the way forward
        cut = _without_gradient(body, interface, name, cut)
    return ForwardTrace(
        shape=tuple(outputs[0].shape),
        layers=layers,
        elsewhere=any(node not in met for path in layers for node in flow.outputs[path]),
        beside=beside,
        after=after,
        unused=tuple(path for path in parameters if path not in flow.read),
        dead=tuple(path for path in parameters if path in flow.read and path not in reaching),
        cut=cut,
    )


def is_head(body: nn.Module, path: str, interface: Interface, name: str) -> bool:
    """Return whether one class more in the layer at `path` is one more in the output: an experiment on a copy."""
    twin = sharing_copy(body, name)
    inputs = example(body, interface)
    with _undisturbed(device_of(inputs)):
        before = logits_of(run(twin, inputs, name, interface), name).shape
        head = get_head(twin, path)
        classes = before[1] if len(before) > 1 else 0
        put_head(twin, path, fresh_head(head, classes + 1, seed=0).requires_grad_(False))
        try:
            after = logits_of(twin(inputs), name).shape
        except FAULTS:
            return False
    return len(after) == len(before) and tuple(after[:2]) == (2, classes + 1)


def sharing_copy(body: nn.Module, name: str) -> nn.Module:
    """Return a copy in eval mode with the same weights in memory, frozen, and its own buffers.

    Raises:
        UserError: the network cannot be copied, which every command does.
    """
    memo: dict[int, Any] = {
        id(parameter): nn.Parameter(parameter.detach(), requires_grad=False) for parameter in body.parameters()
    }
    return copied_module(body, memo, name).eval()


def copied_module(body: nn.Module, memo: dict[int, Any], name: str) -> nn.Module:
    """Return a deep copy; what modules computed and kept (a normalised weight) becomes a plain tensor.

    Raises:
        UserError: something in the network cannot be copied.
    """
    for module in body.modules():
        for value in vars(module).values():
            if isinstance(value, Tensor) and value.grad_fn is not None:
                memo[id(value)] = value.detach().clone()
    try:
        return copy.deepcopy(body, memo)
    except (TypeError, RuntimeError, NotImplementedError) as error:
        raise UserError(f"{name}: cannot be copied, and the original is never changed: {one_line(error)}") from error


def example(body: nn.Module, interface: Interface) -> Any:
    """Return two prepared inputs of noise where the network's weights are, the same at every call."""
    weight = next(body.parameters(), torch.empty(0))
    return moved(interface.preparation()(interface.example(2, "trace")), weight.device)


def run(twin: nn.Module, inputs: Any, name: str, interface: Interface, mode: TorchDispatchMode | None = None) -> Any:
    """Return what the network gives for two inputs.

    Raises:
        UserError: its own code fails; the message says how.
    """
    try:
        if mode is None:
            return tensors_of(twin, inputs)
        with mode:
            return tensors_of(twin, inputs)
    except FAULTS as error:
        raise UserError(
            f"{name}: a forward pass of two {interface.noun} of {interface.shape_words} fails: {type(error).__name__}: "
            f"{one_line(error)}"
        ) from error


def outputs_of(twin: nn.Module, output: Any, name: str) -> list[Tensor]:
    """Return the tensors that count of what a network gave: the logits; of an adapted body all.

    Raises:
        UserError: there are no logits.
    """
    if isinstance(twin, AdaptedBody):
        return [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
    return [logits_of(output, name)]


def one_line(error: BaseException) -> str:
    """Return what an error says, on one line of at most 300 characters."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:297]}..."


@contextmanager
def _undisturbed(device: torch.device) -> Iterator[None]:
    """Leave random state as it was, with gradients allowed as the network's own code has it."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.enable_grad():
        yield


def _without_gradient(body: nn.Module, interface: Interface, name: str, suspected: Collection[str]) -> tuple[str, ...]:
    """Return those of the suspected parameters that a backward pass from the output does not reach."""
    twin = sharing_copy(body, name).requires_grad_(True)
    inputs = example(body, interface)
    with _undisturbed(device_of(inputs)):
        outputs = outputs_of(twin, run(twin, inputs, name, interface), name)
        learning = [output.sum() for output in outputs if output.requires_grad]
        if not learning:
            return tuple(suspected)
        torch.stack(learning).sum().backward()
    return tuple(path for path in suspected if twin.get_parameter(path).grad is None)


@dataclass(eq=False)
class _Node:
    """A tensor as some operation left it."""

    operation: str
    parents: list["_Node"] = field(default_factory=list)
    differentiable: bool = True
    leaf: str = ""
    """The parameter that it is, or `INPUTS`."""
    single: bool = False
    """Whether it is a single number."""
    layer: str = ""
    """The layer that it is the output of."""


class _Flow(TorchDispatchMode):
    """While active, follows every tensor from the inputs and the parameters on."""

    def __init__(self, body: nn.Module, inputs: Any) -> None:
        super().__init__()
        self.nodes = WeakTensorKeyDictionary()
        self.writers: dict[int, list[_Node]] = {}
        """What was written into a storage after tensors that share it were made."""
        self.read: set[str] = set()
        self.outputs: dict[str, list[_Node]] = {}
        for path, parameter in body.named_parameters():
            self.nodes[parameter] = _Node("parameter", leaf=path, single=parameter.numel() == 1)
        for tensor in tree_leaves(inputs):
            self.nodes[tensor] = _Node("inputs", leaf=INPUTS)
        for path, module in body.named_modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                module.register_forward_hook(self._mark(path))

    def _mark(self, path: str) -> Callable[..., None]:
        def after(module: nn.Module, args: Any, out: Any) -> None:
            node = self.nodes.get(out) if isinstance(out, Tensor) else None
            if node is not None:
                node.layer = path
                self.outputs.setdefault(path, []).append(node)

        return after

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        operands = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        places = {_place(operand) for operand in operands}
        parents = [node for operand in operands for node in self.at(operand)]
        self.read.update(node.leaf for node in parents if node.leaf)
        out = func(*args, **kwargs)
        name = func._schema.name.rpartition("::")[2]
        flows = torch.is_grad_enabled() and name != "detach"
        for result in tree_leaves(out):
            if not isinstance(result, Tensor):
                continue
            place = _place(result)
            if place not in places:  # memory that was freed and is used again
                self.writers.pop(place, None)
            if parents:
                differentiable = flows and (result.is_floating_point() or result.is_complex())
                self.nodes[result] = _Node(name, parents, differentiable)
        if parents and func._schema.is_mutable:
            for argument, value in zip(func._schema.arguments, args, strict=False):
                if argument.alias_info is not None and argument.alias_info.is_write and isinstance(value, Tensor):
                    node = self.nodes[value] = _Node(name, parents, flows)
                    self.writers.setdefault(_place(value), []).append(node)
        return out

    def at(self, tensor: Tensor) -> list[_Node]:
        """Return what a tensor holds: what it was made as, and what was written into its memory since."""
        node = self.nodes.get(tensor)
        written = self.writers.get(_place(tensor), [])
        return [*([node] if node is not None else []), *(other for other in written if other is not node)]

    def behind(self, outputs: list[Tensor]) -> tuple[tuple[str, ...], set[_Node], tuple[str, ...], frozenset[str]]:
        """Return the layers whose outputs these are, their nodes, what else they come from, what lies between."""
        layers: dict[str, None] = {}
        beside: dict[str, None] = {}
        met: set[_Node] = set()
        after: set[str] = set()
        start = [node for output in outputs for node in self.at(output)]
        for node in _walk(start, lambda node: not node.layer and not _combines(node)):
            if node.layer:
                layers[node.layer] = None
                met.add(node)
            elif node.leaf:
                if not node.single:
                    beside[node.leaf] = None
            elif _combines(node):
                beside[f"the operation {node.operation}"] = None
            else:
                after.add(node.operation.removesuffix("_") if node.operation != "_" else node.operation)
        return tuple(layers), met, tuple(beside), frozenset(after)

    def reaching(self, outputs: list[Tensor]) -> tuple[set[str], set[str]]:
        """Return the leaves that the outputs depend on, and those among them that a gradient reaches."""
        start = [node for output in outputs for node in self.at(output)]
        values = {node.leaf for node in _walk(start, lambda node: True) if node.leaf}
        slopes = {node.leaf for node in _walk(start, lambda node: node.differentiable) if node.leaf}
        return values, slopes


def _walk(start: list[_Node], on: Callable[[_Node], bool]) -> Iterator[_Node]:
    """Yield the nodes before `start`, `start` included, going on from those that `on` admits."""
    waiting, seen = list(start), set(start)
    while waiting:
        node = waiting.pop()
        yield node
        if on(node):
            fresh = [parent for parent in node.parents if parent not in seen]
            seen.update(fresh)
            waiting += fresh


def _combines(node: _Node) -> bool:
    return node.operation in _PRODUCTS or "dot_product" in node.operation or "attention" in node.operation


def _place(tensor: Tensor) -> int:
    """Return which memory a tensor lies in."""
    return tensor.untyped_storage()._cdata if tensor.layout == torch.strided else id(tensor)
