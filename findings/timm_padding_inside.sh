#!/usr/bin/env bash
# timm 1.0.31 with torch 2.15.0: what a hook on a convolution sees of TensorFlow's EfficientNets.
#
# Guess, written down first: the input of a `nn.Conv2d`, unfolded by its own `kernel_size`, `stride`, `padding` and
# `dilation`, has one column for each output position, and those columns times the weight are the output. Calibration by
# hooks (Wanda, SparseGPT, OBC) rests on that.
# Seen: four strided depthwise convolutions and the stem of `tf_efficientnet_lite0` are subclasses (`Conv2dSame`) that pad in
# their own forward, by as much as the image's size asks for, while their `padding` says 0. At 224 px a hook on the stem
# sees 224 x 224 pixels, which unfold to 111 x 111 positions, but the layer has 112 x 112 outputs: what a hook unfolds lacks
# the borders, and nothing fails. Whoever looks at `torch.nn.functional.conv2d` instead sees 225 x 225.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.15.0 torchvision==0.29.2 timm==1.0.31
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import timm
import torch
import torch.nn.functional as F
from torch import nn

network = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
lacking = {}


def watch(name):
    def seen(layer, inputs, output):
        columns = F.unfold(inputs[0], layer.kernel_size, layer.dilation, layer.padding, layer.stride).shape[-1]
        if columns != output[0, 0].numel():
            lacking[name] = (type(layer).__name__, layer.padding, columns, output[0, 0].numel())

    return seen


for name, module in network.named_modules():
    if isinstance(module, nn.Conv2d):
        module.register_forward_hook(watch(name))
real, sizes = F.conv2d, []


def counted(images, *rest, **options):
    sizes.append(tuple(images.shape[-2:]))
    return real(images, *rest, **options)


F.conv2d = counted
with torch.no_grad():
    network(torch.rand(1, 3, 224, 224))
print(f"timm {timm.__version__}, torch {torch.__version__}, Python {sys.version.split()[0]}")
for name, (kind, padding, columns, outputs) in lacking.items():
    print(f"{name}: {kind}, padding {padding}, {columns} columns for {outputs} outputs")
print(f"convolutions called through functional.conv2d, the first with {sizes[0] if sizes else None}")
stem = lacking.get("conv_stem")
if stem is None or stem[1:] != ((0, 0), 111 * 111, 112 * 112) or len(lacking) != 5 or sizes[0] != (225, 225):
    sys.exit("changed")
PYTHON
