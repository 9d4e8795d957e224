"""Controls: tickets that have everything of a drawn one but what is claimed to matter."""

import copy
import logging
from dataclasses import replace

from torch import Tensor

from robust_tickets.analysis.complement import check_flips, complement, flipped
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import stream_seed
from robust_tickets.models.sources import Source
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.rewinds import reinitialise
from robust_tickets.pruning.scopes import LayerScope
from robust_tickets.pruning.scores import Random
from robust_tickets.pruning.select import Selection
from robust_tickets.ticket import Ticket
from robust_tickets.verbs.control_settings import FLIP, OPPOSITES, Control
from robust_tickets.verbs.draw import draw, recalibrated
from robust_tickets.verbs.draw_settings import DEFAULT_SPARSITY, DrawSettings
from robust_tickets.verbs.target import target_data

NOTHING_TO_START_FROM = (
    "{0}: tickets of this draw restart from weights of their own, and those they removed are not kept anywhere; "
    "use rewind: pretrained, or the controls random and shuffled"
)

_log = logging.getLogger(__name__)


def control(
    kind: Control, ticket: Ticket, source: Source, settings: DrawSettings, seed: int, flip: float = FLIP
) -> Ticket:
    """Return the control of a ticket that was drawn by `settings`.

    random: groups removed at random within the same scope, to the same sparsity. shuffled: as many groups of
    every layer as the ticket removes there, at random inside the layer (coupled groups reach over several
    layers: there, as many of each set as one-shot magnitude removes). reinitialised: the ticket's own masks over
    fresh random weights. complement: what the ticket removes is kept and the other way round, so that its sparsity
    is 1 - s where the ticket's is s. flipped: at equal sparsity, the share `flip` of every layer's kept groups
    exchanged for removed ones, at random.

    Raises:
        UserError: complement or flipped of a ticket that stores its weights, complement of one that leaves a layer
            whole, flipped of groups that cannot be exchanged one by one.
    """
    if kind in OPPOSITES and ticket.stored is not None:
        raise UserError(NOTHING_TO_START_FROM.format(kind))
    if kind == "reinitialised":
        made = replace(ticket, stored=fresh_weights(ticket, source, seed))
    elif kind == "complement":
        made = replace(ticket, masks=complement(ticket.masks))
    elif kind == "flipped":
        masks = {name: ticket.masks[name] for name in ticket.prunable}
        made = replace(ticket, masks=flipped(masks, settings.group, flip, seed))
    elif kind == "shuffled" and not settings.group.is_coupled:
        made = replace(ticket, masks=shuffled(ticket, source, settings, seed), stored=None)
    else:
        made = draw(
            source,
            settings=settings,
            seed=seed,
            sparsity=ticket.target,
            score={"random": "random", "shuffled": "random-within-layer"}[kind],
            parametrisation="fixed",
            timeline="one-shot",
            rewind="pretrained",
        )
    if ticket.statistics is not None and made.statistics is ticket.statistics:
        made = replace(made, statistics=own_statistics(kind, made, source, settings, seed))
    return replace(made, provenance={**ticket.provenance, "control": kind}, network=source)


def own_statistics(
    kind: Control, made: Ticket, source: Source, settings: DrawSettings, seed: int
) -> dict[str, Tensor] | None:
    """Return batch-norm statistics under a control's own masks, on the data on which the ticket's were computed.

    None, and a warning, where those were objects in memory: nothing leads to them.
    """
    data = settings.recalibrate or settings.data
    if data is None:
        _log.warning("%s: keeps the dense network's batch-norm statistics; name the data as draw.recalibrate", kind)
        return None
    network = replace(made, statistics=None).subnetwork(source)
    return recalibrated(network, target_data(data, source, seed))


def check_control(kind: Control, settings: DrawSettings) -> None:
    """Refuse, before anything is drawn, a control that no ticket drawn by `settings` can have.

    Raises:
        UserError: see `control`.
    """
    if kind == "flipped":
        check_flips(settings.group)
    target = DEFAULT_SPARSITY if settings.score.says_sparsity else settings.sparsities[-1]
    plan = settings.timeline.plan(target, steps_per_epoch=1)
    rewound = all(event.rewinds for event in plan.events if event.ticket)
    if kind in OPPOSITES and plan.steps and not (rewound and settings.rewind.is_source):
        raise UserError(NOTHING_TO_START_FROM.format(kind))


def fresh_weights(ticket: Ticket, source: Source, seed: int) -> dict[str, Tensor]:
    """Return newly initialised weights under the ticket's masks."""
    classifier = copy.deepcopy(source.network)
    reinitialise(classifier.body, seed)
    state = classifier.plain_state()
    return {name: value * ticket.masks[name] if name in ticket.masks else value for name, value in state.items()}


def shuffled(ticket: Ticket, source: Source, settings: DrawSettings, seed: int) -> Masks:
    """Return masks with as many groups removed from each layer as the ticket's, but others."""
    selection = Selection(score=Random(), group=settings.group, scope=LayerScope())
    masks: Masks = {}
    for name, removed in ticket.layer_sparsity.items():
        weight = source.network.body.get_parameter(name).detach()
        if removed == 1:
            masks[name] = ticket.masks[name]
        else:
            masks |= selection.select({name: weight}, sparsity=removed, seed=stream_seed(seed, "shuffled", name))
    return masks
