"""When what happens; one file each, joined in `AnyTimeline` on the field `kind`.

| file | kind |
|---|---|
| `timeline.py` | the protocol |
| `one_shot.py` | `one-shot`: prune once |
| `iterative.py` | `iterative`: rounds of train, prune, rewind |
"""

from typing import Annotated

from pydantic import Field

from robust_tickets.pruning.kinds import Shorthand
from robust_tickets.pruning.timelines.iterative import Iterative
from robust_tickets.pruning.timelines.one_shot import OneShot

AnyTimeline = Annotated[OneShot | Iterative, Field(discriminator="kind"), Shorthand]

__all__ = ["AnyTimeline", "Iterative", "OneShot"]
