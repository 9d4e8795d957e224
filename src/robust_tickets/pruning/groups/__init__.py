"""What is removed as one; one file each, joined in `AnyGroup` on the field `kind`.

| file | kind |
|---|---|
| `group.py` | the protocol |
| `contiguous.py` | the base of element, row, kernel and filter |
| `element.py` | `element`: single weights |
"""

from typing import Annotated

from robust_tickets.pruning.groups.element import Element
from robust_tickets.pruning.kinds import Shorthand

AnyGroup = Annotated[Element, Shorthand]

__all__ = ["AnyGroup", "Element"]
