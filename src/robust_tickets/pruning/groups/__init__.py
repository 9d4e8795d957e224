"""Units of removal; one file each, joined in `AnyGroup` on the field `kind`.

| file | kind |
|---|---|
| `group.py` | what every group can do |
| `weight_group.py` | base of the groups inside single weights |
| `element.py` | `element`: single weights |
| `row.py` | `row`: rows of kernels |
| `kernel.py` | `kernel`: whole kernels |
| `filter.py` | `filter`: all weights of one output |
| `block.py` | `block`: outputs x inputs |
| `n_m.py` | `n-m`: N kept out of every M |
| `coupled_group.py` | base of the groups that span several parameters, and shrink |
| `channel.py` | `channel`: of convolutions |
| `neuron.py` | `neuron`: of linear layers |
| `head.py` | `head`: of attention |
| `several.py` | `several`: of the last three, more than one kind |
| `degenerate.py` | where a structured group is a single weight |
"""

from typing import Annotated

from pydantic import Field

from robust_tickets.foundation.kinds import Shorthand
from robust_tickets.pruning.groups.block import Block
from robust_tickets.pruning.groups.channel import Channel
from robust_tickets.pruning.groups.degenerate import degenerate_layers
from robust_tickets.pruning.groups.element import Element
from robust_tickets.pruning.groups.filter import Filter
from robust_tickets.pruning.groups.group import Group
from robust_tickets.pruning.groups.head import AttentionHead
from robust_tickets.pruning.groups.kernel import Kernel
from robust_tickets.pruning.groups.n_m import NM
from robust_tickets.pruning.groups.neuron import Neuron
from robust_tickets.pruning.groups.row import Row
from robust_tickets.pruning.groups.several import Several

AnyGroup = Annotated[
    Element | Row | Kernel | Filter | Block | NM | Channel | Neuron | AttentionHead | Several,
    Field(discriminator="kind"),
    Shorthand,
]

__all__ = [
    "NM",
    "AnyGroup",
    "AttentionHead",
    "Block",
    "Channel",
    "Element",
    "Filter",
    "Group",
    "Kernel",
    "Neuron",
    "Row",
    "Several",
    "degenerate_layers",
]
