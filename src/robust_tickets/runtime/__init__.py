"""The sparse CPU engine: reads and executes runtime files, and imports no other room.

- `graph.py`: what a file computes, as nodes, values and weights.
- `layout.py`: how a feature map lies in memory.
- `target.py`: the processors that code is generated for.
- `compiler.py`: from LLVM IR text to machine code in memory, once a machine.
- `object_cache.py`: that code on disk.
"""
