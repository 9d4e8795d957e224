"""Which way of cutting up each convolution is fastest on this machine.

- `tiling.py`: the ways there are, ranked by an estimate.
- `tuning.py`: the best of them, measured once and kept.
"""
