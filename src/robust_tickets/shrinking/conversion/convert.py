"""A classifier in, a graph out: torch's own export walked call by call."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import SymInt, Tensor, fx
from torch._ops import OpOverload
from torch.fx.node import map_arg
from torch.utils._pytree import tree_leaves, tree_map

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.network import Network
from robust_tickets.runtime.errors import RuntimeFileError
from robust_tickets.runtime.graph import Graph, Shape
from robust_tickets.runtime.rules.operations import require_valid
from robust_tickets.shrinking.conversion.arithmetic import ARITHMETIC
from robust_tickets.shrinking.conversion.attention import ATTENTION, OF_TOKENS
from robust_tickets.shrinking.conversion.builder import INTERNAL, Builder
from robust_tickets.shrinking.conversion.folding import finished
from robust_tickets.shrinking.conversion.inputs import EXAMPLES, INPUTS, ProgramInputs
from robust_tickets.shrinking.conversion.movement import MOVEMENT, OF_GROUPS
from robust_tickets.shrinking.conversion.operators import OPERATORS, Handler
from robust_tickets.shrinking.conversion.program import constants_of, exported, operator_of
from robust_tickets.shrinking.conversion.site import Inexpressible, Site
from robust_tickets.shrinking.conversion.value import BATCH, SEQUENCE, GraphValue, Grouped, Heads, Told

HANDLERS: dict[str, Handler] = OPERATORS | ARITHMETIC | MOVEMENT | ATTENTION
"""Name of torch's operator, without overload and without the underscore of an operation in place -> handler."""

HINTS = {
    **dict.fromkeys(("softmax", "matmul", "bmm", "einsum"), "attention that is not scaled_dot_product_attention"),
    **dict.fromkeys(("upsample_nearest2d", "upsample_bilinear2d", "interpolate"), "upsampling"),
    **dict.fromkeys(("group_norm", "instance_norm"), "norms over the pixels of the current image"),
    **dict.fromkeys(("linalg_vector_norm", "norm", "std", "var"), "norms over the pixels of the current image"),
    **dict.fromkeys(("conv_transpose2d", "pixel_shuffle"), "upsampling"),
    **dict.fromkeys(("conv1d", "conv3d"), "convolutions over something other than images"),
}
"""What an operator that the runtime does not have is for, in the words of the field."""


def convert(classifier: Network, metadata: Mapping[str, str] | None = None) -> Graph:
    """Return what a classifier computes, from images [C, H, W] in [0, 1] or texts to logits, as a graph.

    Batch norms are folded into the layers before them; weights that are zero stay exactly zero.

    Args:
        classifier: on the CPU, in float32 and eval mode.
        metadata: what the graph says about itself.

    Raises:
        UserError: the network cannot be exported, or the runtime lacks an operation that it uses.
    """
    require_classifier(classifier)
    network = classifier.called
    try:
        graph = _Walk(classifier).graph(metadata or {})
        require_valid(graph)
    except Inexpressible as refusal:
        raise UserError(
            f"{network} cannot become a runtime file: {refusal}; write an .onnx file, which ONNX Runtime runs"
        ) from None
    except RuntimeFileError as error:
        raise UserError(f"{network} cannot become a runtime file: {error}; write an .onnx file instead") from error
    return graph


def require_classifier(network: Network) -> None:
    """Refuse a network that takes neither images nor texts, or with other answers than logits.

    Raises:
        UserError: says what is missing.
    """
    if type(network.interface) not in INPUTS:
        raise UserError(
            f"{network.called} cannot become a runtime file: it takes {network.interface.noun}, and the "
            "runtime takes images or texts; write an .onnx file, which ONNX Runtime runs"
        )
    if not network.gives_logits:
        raise UserError(
            f"{network.called} cannot become a runtime file: it gives {' and '.join(network.answers)}, "
            "and the runtime gives logits only; write an .onnx file, which ONNX Runtime runs"
        )


class _Walk:
    """Calls a handler for every call of the program that a value of the graph goes into; computes the others."""

    def __init__(self, classifier: Network) -> None:
        self.inputs: ProgramInputs = INPUTS[type(classifier.interface)](classifier.interface)
        program = exported(classifier, self.inputs.example())
        self.builder = Builder(shapes={self.inputs.name: self.inputs.shape}, tokens=self.inputs.tokens)
        self.modules = dict(classifier.named_modules())
        self.found: dict[fx.Node, Any] = {}
        held = constants_of(program)
        given = dict(zip(program.graph_signature.user_inputs, self.inputs.values(), strict=True))
        for node in program.graph.nodes:
            if node.op == "placeholder" and node.name in held:
                self.found[node] = held[node.name]
            elif node.op == "placeholder":
                self.found[node] = given[node.name]
                self.batch = str(node.meta["val"].shape[0])
            elif node.op == "call_function":
                self.found[node] = self.call(node)
            elif node.op == "output":
                self.output = self.found[node.all_input_nodes[0]]

    def call(self, node: fx.Node) -> Any:
        """Return what a call gives: values of the graph, a constant, or what is told from tokens and sizes."""
        args: Any
        args, kwargs = map_arg((node.args, node.kwargs), self.found.__getitem__)  # pyright: ignore[reportArgumentType]
        reads = [self.found[one] for one in node.all_input_nodes]
        if node.target is operator.getitem:
            return args[0][args[1]]
        name = operator_of(node)
        of_graph = any(isinstance(one, GraphValue | Grouped | Heads | tuple) for one in reads)
        if name.startswith("_assert"):
            return None
        if name == "sym_size":
            # Of all sizes the number of inputs alone is not known.
            return Told(frozenset({BATCH}), EXAMPLES)
        if not of_graph and not (name in OF_TOKENS and any(isinstance(one, Told) for one in reads)):
            return self.told(node, args, kwargs)
        layer = self.layer(node, name)
        try:
            if name not in HANDLERS or not isinstance(node.target, OpOverload):
                raise Inexpressible(f"the runtime has no {name}{f' ({HINTS[name]})' if name in HINTS else ''}")
            site = Site(self.builder, layer, self.result_shape(node))
            self.require_whole(name, node)
            grouped = {type(one) for one in reads} & OF_GROUPS.keys()
            if name not in ATTENTION and any(HANDLERS[name] not in OF_GROUPS[kind] for kind in grouped):
                raise Inexpressible("reads channels or features in groups, which can only be moved, or attended to")
            if name not in OF_TOKENS:
                args, kwargs = tree_map(_as_constant, (args, kwargs))
                _require_numbers(args, kwargs)
            return HANDLERS[name](site, **_named(node.target, args, kwargs))
        except Inexpressible as refusal:
            raise Inexpressible(f"{layer} ({name}): {refusal}") from None

    def told(self, node: fx.Node, args: Any, kwargs: Any) -> Any:
        """Return what a call gives that no value of the graph goes into, computed on the example."""
        told = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Told)]
        args, kwargs = tree_map(lambda one: one.value if isinstance(one, Told) else one, (args, kwargs))
        assert callable(node.target)
        value = node.target(*args, **kwargs)
        if not told:
            return value
        of = frozenset().union(*(one.of for one in told))
        rows = [one for one in told if one.row is not None]
        same = len(rows) == 1 and isinstance(value, Tensor) and torch.equal(value, rows[0].value)
        return Told(of, value, rows[0].row if same and of - {BATCH} == {rows[0].row} else None)

    def layer(self, node: fx.Node, name: str) -> str:
        """Return the module path inside the body, and the operator if that is not its own module."""
        stack = [path for path, _ in (node.meta.get("nn_module_stack") or {}).values()]
        path = str(stack[-1]) if stack and stack[-1] in self.modules else ""
        if not path:
            return "normalise"
        inside = path.removeprefix("body").removeprefix(".")
        if next(self.modules[path].children(), None) is None and inside:
            return inside
        return f"{inside}.{name}" if inside else name

    def result_shape(self, node: fx.Node) -> Shape | None:
        """Return torch's shape of the result without the batch.

        None if there are several results, or it has another first dimension than the images, or one that depends on
        their number.
        """
        result = node.meta["val"]
        if not isinstance(result, Tensor):
            return None
        first, *rest = result.shape or (None,)
        if str(first) != self.batch or any(isinstance(n, SymInt) for n in rest):
            return None
        return tuple(int(n) for n in rest)

    def require_whole(self, name: str, node: fx.Node) -> None:
        """Let only sums and products read a value that torch has expanded and the graph has not.

        Raises:
            Inexpressible: something else does.
        """
        for one in node.all_input_nodes if name not in ARITHMETIC else ():
            value = self.found[one]
            if isinstance(value, GraphValue) and value.seen != tuple(one.meta["val"].shape[1:]):
                raise Inexpressible("reads one number per channel repeated over pixels")

    def graph(self, metadata: Mapping[str, str]) -> Graph:
        """Return the graph of everything that the output needs."""
        if not isinstance(self.output, GraphValue):
            raise Inexpressible("its output does not depend on its inputs")
        site = Site(self.builder, "logits", self.output.seen)
        if self.inputs.tokens and self.output.order == SEQUENCE:
            name = self.output.name  # an answer for each token
        else:
            name = site.flat(self.output) if len(self.output.order) == 1 else site.image(self.output)
        graph = finished(self.builder, self.inputs.name, self.inputs.shape, name, metadata, self.inputs.tokens)
        for node in graph.nodes:
            if (kind := node.attributes.get("kind", node.op)) in INTERNAL:
                raise Inexpressible(
                    f"{node.name} ({kind.split(' ')[0]}) is not part of any operation that the runtime has"
                )
        return graph


def _as_constant(argument: Any) -> Any:
    """Return a tensor that is told, but the same for every input, as the constant that it is; or what is given."""
    if not isinstance(argument, Told) or argument.of - {BATCH}:
        return argument
    constant = argument.constant()
    return argument if constant is None else constant


def _require_numbers(args: Any, kwargs: Any) -> None:
    """Let only sizes be told: a handler asks torch for those of its result.

    Raises:
        Inexpressible: something else is.
    """
    for one in tree_leaves((args, kwargs)):
        if isinstance(one, Told) and isinstance(one.value, Tensor):
            raise Inexpressible(f"computes with {' and '.join(sorted(one.of))} other than by embeddings and attention")


def _named(target: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments by the names of torch's schema, defaults filled in."""
    named = {}
    for place, argument in enumerate(target._schema.arguments):
        name = "x" if argument.name == "self" else argument.name
        if place < len(args):
            named[name] = args[place]
        elif argument.name in kwargs:
            named[name] = kwargs[argument.name]
        elif argument.has_default_value():
            named[name] = argument.default_value
    return named
