"""What a graph may be: checked before anything is planned or allocated.

- `operations.py`: the operations there are, and the check that a graph is made of them.
- `attributes.py`: types and ranges of the attributes of an operation.
- `shapes.py`: an operation's output shape, given its inputs and weights.
"""
