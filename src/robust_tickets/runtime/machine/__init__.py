"""The processor: code for it, and threads.

- `target.py`: the processors that code is generated for.
- `compiler.py`: from LLVM IR text to machine code in memory, once per machine.
- `object_cache.py`: that code on disk.
- `workers.py`: threads that execute the steps of a program together.
- `workers_ir.py`: who takes which tasks, as LLVM IR.
- `parking_ir.py`: how threads wait, as LLVM IR.
"""
