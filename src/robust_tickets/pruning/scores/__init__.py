"""What ranks groups; one file each, joined in `AnyScore` on the field `kind`.

| file | kind |
|---|---|
| `score.py` | the protocol |
| `magnitude.py` | `magnitude`: the size of the weights |
"""

from typing import Annotated

from robust_tickets.pruning.kinds import Shorthand
from robust_tickets.pruning.scores.magnitude import Magnitude

AnyScore = Annotated[Magnitude, Shorthand]

__all__ = ["AnyScore", "Magnitude"]
