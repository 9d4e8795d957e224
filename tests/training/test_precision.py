"""`auto` is bfloat16 only where the machine and the network gain from it."""

import torch
from torch import nn

from robust_tickets.training.precision import has_native_bf16, resolved

CPU = torch.device("cpu")
CONVOLUTIONS = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
DEPTHWISE = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=8))


def test_auto_is_bf16_for_convolutions_where_the_machine_has_it():
    assert resolved("auto", CONVOLUTIONS, CPU) == ("bf16" if has_native_bf16(CPU) else "fp32")


def test_auto_is_fp32_on_cpu_for_depthwise_networks_and_single_layers():
    assert resolved("auto", DEPTHWISE, CPU) == "fp32"
    assert resolved("auto", nn.Linear(4, 2), CPU) == "fp32"


def test_what_is_asked_for_is_done():
    assert resolved("bf16", DEPTHWISE, CPU) == "bf16"
    assert resolved("fp32", CONVOLUTIONS, CPU) == "fp32"
