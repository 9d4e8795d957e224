#!/usr/bin/env bash
# Pillow 13.0.0: how `Image.convert` treats Lab images, which scanners and print shops save in TIFF.
#
# Guess, written down first: an image that converts to RGB also converts to L, since L is the luma of RGB; and L of a Lab
# image is its lightness channel.
# Seen: LAB converts to RGB but not to L, which raises a ValueError saying that the conversion to RGB is not
# supported. A loader that wants grey has to go through RGB itself, and then gets the luma of that, not the lightness.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check pillow==13.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys

import PIL
from PIL import Image

file = io.BytesIO()
Image.new("LAB", (2, 2), (128, 128, 128)).save(file, "TIFF")
image = Image.open(file)
assert image.mode == "LAB", image.mode
lightness = image.getchannel(0).getpixel((0, 0))
luma = image.convert("RGB").convert("L").getpixel((0, 0))
try:
    image.convert("L")
except ValueError as error:
    refused = str(error)
else:
    sys.exit("changed: LAB converts to L")
print(f"Pillow {PIL.__version__}, Python {sys.version.split()[0]}")
print(f"LAB to L: ValueError: {refused}")
print(f"LAB to RGB to L: {luma}, where the lightness channel holds {lightness}")
sys.exit(luma == lightness)
PYTHON
