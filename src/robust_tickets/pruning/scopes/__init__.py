"""Where scores compete; one file each, joined in `AnyScope` on the field `kind`.

| file | kind |
|---|---|
| `scope.py` | the protocol, and `PruningPool` |
| `global_.py` | `global`: all groups together |
| `layer.py` | `layer`: each layer by itself |
| `each.py` | `each`: each kind of coupled group by itself |
| `erk.py` | `erk`: each layer by itself, denser where layers are small |
"""

from typing import Annotated

from pydantic import Field

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.pruning.scopes.each import EachScope, Within
from robust_tickets.pruning.scopes.erk import ErkScope
from robust_tickets.pruning.scopes.global_ import GlobalScope
from robust_tickets.pruning.scopes.layer import LayerScope
from robust_tickets.pruning.scopes.scope import PruningPool, Scope

AnyScope = Annotated[GlobalScope | LayerScope | ErkScope | EachScope, Field(discriminator="kind"), Shorthand]

__all__ = ["AnyScope", "EachScope", "ErkScope", "GlobalScope", "LayerScope", "PruningPool", "Scope", "Within"]
