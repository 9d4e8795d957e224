"""From a graph to commands on stretches of memory, for any processor.

- `fusion.py`: operations with what follows them drawn in.
- `placement.py`: where values lie, and what is moved for whoever reads them.
- `commands.py`: what a plan consists of.
- `plan.py`: a plan: the commands of every operation.
- `buffers.py`: the arena that all values share.
"""
