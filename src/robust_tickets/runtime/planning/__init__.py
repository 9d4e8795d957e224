"""From a graph to commands on stretches of memory, for any processor.

- `fusion.py`: operations merged with those that follow them.
- `placement.py`: where values are, and what is moved for their readers.
- `commands.py`: what a plan consists of.
- `chains.py`: which commands work through the channels together.
- `plan.py`: a plan: the commands of every operation.
- `buffers.py`: the arena that all values share.
"""
