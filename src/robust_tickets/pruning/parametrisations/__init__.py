"""How mask and weight meet in the forward pass, and what trains; joined in `AnyParametrisation`.

| file | kind |
|---|---|
| `parametrisation.py` | the protocol |
| `parametrised.py` | what building one gives |
| `fixed.py` | `fixed`: weights train under a fixed mask |
"""

from typing import Annotated

from robust_tickets.pruning.kinds import Shorthand
from robust_tickets.pruning.parametrisations.fixed import Fixed
from robust_tickets.pruning.parametrisations.parametrisation import Parametrisation
from robust_tickets.pruning.parametrisations.parametrised import Parametrised

AnyParametrisation = Annotated[Fixed, Shorthand]

__all__ = ["AnyParametrisation", "Fixed", "Parametrisation", "Parametrised"]
