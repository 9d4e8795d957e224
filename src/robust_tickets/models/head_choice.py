"""Which layer of a network is its head: the one whose output is the network's output, seen in a forward pass."""

from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adapted_body import AdaptedBody
from robust_tickets.models.forward_trace import ForwardTrace, is_head
from robust_tickets.models.heads import classes_of, declared_heads, get_head
from robust_tickets.models.interface import Interface

ADVICE = "give `head`, the path of the Linear or Conv2d layer whose output is the network's output"


def choose_head(
    body: nn.Module, trace: ForwardTrace, interface: Interface, name: str, given: str | None = None
) -> tuple[str, tuple[str, ...]]:
    """Return the path of the head, and what is worth noting about it.

    Args:
        body: the plain architecture.
        trace: what `trace_forward` saw of it.
        interface: what goes in.
        name: what messages call the network.
        given: the user's or a file's choice, which the pass must bear out; None: the pass decides.

    Raises:
        UserError: no layer is the head, several are, or not the one that was given; or what comes out are not logits.
    """
    if isinstance(body, AdaptedBody):
        return _of_adapted(body, trace, name, given), ()
    if given is not None:
        get_head(body, given)
    seen = trace.layers[0] if len(trace.layers) == 1 and not trace.beside and not trace.elsewhere else None
    declared = declared_heads(body)
    notes: tuple[str, ...] = ()
    if seen is not None and (given is None or f"{seen}.".startswith(f"{given}.")):
        head = given or seen
        if len(declared) == 1 and not f"{seen}.".startswith(f"{declared[0]}."):
            notes = (
                f"head: {head}, whose output is the network's output, although {declared[0]} is declared as the head",
            )
    else:
        head = _tried(body, trace, interface, name, given, seen, declared)
    _require_logits(body, head, trace, name)
    return head, (*notes, *_activation(trace, name))


def _tried(
    body: nn.Module,
    trace: ForwardTrace,
    interface: Interface,
    name: str,
    given: str | None,
    seen: str | None,
    declared: tuple[str, ...],
) -> str:
    """Return the layer that was given, declared or seen, if one class more in it is one more in the output."""
    modules = dict(body.named_modules())
    for candidates in ((given,),) if given is not None else (declared, trace.layers):
        proven = [path for path in candidates if path in modules and is_head(body, path, interface, name)]
        if len(proven) == 1:
            return proven[0]
    if given is not None:
        instead = f"; that is {seen}" if seen is not None else ""
        raise UserError(f"head: {given!r} is not the layer whose output is the output of {name}{instead}")
    if len(declared) > 1:
        raise UserError(f"{name} has several heads ({', '.join(declared)}); use a variant with one")
    what = ", ".join([*trace.layers, *trace.beside][:4]) or "no layer"
    raise UserError(f"{name}: its head cannot be identified, because the output is computed from {what}; {ADVICE}")


def _of_adapted(body: AdaptedBody, trace: ForwardTrace, name: str, given: str | None) -> str:
    """Return the head of an adapted body, which it knows itself."""
    if given not in (None, body.head_path):
        raise UserError(f"head: {given!r} is not the head of {name}; that is {body.head_path}")
    if (right := body.shape_fault(trace.shape)) is not None:
        raise UserError(f"{name}: its output for two inputs has shape {list(trace.shape)}, not {right}")
    return body.head_path


def _require_logits(body: nn.Module, head: str, trace: ForwardTrace, name: str) -> None:
    classes, shape = classes_of(get_head(body, head)), trace.shape
    if len(shape) == 4:
        raise UserError(
            f"{name}: its output for two images has shape {list(shape)}, a prediction for every pixel; if an image "
            "has one label, average over the pixels in forward: `.mean((2, 3))`"
        )
    if shape[:2] != (2, classes) or len(shape) != 2:
        raise UserError(
            f"{name}: its output for two images has shape {list(shape)}, not [2, {classes}] as its head {head} gives; "
            "forward must return one logit per class"
        )


def _activation(trace: ForwardTrace, name: str) -> tuple[str, ...]:
    """Refuse probabilities; log-probabilities are logits too: their softmax and cross-entropy are the same."""
    for operation, what in (("_softmax", "softmax"), ("sigmoid", "sigmoid"), ("hardsigmoid", "hardsigmoid")):
        if operation in trace.after:
            raise UserError(
                f"{name}: its output has passed a {what}; losses, attacks and calibration need logits, so leave the "
                f"{what} out of forward"
            )
    if "_log_softmax" in trace.after:
        return ("output: log-probabilities (log_softmax); they serve as logits, with the same losses and decisions",)
    return ()
