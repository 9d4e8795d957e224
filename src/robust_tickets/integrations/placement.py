"""Which parameters of a model a ticket's masks belong to, whatever is wrapped around it."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adapted_body import architecture_of
from robust_tickets.pruning.masks import Masks
from robust_tickets.ticket.ticket import Ticket

WRAPPERS = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})
"""What DataParallel, DDP, averages, torch.compile and checkpointing put into names."""

AnyTicket = Ticket | Mapping[str, Tensor] | Path | str
"""A ticket, its folder, or its masks alone: parameter name -> bool, True = kept."""


def masks_of(ticket: AnyTicket) -> Masks:
    """Return the masks of a ticket, of the one in a folder, or these masks themselves.

    Raises:
        UserError: the folder holds no ticket, or something is not a mask.
    """
    if isinstance(ticket, str | Path):
        ticket = Ticket.load(ticket)
    masks = dict(ticket.masks if isinstance(ticket, Ticket) else ticket)
    for name, mask in masks.items():
        if not isinstance(mask, Tensor) or mask.dtype.is_floating_point or mask.dtype.is_complex:
            found = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
            raise UserError(f"the mask of {name} is {found}; it should be a bool tensor, True where a weight is kept")
    return {name: mask.bool() for name, mask in masks.items()}


def masked_parameters(model: nn.Module, masks: Mapping[str, Tensor]) -> dict[str, nn.Parameter]:
    """Return the parameter that each mask belongs to, by the mask's name.

    The network the ticket was drawn from may be the model, or be inside it: behind torch.compile, DDP or an average of
    weights, as an attribute of a LightningModule, as the backbone of a larger network.

    Raises:
        UserError: the model has no such parameters, has them twice, or shards them.
    """
    found: dict[str, nn.Parameter] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        found[plain(name)] = parameter
    wanted = {plain(name): name for name in masks}
    places: set[str] | None = None
    for name, told in wanted.items():
        ends = {known.removesuffix(name) for known in found if known == name or known.endswith(f".{name}")}
        if places is not None and not places & ends:
            ends = set()
        if not ends:
            raise UserError(
                f"the ticket masks {told}, and {architecture_of(model).__name__} has no such parameter next to the "
                "others; give the network the ticket was drawn from, or a model that contains it"
            )
        places = ends if places is None else places & ends
    places = places or set()
    fitting = [
        place
        for place in places
        if all(found[place + name].shape == masks[told].shape for name, told in wanted.items())
    ]
    if places and not fitting:
        place = min(places)
        name = next(name for name, told in wanted.items() if found[place + name].shape != masks[told].shape)
        raise UserError(
            f"the ticket's mask of {wanted[name]} has shape {list(masks[wanted[name]].shape)}, but the parameter "
            f"{list(found[place + name].shape)}; give the network the ticket was drawn from"
        )
    if len({id(found[place + name]) for place in fitting for name in wanted}) > len(wanted):
        inside = " and ".join(sorted(place.rstrip(".") or "the model itself" for place in fitting))
        called = architecture_of(model).__name__
        raise UserError(f"{called} contains several networks that the ticket fits ({inside}); give one of them")
    parameters = {told: found[fitting[0] + name] for name, told in wanted.items()} if fitting else {}
    for name, parameter in parameters.items():
        if isinstance(parameter, DTensor):
            raise UserError(f"{name} is sharded over processes (FSDP), which masks do not support; use DDP")
    return parameters


def plain(name: str) -> str:
    """Return a parameter's name without what wrappers put into it."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)
