"""What a graph may be: checked before anything is planned or allocated.

- `operations.py`: the known operations, and the check that a graph contains nothing else.
- `attributes.py`: types and ranges of the attributes of an operation.
- `shapes.py`: an operation's output shape, given its inputs and weights.
- `lengths.py`: networks for texts at other lengths, and whether padding shows.
"""
