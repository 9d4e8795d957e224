"""Commands as calls of machine code: weights packed, arguments filled in.

- `step.py`: one call over a number of tasks.
- `convolve.py`: convolutions, cut into tiles.
- `depthwise.py`: convolutions of each channel by itself.
- `winograd.py`: dense convolutions by Winograd's algorithm.
- `matrix.py`: a matrix times features.
- `movement.py`: pixels into blocks and back, halos, copies.
- `pooling.py`: pooling over windows and over whole maps.
- `pointwise.py`: an operation on every number.
- `normalise.py`: layer norm.
- `tokens.py`: sequences made, looked up, and attended to.
- `chain.py`: several steps as one, a few channels at a time.
"""
