"""One thread a process: the suite runs as many processes as the machine has cores."""

import torch

torch.set_num_threads(1)
