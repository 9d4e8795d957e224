"""The small networks of the papers, and their names.

| file | names |
|---|---|
| `cifar_resnet.py` | `cifar/resnet20`, any depth 6n + 2; `-b`: projection shortcuts, `-x2`: twice the width |
| `small_resnet.py` | `small/resnet18`, `small/resnet50`: for 32 x 32 images; `-x0.5` for half the width |
| `demo_resnet.py` | `demo/resnet4`, for 16 x 16 images |
| `resnet2b.py` | `resnet2b`: residual without batch norm, from robustness verification |
| `supernet.py` | `supernet/hr8-2`: mixed convolutions at two resolutions, width 8, twice, for SuperTickets |
| `unet_prior.py` | `prior/unet6`, with 1 to 6 levels; `-x0.5` for half the width: a deep image prior without skips |
| `deep_decoder.py` | `prior/decoder5`: Deep Decoder |
| `cnn_a.py` | `cnn-a`: two convolutions, from robustness verification |
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from robust_tickets.models.networks.cifar_resnet import cifar_resnet
from robust_tickets.models.networks.cnn_a import cnn_a
from robust_tickets.models.networks.demo_resnet import demo_resnet
from robust_tickets.models.networks.resnet2b import resnet2b
from robust_tickets.models.networks.small_resnet import small_resnet
from robust_tickets.models.networks.supernet import PATTERN, supernet
from robust_tickets.models.pixels import IMAGENET_MEAN, IMAGENET_STD

CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR_STD = (0.2471, 0.2435, 0.2616)


@dataclass(frozen=True)
class NamedArchitecture:
    """One kind of network: the names it answers to, how it is built, what it is usually trained with."""

    pattern: re.Pattern[str]
    examples: tuple[str, ...]
    build: Callable[[str, int, int, tuple[int, int]], nn.Module]
    """From name, number of classes, input channels and input size."""
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]


NETWORKS = (
    NamedArchitecture(
        re.compile(r"cifar/resnet(\d+)(-b)?(-x[\d.]+)?"),
        tuple(f"cifar/resnet{depth}" for depth in (8, 14, 20, 32, 44, 56, 110)),
        cifar_resnet,
        (32, 32),
        IMAGENET_MEAN,  # as the public CIFAR-10 weights of these networks
        IMAGENET_STD,
    ),
    NamedArchitecture(
        re.compile(r"small/resnet(18|34|50|101)(-x[\d.]+)?"),
        tuple(f"small/resnet{depth}" for depth in (18, 34, 50, 101)),
        small_resnet,
        (32, 32),
        CIFAR_MEAN,
        CIFAR_STD,
    ),
    NamedArchitecture(re.compile(r"demo/resnet4"), ("demo/resnet4",), demo_resnet, (16, 16), (0.5,) * 3, (0.25,) * 3),
    NamedArchitecture(re.compile(r"resnet2b"), ("resnet2b",), resnet2b, (32, 32), CIFAR_MEAN, CIFAR_STD),
    NamedArchitecture(PATTERN, ("supernet/hr8-2", "supernet/hr18-4"), supernet, (32, 32), CIFAR_MEAN, CIFAR_STD),
    NamedArchitecture(re.compile(r"cnn-a"), ("cnn-a",), cnn_a, (32, 32), CIFAR_MEAN, (0.2023, 0.1994, 0.2010)),
)
