"""Machine code as LLVM IR text.

`layout.py` says how a feature map lies in memory: what all kernels work on.

How kernels are written down:

- `function.py`: a function, with its loops and branches.
- `vector_code.py`: arithmetic on vectors, the exponential function among it.
- `activations.py`: activations of a vector.
- `epilogue.py`: the activation at the end of a kernel.
- `record.py`: what a function is called with, by name.

Kernels, each with its `NAME`, its `ARGUMENTS` and its text:

- `convolution.py`: rows of a sparse matrix times a tile of vectors in registers.
- `driver.py`: what walks over a convolution's tiles.
- `winograd.py`: the domain in which a convolution is a product for each point.
- `winograd_forward.py`: into that domain.
- `winograd_backward.py`: out of it.
- `linear.py`: a matrix times features, all of it or what is not zero.
- `pointwise.py`: one operation on every number.
- `pool.py`: the largest number, or the sum, of what a window covers.
- `average.py`: weighted means over the pixels of whole maps.
- `layer_norm.py`: normalisation over the channels at each pixel.
- `gather.py`: pixels into blocks, halo included.
- `border.py`: the halo from the blocks.
- `scatter.py`: pixels out of blocks.
- `copy.py`: channels from one place to another.
"""
