"""Tensors in, masks out: everything about which weights a ticket keeps, and when that is decided.

A method is one choice on each axis. `select.py` joins score, group and scope; a timeline says when to select;
a parametrisation says what trains in between. Nothing here knows of architectures, data or optimisers.

| file | noun |
|---|---|
| `masks.py` | masks: counting, nesting, packing |
| `applier.py` | holding a fixed mask during training |
| `select.py` | `Selection` (score, group, scope) and `select` |
| `scores/` | what ranks groups |
| `groups/` | units of removal |
| `scopes/` | where scores compete, and how many groups are removed |
| `partitions.py` | weights divided into units and groups |
| `layer_partition.py`, `coupling_partition.py` | the two ways of dividing |
| `ranking.py` | exact selection of the lowest, with unbiased ties |
| `couplings.py` | channels that live and die together (types), and their values spread over weights |
| `empirical_fisher.py` | the Fisher matrix in blocks: what removing weights costs, and how others make up for it |
| `least_squares.py` | layers refitted to what they computed |
| `statistics.py` | the statistics that a data-dependent score may ask for |
| `timelines/` | what happens when |
| `plans.py` | a timeline in training steps: `Plan`, `Event` |
| `drop_and_grow.py` | moving connections at constant sparsity |
| `growth.py` | where connections grow: by gradient or by chance |
| `needs.py` | what parts may need from each other |
| `composition.py` | which choices on different axes contradict each other |
| `draw_history.py` | how far draws of the same training are apart |
| `actions.py` | what an event does: prune, restore, drop and grow, compare draws, rewind |
| `trainee.py` | the network in training, as actions see it |
| `rewinds/` | which weights a ticket restarts from |
| `parametrisations/` | how masks are applied to weights, and what trains |
"""
