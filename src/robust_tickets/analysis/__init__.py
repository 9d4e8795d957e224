"""Analyses of masks and transferred networks: pure functions, tensors in, numbers out.

| file | noun |
|---|---|
| `overlap.py` | how much of two masks is the same, and how much would be by chance |
| `layers.py` | sparsity of every layer; empty kernels and filters |
| `complement.py` | the complementary mask, and masks with a share of their bits flipped |
| `loss.py` | mean loss and error of a network on a few batches |
| `landscape.py` | the loss around a network, over two directions |
| `landscape_settings.py` | which part of it, and how closely |
| `distance.py` | angle and distance between two networks' surviving weights |
| `interpolation.py` | the loss along the straight line between two networks, and its barrier |
| `interpolation_settings.py` | how that line is walked |
| `barriers.py` | the barriers of several pairs, and the 2 % rule |
| `barrier_settings.py` | how they are measured |
| `apart.py` | all that is between two networks, together |

No function here changes the network it is given.
"""
