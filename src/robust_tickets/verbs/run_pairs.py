"""Pairs of networks that transfers ended with, and what lies between the two of a pair."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from torch import Tensor

from robust_tickets.analysis.apart import Apart
from robust_tickets.analysis.distance import angle, displacement, distance, shared_masks, survivors
from robust_tickets.analysis.interpolation import Path, interpolate
from robust_tickets.analysis.interpolation_settings import InterpolationSettings
from robust_tickets.analysis.loss import Reached
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.digests import tensors_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.steps import Step
from robust_tickets.models.adaptations.adapted_body import places_of
from robust_tickets.models.layers import prunable_weights
from robust_tickets.models.network import Network
from robust_tickets.pruning.masks import Masks, full
from robust_tickets.verbs.analyse_settings import AnalyseSettings
from robust_tickets.verbs.measure import examined, in_order
from robust_tickets.verbs.transfer import Run, Transfer, subnetwork
from robust_tickets.verbs.verify import is_shared

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunPair:
    """Two trained networks of one architecture."""

    name: str
    transfer: Transfer
    """Of the first; says what it started from."""
    other: Transfer
    """Of the second; the same one for two seeds."""
    first: Run
    second: Run

    @property
    def masks(self) -> Masks:
        """Return what both keep of the prunable weights."""
        if self.other is self.transfer:
            return surviving(self.transfer)
        return shared_masks(surviving(self.transfer), surviving(self.other))

    @property
    def shares_start(self) -> bool:
        """Return whether both were trained from the same weights, the head included."""
        # A fresh head is drawn from the seed.
        heads = {self.transfer.settings.head, self.other.settings.head}
        return heads == {"keep"} or (len(heads) == 1 and self.first.seed == self.second.seed)


def pairs_of(transfers: Mapping[str, Transfer], most: int) -> Iterator[RunPair]:
    """Yield pairs of runs of one ticket: seeds of one transfer, and one seed of two transfers to the same data."""
    for name, transfer in transfers.items():
        yield from list(pairs_of_seeds(name, transfer))[:most]
    origins = {name: (one.source.identity.digest, one.ticket and one.ticket.digest) for name, one in transfers.items()}
    for (name, transfer), (other_name, other) in combinations(transfers.items(), 2):
        seeds = {run.seed: run for run in other.runs}
        first = next((run for run in transfer.runs if run.seed in seeds), None)
        if first is not None and origins[name] == origins[other_name]:
            second = seeds[first.seed]
            if (first.data.name, first.data.classes) == (second.data.name, second.data.classes):
                yield RunPair(f"{name} and {other_name}, seed {first.seed}", transfer, other, first, second)


def pairs_of_seeds(name: str, transfer: Transfer) -> Iterator[RunPair]:
    """Yield every pair of a transfer's seeds; `name` is what tables call it."""
    for first, second in combinations(transfer.runs, 2):
        yield RunPair(f"{name}, seeds {first.seed} and {second.seed}", transfer, transfer, first, second)


def look_between(pair: RunPair, settings: AnalyseSettings, line: InterpolationSettings) -> Apart:
    """Return the difference between two networks, computed now or taken from the first one's folder."""
    state, other = pair.first.network.plain_state(), pair.second.network.plain_state()
    identity = {
        "part": settings.part,
        "images": settings.images,
        "interpolation": line.model_dump(mode="json", exclude={"pairs"}),
        "from": tensors_digest(state),
        "to": tensors_digest(other),
    }
    require_unseen(pair, settings)
    step = Step.named(pair.first.folder, "interpolation", identity)
    if step.result is not None:
        result = step.result
        path = Path(line.places, tuple(Reached(**place) for place in result["reached"]))
        return Apart(result["angle"], result["displacements"], result["distance"], path, pair.shares_start)
    noun = pair.first.data.noun
    _log.info("between %s: %d passes over %d %s", pair.name, len(line.places), settings.images, noun)
    masks = pair.masks
    sources = [subnetwork(one.source, one.ticket) for one in (pair.transfer, pair.other)]
    at_end = [weights_at(pair.transfer, pair.first.network, masks), weights_at(pair.other, pair.second.network, masks)]
    masks = {name: mask for name, mask in masks.items() if all(name in one for one in at_end)}
    starts = [survivors(one.plain_state(), masks) for one in sources]
    ends = [survivors(one, masks) for one in at_end]
    with step.claim():
        recalibration = None
        if line.bn == "recalibrated":
            recalibration = list(in_order(pair.first.data.train, line.recalibration_images))
        images = held(pair.first, settings)
        path = interpolate(pair.first.network, pair.second.network, images, line.places, recalibration)
        between = angle(*(displacement(start, end) for start, end in zip(starts, ends, strict=True)))
        apart = Apart(angle(*ends), between, distance(*ends), path, pair.shares_start)
        step.finish(
            {
                "angle": apart.angle,
                "displacements": apart.displacements,
                "distance": apart.distance,
                "reached": [vars(place) for place in path.reached],
            }
        )
    return apart


def require_unseen(pair: RunPair, settings: AnalyseSettings) -> None:
    """Refuse to measure one network on images that it trained on, and the other on images that it did not.

    Raises:
        UserError: each seed has validation images of its own.
    """
    if not is_shared((pair.first, pair.second), settings.part):
        raise UserError(
            f"part: {settings.part}: {pair.name} have {settings.part} {pair.first.data.noun} of their own, on most of "
            "which the other one trained; use part: test, or data.seed in the run, which makes one choice for all seeds"
        )


def surviving(transfer: Transfer) -> Masks:
    """Return the masks of the ticket's prunable weights; for dense, of all prunable weights, all kept."""
    ticket = transfer.ticket
    if ticket is not None:
        return {name: ticket.masks[name] for name in ticket.prunable}
    return full_masks(transfer.source.network)


def full_masks(network: Network) -> Masks:
    """Return masks of all prunable weights of a source's network, all kept."""
    return full({name: network.body.get_parameter(name) for name in prunable_weights(network)})


def weights_at(transfer: Transfer, network: Network, masks: Masks) -> dict[str, Tensor]:
    """Return masked weights of a trained network by the source's names, as far as its task has them.

    Args:
        transfer: what the network came from.
        network: one of its runs'.
        masks: by the source's names.
    """
    places, state = places_of(transfer.source.network.body, network.body), network.plain_state()
    return {name: state[places[name]] for name in masks if name in places}


def held(run: Run, settings: AnalyseSettings) -> list[Batch | tuple[Tensor, Tensor]]:
    """Return the batches on which losses are computed, in memory: they are used many times."""
    with examined(run, settings.part) as examinee:
        return list(examinee.images(settings.images))
