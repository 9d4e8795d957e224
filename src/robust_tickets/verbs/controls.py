"""Controls: tickets that have everything of a drawn one but what is claimed to matter."""

import copy
from typing import Literal

from robust_tickets.models.sources import Source
from robust_tickets.ticket import Ticket
from robust_tickets.training import reinitialise
from robust_tickets.verbs.draw import DrawSettings, draw

Control = Literal["random", "shuffled", "reinitialised"]

SCORES = {"random": "random", "shuffled": "random-within-layer"}


def control(kind: Control, ticket: Ticket, source: Source, settings: DrawSettings, seed: int) -> Ticket:
    """Return the control of a drawn ticket.

    random: groups removed at random within the same scope, to the same sparsity. shuffled: as many groups of
    every layer as one-shot magnitude removes there, at random inside the layer. reinitialised: the ticket's
    own masks over fresh random weights.
    """
    if kind == "reinitialised":
        classifier = copy.deepcopy(source.classifier)
        reinitialise(classifier.body, seed)
        state = classifier.plain_state()
        weights = {name: value * ticket.masks[name] if name in ticket.masks else value for name, value in state.items()}
        return Ticket(
            ticket.masks,
            ticket.prunable,
            ticket.source,
            weights,
            ticket.recipe,
            dict(ticket.provenance) | {"control": kind},
            source,
        )
    target = ticket.recipe["draw"]["sparsity"]
    return draw(
        source,
        settings=settings.model_copy(update={"timeline": "one-shot"}),
        seed=seed,
        sparsity=target if target is not None else ticket.sparsity,
        score=SCORES[kind],
        parametrisation="fixed",
        timeline="one-shot",
        rewind="pretrained",
    )
