"""Machine code as LLVM IR text.

- `text.py`: pieces of text that kernels share.
- `convolution.py`: rows of a sparse matrix times a tile of vectors in registers.
- `driver.py`: what walks over a convolution's tiles.
- `gather.py`: pixels into blocks, halo included.
- `border.py`: the halo from the blocks.
- `epilogue.py`: the activation at the end of a kernel.
- `activations.py`: activations of a vector.
- `vector_code.py`: arithmetic on vectors, the exponential function among it.
"""
