#!/usr/bin/env bash
# torch 2.11.0, torchvision 0.26.0: group normalisation of one image and of two, in evaluation.
#
# Guess, written down first: nn.GroupNorm computes each image's statistics from that image alone and keeps none, so in
# evaluation it accepts one image wherever it accepts two, and gives the first of two what it gives that image alone.
# Seen: with one channel per group and a feature map of 1 x 1 pixels, two images pass and one is refused, with "Expected
# more than 1 value per channel when training", though nothing is training: the check multiplies the batch in. So
# torchvision's FCOS over a pyramid of 32 channels evaluates small images in pairs and refuses each of them alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.11.0 torchvision==0.26.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import torch
from torchvision.models.detection.fcos import FCOSHead

print(f"torch {version('torch')}, torchvision {version('torchvision')}, Python {sys.version.split()[0]}")


def accepted(layer: torch.nn.Module, features: torch.Tensor) -> bool:
    """Say whether a layer in evaluation takes some features."""
    with torch.no_grad():
        try:
            layer([features]) if isinstance(layer, FCOSHead) else layer(features)
        except ValueError as error:
            print(f"{type(layer).__name__}, {len(features)} of {tuple(features.shape[1:])}: {error}")
            return False
    print(f"{type(layer).__name__}, {len(features)} of {tuple(features.shape[1:])}: passes")
    return True


found = []
for layer in (torch.nn.GroupNorm(32, 32).eval(), FCOSHead(32, 1, 3).eval()):
    found += [accepted(layer, torch.randn(count, 32, 1, 1)) for count in (1, 2)]
sys.exit(found != [False, True, False, True])
PYTHON
