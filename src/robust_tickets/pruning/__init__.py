"""Tensors in, masks out: everything about which weights a ticket keeps, and when that is decided.

A method is one choice on each axis. `select.py` joins score, group and scope; a timeline says when to select;
a parametrisation says what trains in between. Nothing here knows of architectures, data or optimisers.

| file | noun |
|---|---|
| `masks.py` | masks: counting, nesting, packing |
| `applier.py` | holding a fixed mask during training |
| `select.py` | `Selection` (score, group, scope) and `select` |
| `scores/` | what ranks groups |
| `groups/` | what is removed as one |
| `scopes/` | where scores compete, and how many groups go |
| `partitions.py` | weights divided into units and groups |
| `layer_partition.py`, `coupling_partition.py` | the two ways of dividing |
| `ranking.py` | exact selection of the lowest, with unbiased ties |
| `couplings.py` | channels that live and die together (types) |
| `statistics.py` | what a data-dependent score may ask for |
| `timelines/` | when what happens |
| `plans.py` | a timeline in training steps: `Plan`, `Event` |
| `drop_and_grow.py` | moving connections at constant sparsity |
| `composition.py` | which choices on different axes contradict each other |
| `actions.py` | what an event does: prune, restore, drop and grow, rewind |
| `trainee.py` | the network in training, as actions see it |
| `rewinds.py` | which weights a ticket restarts from (settings) |
| `parametrisations/` | how mask and weight meet, and what trains |
"""

from robust_tickets.pruning.applier import MaskApplier
from robust_tickets.pruning.composition import check_composition
from robust_tickets.pruning.couplings import Coupling, Member
from robust_tickets.pruning.groups import degenerate_layers
from robust_tickets.pruning.masks import Masks, emptied, full, is_nested, layer_sparsity, pack, sparsity, unpack
from robust_tickets.pruning.parametrisations import AnyParametrisation, Fixed, Parametrised, StraightThrough
from robust_tickets.pruning.plans import Event, Plan
from robust_tickets.pruning.rewinds import AnyRewind, AtStep, NoRewind, Pretrained, Reinitialised
from robust_tickets.pruning.select import Selection, select
from robust_tickets.pruning.statistics import Statistics
from robust_tickets.pruning.timelines import (
    Alternating,
    AnyTimeline,
    DropAndGrowTimeline,
    Gradual,
    Iterative,
    OneShot,
)
from robust_tickets.pruning.trainee import Trainee

__all__ = [
    "Alternating",
    "AnyParametrisation",
    "AnyRewind",
    "AnyTimeline",
    "AtStep",
    "Coupling",
    "DropAndGrowTimeline",
    "Event",
    "Fixed",
    "Gradual",
    "Iterative",
    "MaskApplier",
    "Masks",
    "Member",
    "NoRewind",
    "OneShot",
    "Parametrised",
    "Plan",
    "Pretrained",
    "Reinitialised",
    "Selection",
    "Statistics",
    "StraightThrough",
    "Trainee",
    "check_composition",
    "degenerate_layers",
    "emptied",
    "full",
    "is_nested",
    "layer_sparsity",
    "pack",
    "select",
    "sparsity",
    "unpack",
]
