"""Which weights a ticket restarts from; one file each, joined in `AnyRewind` on the field `kind`.

| file | kind |
|---|---|
| `rewind_point.py` | what every rewind can do |
| `pretrained.py` | `pretrained`: the source |
| `at_step.py` | `step`: an early point of the draw's own training |
| `no_rewind.py` | `none`: the weights as they are |
| `reinitialised.py` | `reinitialised`: fresh random weights |
"""

from typing import Annotated

from pydantic import Field

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.pruning.rewinds.at_step import AtStep
from robust_tickets.pruning.rewinds.no_rewind import NoRewind
from robust_tickets.pruning.rewinds.pretrained import PretrainedRewind
from robust_tickets.pruning.rewinds.reinitialised import Reinitialised, reinitialise
from robust_tickets.pruning.rewinds.rewind_point import RewindPoint

AnyRewind = Annotated[PretrainedRewind | AtStep | NoRewind | Reinitialised, Field(discriminator="kind"), Shorthand]

__all__ = ["AnyRewind", "AtStep", "NoRewind", "PretrainedRewind", "Reinitialised", "RewindPoint", "reinitialise"]
