#!/usr/bin/env bash
# PyTorch 2.15.0: a channels-last weight with one input channel, written through its own flat view.
#
# Guess, written down first: `flatten()` of a channels-last tensor is a copy, since its elements do not lie in that order; so
# `flat = t.flatten()`, a change of `flat`, and `t.copy_(flat.view(t.shape))` write the change back.
# Seen: with one input channel, as first layers of grey images and depthwise layers have, `flatten()` is a view, since the elements
# do lie in order. The change is then in the tensor at once, and `copy_` of the tensor onto itself is refused ("refer to a
# single memory location"): the two have other strides, if only in the dimension of one element. With contiguous memory the
# same copy of a tensor onto itself is accepted; with two channels `flatten()` is the copy that was guessed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.15.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import torch


def written_through(channels, memory_format):
    """Whether the flat form is a view, and whether copying it back is accepted."""
    weight = torch.zeros(8, channels, 3, 3).to(memory_format=memory_format)
    flat = weight.flatten()
    is_view = flat.data_ptr() == weight.data_ptr()
    try:
        weight.copy_(flat.view(weight.shape))
    except RuntimeError:
        return is_view, False
    return is_view, True


print(f"torch {torch.__version__}, Python {sys.version.split()[0]}")
found = {}
for channels in (1, 2):
    for memory_format in (torch.contiguous_format, torch.channels_last):
        found[channels, memory_format] = is_view, accepted = written_through(channels, memory_format)
        print(f"{channels} channels, {memory_format}: view {is_view}, copy onto itself accepted {accepted}")
expected = {
    (1, torch.contiguous_format): (True, True),
    (1, torch.channels_last): (True, False),
    (2, torch.contiguous_format): (True, True),
    (2, torch.channels_last): (False, True),
}
if found != expected:
    sys.exit("changed")
PYTHON
