"""What happens when; one file each, joined in `AnyTimeline` on the field `kind`.

| file | kind |
|---|---|
| `timeline.py` | the protocol |
| `one_shot.py` | `one-shot`: prune once (OMP) |
| `early.py` | `early`: prune once, early in the first epoch (early-bird tickets, EarlyBERT) |
| `iterative.py` | `iterative`: rounds of train, prune, rewind (IMP) |
| `gradual.py` | `gradual`: sparsity rises along a cubic (GMP) |
| `alternating.py` | `alternating`: sparse and dense phases in turn (AC/DC) |
| `drop_and_grow.py` | `drop-and-grow`: sparse throughout, connections move (SET, RigL) |
| `search.py` | `search`: channels go for good, weights for a while (SuperTickets) |
"""

from typing import Annotated

from pydantic import Field

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.pruning.timelines.alternating import Alternating
from robust_tickets.pruning.timelines.drop_and_grow import DropAndGrowTimeline
from robust_tickets.pruning.timelines.early import Early
from robust_tickets.pruning.timelines.gradual import Gradual
from robust_tickets.pruning.timelines.iterative import Iterative
from robust_tickets.pruning.timelines.one_shot import OneShot
from robust_tickets.pruning.timelines.search import Search
from robust_tickets.pruning.timelines.timeline import Timeline, says_sparsity

AnyTimeline = Annotated[
    OneShot | Iterative | Gradual | Alternating | DropAndGrowTimeline | Early | Search,
    Field(discriminator="kind"),
    Shorthand,
]

__all__ = [
    "Alternating",
    "AnyTimeline",
    "DropAndGrowTimeline",
    "Early",
    "Gradual",
    "Iterative",
    "OneShot",
    "Search",
    "Timeline",
    "says_sparsity",
]
