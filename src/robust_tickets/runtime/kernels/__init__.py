"""Machine code as LLVM IR text."""
