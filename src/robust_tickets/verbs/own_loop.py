"""Networks that a loop of the user's own trained, as the verbs take them: a transfer that was made elsewhere."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adapted_body import placed
from robust_tickets.models.layers import prunable_weights
from robust_tickets.models.network import Network
from robust_tickets.models.sources import Source, load_source
from robust_tickets.pruning.masks import Masks, sparsity
from robust_tickets.pruning.rewinds import reinitialise
from robust_tickets.tasks.kinds import task_for
from robust_tickets.tasks.target import Data, as_evaluated, require_size, target_data
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.stored_network import held
from robust_tickets.verbs.transfer import Run, Transfer
from robust_tickets.verbs.transfer_settings import TransferSettings

OWN_LOOP = "trained in your own loop"

Given = Transfer | nn.Module | list[Any] | tuple[Any, ...]
"""What a verb looks at: a transfer; or a network, or one per seed, that the user trained."""


def as_transfer(
    given: Given, data: Data | None = None, ticket: Ticket | None = None, source: Source | None = None
) -> Transfer:
    """Return what the verbs need of networks that the user trained; a transfer is returned as it is.

    Args:
        given: a torch module, or several that differ in the seed alone, in the order of their seeds; or a transfer.
        data: what they were trained on, as in `transfer`; images in [0, 1] that are not normalised.
        ticket: whose masks held; without it the zeros that are there are the ticket.
        source: of which network they are versions; without it that of the ticket, or they themselves.

    Raises:
        UserError: data are missing or do not fit, a removed weight is not zero, or the modules are not versions of one
            network.
    """
    if isinstance(given, Transfer):
        if data is not None or ticket is not None:
            raise UserError("data and ticket are for a module; a transfer brings its own: leave them out")
        return given
    modules = list(given) if isinstance(given, list | tuple) else [given]
    if not modules or not all(isinstance(module, nn.Module) for module in modules):
        found = f"a {type(modules[0]).__name__}" if modules else "an empty list"
        raise UserError(f"{found} is not a trained network: give a transfer, a torch module, or a list of modules")
    networks = [own_network(module, ticket) for module in modules]
    first = networks[0]
    if data is None:
        noun = first.network.interface.noun
        raise UserError(f"data: give the data the module was trained on, as in data='path/to/{noun}'")
    if ticket is None:
        ticket = ticket_of_zeros(networks)
    for network in networks:
        require_held(network.network, ticket)
    if source is None:
        source = replace(first, identity=ticket.source) if ticket is not None else first
    settings = TransferSettings(head="keep", seeds=tuple(range(len(modules))))
    runs = []
    for seed, network in enumerate(networks):
        splits = target_data(data, source, seed)
        if (task := task_for(splits)).keeps_body and network.network.num_classes != len(splits.classes):
            raise UserError(
                f"the module distinguishes {network.network.num_classes} classes, but {splits.name} has "
                f"{len(splits.classes)}; give the data it was trained on"
            )
        require_size(network.network, splits, network.identity.name)
        network.network.interface = as_evaluated(network.network.interface, splits)
        runs.append(Run(seed, held(network.network), splits, None, None, task))
    return Transfer(source, ticket, settings, data, tuple(runs), described=OWN_LOOP)


def own_counterpart(result: Transfer, against: Given) -> Transfer:
    """Return the dense network that a ticket is paired with, on the same data; a transfer is returned as it is.

    Raises:
        UserError: one was trained by the user and the other here, or see `as_transfer`.
    """
    own = not isinstance(against, Transfer) or against.described is not None
    if own != (result.described is not None):
        raise UserError(
            "against: one network was trained in your own loop and the other by transfer, so they differ in more "
            "than the ticket; train both in the same way"
        )
    return against if isinstance(against, Transfer) else as_transfer(against, result.data, source=result.source)


def own_network(module: nn.Module, ticket: Ticket | None) -> Source:
    """Return a module as a source; where it does not say how it is normalised, the ticket does.

    Raises:
        UserError: see `load_source`.
    """
    if isinstance(module, Network) or ticket is None:
        return load_source(module)
    return load_source(module, preprocessing=ticket.source.preprocessing, head=ticket.source.head)


def require_held(classifier: Network, ticket: Ticket | None) -> None:
    """Refuse a network whose removed weights are not zero: what is measured would not be what is shipped.

    Raises:
        UserError: names a parameter that is missing, or that has drifted.
    """
    parameters = dict(classifier.body.named_parameters())
    for name, mask in (placed(ticket.masks, classifier.body) if ticket is not None else {}).items():
        parameter = parameters[name].detach()
        if drifted := int(torch.count_nonzero(parameter[~mask.to(parameter.device)])):
            raise UserError(
                f"{name}: {drifted} of {int((~mask).sum())} removed weights are not zero; train inside `with "
                "rt.masked(model, ticket, optimizer):`"
            )


def ticket_of_zeros(networks: Sequence[Source]) -> Ticket | None:
    """Return the ticket of the zeros that versions of one network share; None if they share no prunable ones.

    Raises:
        UserError: they are not versions of one network.
    """
    first = networks[0]
    masks: Masks = {}
    for network in networks:
        parameters = dict(network.network.body.named_parameters())
        found = {name: parameter.detach().cpu() != 0 for name, parameter in parameters.items()}
        masks = masks or {name: torch.zeros_like(mask) for name, mask in found.items()}
        if {name: mask.shape for name, mask in found.items()} != {name: mask.shape for name, mask in masks.items()}:
            raise UserError("the modules have different parameters; give versions of one network")
        masks = {name: masks[name] | mask for name, mask in found.items()}
    prunable = prunable_weights(first.network)
    masks = {name: mask for name, mask in masks.items() if name in prunable or not bool(mask.all())}
    removed = sparsity(masks, prunable)
    if not removed:
        return None
    recipe = {"source": first.settings.model_dump(mode="json"), "draw": {"sparsity": removed}}
    return Ticket(masks, prunable, first.identity, recipe=recipe, network=first)


def dense_stand_in(result: Transfer) -> Transfer:
    """Return the same architecture with fresh weights: as large and as fast as dense, and good for nothing else."""
    runs = []
    for run in result.runs:
        classifier = copy.deepcopy(run.network)
        reinitialise(classifier.body, run.seed)
        runs.append(replace(run, network_of=held(classifier)))
    return replace(result, ticket=None, runs=tuple(runs))
