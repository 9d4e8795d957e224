"""Searches of a second on the small network: gains that are known, and what is left in the numbering of the whole."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from robust_tickets.models.couplings import trace_couplings
from robust_tickets.models.network import Network
from robust_tickets.pruning.parametrisations import PenalisedGains
from robust_tickets.pruning.plans import Plan
from robust_tickets.pruning.ranking import exact_count
from robust_tickets.pruning.rewinds import NoRewind
from robust_tickets.pruning.select import Selection
from robust_tickets.pruning.timelines import Search
from robust_tickets.training.batch_source import ImageBatches
from robust_tickets.training.drawing import Drawing
from robust_tickets.training.in_training import NetworkInTraining
from robust_tickets.training.job import Job
from robust_tickets.training.settings import Training
from robust_tickets.training.trainable import Trainable
from tests.training.small import PER_EPOCH, PLAIN, PRUNABLE, TEN, classifier, digits

TOTAL = 8 * 9 + 12 * 8 * 9
"""Prunable weights of the small network."""

SEARCH = Search(threshold=0.3, remove_every=0.5, frees=0, prune_every=1, ladder=0.3, sparse=0.5, final=3.5, epochs=4)
"""Channels may go before steps 2, 4, ..., 14; weights are away from 4 to 6 and from 8 to 10, and from 12 on."""

ADAMW = {"optimiser": {"kind": "adamw", "lr": 0.01}}


def with_gains(
    first: Sequence[float] | Tensor, second: Sequence[float] | Tensor, network: Network | None = None
) -> Network:
    """Return the small network with these scales of its norms."""
    network = network or classifier()
    with torch.no_grad():
        network.body.get_parameter("bn1.weight").copy_(torch.as_tensor(first))
        network.body.get_parameter("bn2.weight").copy_(torch.as_tensor(second))
    return network


def rising() -> Network:
    """Return the small network with gains from 0.1 to 1: 2 of 8 and 3 of 12 are at most 0.3."""
    return with_gains(torch.linspace(0.1, 1, 8), torch.linspace(0.1, 1, 12))


def drawing(sparsity: float, penalty: float = 0.0, **selection: Any) -> Drawing:
    """Return a drawing by gains; without a penalty they stay about what they are."""
    couplings = trace_couplings(classifier().body, torch.zeros(1, 1, 8, 8), PRUNABLE)
    gains = PenalisedGains(penalty=penalty, warmup=0)
    return Drawing(Selection.model_validate(selection), couplings, gains, NoRewind(), sparsity)


def job(network: Network, plan: Plan, sparsity: float, changes: Mapping[str, Any] | None = None, **options: Any) -> Job:
    """Return the job of a search on the small network."""
    training = Training.model_validate({**PLAIN, **(changes or {})})
    masks = {name: torch.ones_like(network.body.get_parameter(name), dtype=torch.bool) for name in PRUNABLE}
    batches = ImageBatches(digits(), training, 0)
    return Job(
        Trainable.of(network),
        batches,
        training,
        plan,
        0,
        classes=TEN,
        masks=masks,
        drawing=drawing(sparsity, **options),
    )


def planned(sparsity: float, timeline: Search = SEARCH) -> Plan:
    return timeline.plan(sparsity, PER_EPOCH)


def in_whole(trainee: NetworkInTraining, tensors: Mapping[str, Tensor], absent: float = torch.nan) -> dict[str, Tensor]:
    """Return tensors of what is left in the shapes of the whole network, `absent` where channels are gone."""
    assert trainee.removed is not None
    places, state = trainee.removed.places(), trainee.removed.whole.state_dict()
    found = {}
    for name, tensor in tensors.items():
        whole = torch.full(state[name].shape, absent)
        whole.view(-1)[places[name].flatten()] = tensor.detach().float().flatten()
        found[name] = whole
    return found


def slots(trainee: NetworkInTraining) -> Iterator[tuple[str, str, Any]]:
    """Yield what the optimiser keeps: parameter, slot, value."""
    for name, parameter in trainee.body.named_parameters():
        for slot, value in trainee.optimiser.state.get(parameter, {}).items():
            yield name, slot, value


def count_of(sparsity: float) -> int:
    return exact_count(sparsity, TOTAL)
