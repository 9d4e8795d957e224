#!/usr/bin/env bash
# lightly 1.6.0: which of DINOTransform's views the strength of colour changes reaches.
#
# Guess, written down first: all of them, as the other arguments of the colour changes do. With `cj_strength=0` every view of an
# image of one colour has that colour.
# Seen: the second large view takes no notice. It changes colours at the default strength of 0.5 whatever is asked for, so that
# someone who weakens or switches off colour changes (medical images, fine grades of colour) trains on them all the same.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    lightly==1.6.0 torch==2.15.0 torchvision==0.29.2
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import torch
from lightly.transforms import DINOTransform
from PIL import Image

torch.manual_seed(0)
colour = (60, 120, 180)
image = Image.new("RGB", (64, 64), colour)
still = {"random_gray_scale": 0, "gaussian_blur": (0, 0, 0), "solarization_prob": 0, "normalize": None}
made = DINOTransform(global_crop_size=64, local_crop_size=64, n_local_views=1, cj_prob=1, cj_strength=0, **still)
largest = [0.0, 0.0, 0.0]
for _ in range(20):
    for place, view in enumerate(made(image)):
        apart = (view * 255 - torch.tensor(colour)[:, None, None]).abs().max().item()
        largest[place] = max(largest[place], apart)
print(f"lightly {version('lightly')}, torch {torch.__version__}, torchvision {version('torchvision')}")
print("an image of one colour, cj_strength 0; how far views are from that colour, of 255 levels:")
for name, apart in zip(("first large view", "second large view", "small view"), largest, strict=True):
    print(f"  {name}: {apart:.0f}")
if not (largest[0] < 2 and largest[1] > 20 and largest[2] < 2):
    sys.exit("changed")
PYTHON
