"""The sparse CPU engine: reads and executes runtime files, and imports no other room.

- `graph.py`: what a file computes, as nodes, values and weights.
- `layout.py`: how a feature map lies in memory.
"""
