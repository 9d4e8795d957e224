"""Inception v3, in whose features image distances are usually measured, from a local file."""

from pathlib import Path

from torchvision.models import inception_v3

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path
from robust_tickets.models.formats.file import read_checkpoint
from robust_tickets.models.formats.recognise import Checkpoint
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.strict import load_strictly, mismatches


def load_inception(file: Path | str) -> Network:
    """Return torchvision's `inception_v3` with the weights of a local file; its features are the 2,048 of pool3.

    Its inputs are scaled to [-1, 1] at 299 x 299. The FID of the literature uses other weights, those of TensorFlow's
    2015 graph: its numbers are not comparable with these.

    Raises:
        UserError: the file is missing, cannot be read, or is not the state dict of that network.
    """
    path = given_path(str(file))
    body = inception_v3(weights=None, aux_logits=True, transform_input=False, init_weights=False)
    state = Checkpoint(read_checkpoint(path), str(path)).unwrap(body.state_dict()).state
    if wrong := mismatches(body, state):
        raise UserError(f"{path}: is not a state dict of torchvision's inception_v3: {'; '.join(wrong)}")
    load_strictly(body, state, str(path))
    preprocessing = Pixels(mean=(0.5,) * 3, std=(0.5,) * 3, size=(299, 299))
    return Network(body, preprocessing, "fc").eval()
