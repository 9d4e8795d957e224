"""Machine code as LLVM IR text.

`layout.py` defines how a feature map is laid out in memory, on which all kernels work.

How kernels are written:

- `function.py`: a function, with its loops and branches.
- `vector_code.py`: arithmetic on vectors, including the exponential function.
- `activations.py`: activations of a vector.
- `epilogue.py`: the activation at the end of a kernel.
- `record.py`: the arguments of a function, by name.

Kernels, each with its `NAME`, its `ARGUMENTS` and its text:

- `convolution.py`: rows of a sparse matrix times a tile of vectors in registers.
- `depthwise.py`: a convolution of each channel by itself, without a halo in memory.
- `driver.py`: the loop over a convolution's tiles.
- `winograd.py`: the domain in which a convolution is a product for each point.
- `winograd_forward.py`: into that domain.
- `winograd_backward.py`: out of it.
- `linear.py`: a matrix times features, all of it or only the nonzeros.
- `pointwise.py`: one operation on every number.
- `pool.py`: the largest number in a window, or the sum.
- `average.py`: weighted means over the pixels of whole maps.
- `layer_norm.py`: normalisation over the channels at each pixel.
- `sequence.py`: the pixels of a map one after another: a sequence of tokens.
- `embed.py`: rows of a table, looked up by number.
- `attention.py`: softmax attention of the tokens of one map to those of another.
- `gather.py`: pixels into blocks, halo included.
- `border.py`: the halo from the blocks.
- `scatter.py`: pixels out of blocks.
- `copy.py`: channels from one place to another.
- `chain.py`: several of these in turn, a few channels at a time.
"""
