"""Where scores compete; one file each, joined in `AnyScope` on the field `kind`.

| file | kind |
|---|---|
| `scope.py` | the protocol, and `Pool` |
| `global_.py` | `global`: all groups together |
| `layer.py` | `layer`: each layer by itself |
"""

from typing import Annotated

from pydantic import Field

from robust_tickets.pruning.kinds import Shorthand
from robust_tickets.pruning.scopes.global_ import GlobalScope
from robust_tickets.pruning.scopes.layer import LayerScope

AnyScope = Annotated[GlobalScope | LayerScope, Field(discriminator="kind"), Shorthand]

__all__ = ["AnyScope", "GlobalScope", "LayerScope"]
