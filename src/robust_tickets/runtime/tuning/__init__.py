"""The fastest way of cutting up each convolution on this machine.

- `tiling.py`: the possible ways, ranked by an estimate.
- `tuning.py`: the best of them, measured once and kept.
"""
