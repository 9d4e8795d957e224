"""The sparse CPU engine: reads and executes runtime files, and imports no other room.

- `graph.py`: what a file computes, as nodes, values and weights.
- `errors.py`: the exception for a file or a graph that the runtime cannot execute.
- `attributes.py`: types and ranges of the attributes of an operation.
- `shapes.py`: an operation's output shape, given its inputs and weights.
- `operations.py`: the operations there are, and the check that a graph is made of them.
- `reference.py`: what every operation means, in plain numpy.
- `indices.py`: ascending indices as bytes.
- `encoding.py`: a weight as bytes: dense, or only those groups that are not zero.
- `header.py`: a file's JSON part.
- `file.py`: files: written whole or not at all, read without trusting them.
- `load.py`: a file, ready to be called.
- `layout.py`: how a feature map lies in memory.
- `target.py`: the processors that code is generated for.
- `compiler.py`: from LLVM IR text to machine code in memory, once a machine.
- `object_cache.py`: that code on disk.
- `workers.py`: threads that execute the steps of a program together.
- `workers_ir.py`: who takes which tasks, as LLVM IR.
- `parking_ir.py`: how threads wait, as LLVM IR.
- `pointwise.py`: an operation on every number, as a step.
- `pooling.py`: pooling as steps: over windows, and over whole maps.
- `matrix.py`: a matrix times features, as a step.
"""
