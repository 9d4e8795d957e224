"""Machine code as LLVM IR text.

- `text.py`: pieces of text that kernels share.
- `convolution.py`: rows of a sparse matrix times a tile of vectors in registers.
- `driver.py`: what walks over a convolution's tiles.
- `gather.py`: pixels into blocks, halo included.
- `border.py`: the halo from the blocks.
- `epilogue.py`: the activation at the end of a kernel.
- `activations.py`: activations of a vector.
- `vector_code.py`: arithmetic on vectors, the exponential function among it.
- `function.py`: a function over tasks, written down with its loops.
- `pointwise.py`: one operation on every number.
- `pool.py`: the largest number, or the sum, of what a window covers.
- `average.py`: weighted means over the pixels of whole maps.
- `linear.py`: a matrix times features, all of it or what is not zero.
"""
