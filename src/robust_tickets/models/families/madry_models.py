"""ImageNet classifiers trained adversarially by Salman et al. (2020), from their Hugging Face repository."""

import re
from itertools import product

from torch import nn
from torchvision.models.resnet import Bottleneck, ResNet

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.families.downloads import Downloads
from robust_tickets.models.families.family import ArchitectureOptions, Loaded
from robust_tickets.models.families.pinned import fetch
from robust_tickets.models.families.torchvision_models import TorchvisionModels, replace_stem
from robust_tickets.models.formats.file import read_checkpoint
from robust_tickets.models.formats.recognise import Checkpoint
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.strict import load_strictly, mismatches

REPOSITORY = "madrylab/robust-imagenet-models"

TORCHVISION = {
    "densenet": "densenet161",
    "mnasnet": "mnasnet1_0",
    "mobilenet": "mobilenet_v2",
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "resnext50_32x4d": "resnext50_32x4d",
    "shufflenet": "shufflenet_v2_x1_0",
    "vgg16_bn": "vgg16_bn",
    "wide_resnet50_2": "wide_resnet50_2",
    "wide_resnet50_4": "wide_resnet50_2",
}
"""The repository's names of architectures, and torchvision's; it lacks the last, which is a wider one."""

RESNETS = ("resnet18", "resnet50", "wide_resnet50_2", "wide_resnet50_4")
L2 = (0, 0.01, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 3, 5)
"""Radii of the ResNets; of the others there are the first and 3."""
LINF = (0.5, 1, 2, 4, 8)
"""Radii, of 255, of the ResNets but the widest."""

FILES = {
    **{(name, "l2", float(e)): f"{name}_l2_eps{e}.ckpt" for name, e in product(RESNETS, L2)},
    **{(name, "l2", float(e)): f"{name}_l2_eps{e}.ckpt" for name in TORCHVISION if name not in RESNETS for e in (0, 3)},
    **{(name, "linf", float(e)): f"{name}_linf_eps{float(e)}.ckpt" for name, e in product(RESNETS[:3], LINF)},
}
"""Architecture, norm and radius -> file in the repository."""

PREPROCESSING = Pixels(
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    size=(224, 224),
    interpolation="bilinear",
    crop_fraction=224 / 256,
)
"""Of the robustness library on ImageNet; mean and std are in every file, too."""

ALIASES = {torchvision: name for name, torchvision in TORCHVISION.items() if name != "wide_resnet50_4"}
LISTED = {*TORCHVISION, *ALIASES}
SPELLING = re.compile(r"(?P<name>\w+?)[-_](?P<norm>l2|linf)[-_](?:eps)?(?P<radius>\d+(?:\.\d+)?)(?:\.ckpt)?")


class MadryModels:
    """`madry/<architecture>-<norm>-<radius>`: `madry/resnet18-l2-3.0`, `madry/resnet50-linf-4.0` (4/255).

    The repository's own spelling, `madry/resnet18_l2_eps3`, and torchvision's names are understood too.
    """

    prefix = "madry/"

    def names(self) -> list[str]:
        """Return every network of the repository."""
        return [full_name(*key) for key in FILES]

    def knows(self, name: str) -> bool:
        """Return whether the repository has such a network."""
        return parts(name) in FILES

    def tags(self, name: str) -> list[str]:
        """Return nothing: each name has one weights file."""
        return []

    def build(self, name: str, shape: ArchitectureOptions) -> nn.Module:
        """Return the architecture without weights."""
        architecture, *_ = parts(name)
        if architecture != "wide_resnet50_4":
            return TorchvisionModels().build(TORCHVISION[architecture], shape)
        body = ResNet(Bottleneck, [3, 4, 6, 3], width_per_group=256, num_classes=shape.num_classes or 1000)
        if shape.in_channels not in (None, 3):
            replace_stem(body, shape.in_channels)
        return body

    def pretrained(self, name: str, tag: str | None, shape: ArchitectureOptions, downloads: Downloads) -> Loaded:
        """Return the architecture with the repository's weights and the mean and std that its file holds.

        Raises:
            UserError: the file is neither cached nor reachable, is not the recorded one, or does not fit.
        """
        key = parts(name)
        found = fetch(REPOSITORY, FILES[key], downloads)
        body = self.build(name, ArchitectureOptions())
        state = Checkpoint(read_checkpoint(found.path), str(found.path)).unwrap(body.state_dict())
        if wrong := mismatches(body, state.state):
            raise UserError(f"{found.path}: does not fit madry/{name} (read as {state.layout}): {'; '.join(wrong)}")
        load_strictly(body, state.state, str(found.path))
        own = {"mean": state.mean, "std": state.std} if state.mean is not None and state.std is not None else {}
        origin = f"file: {found.pin.digest} of {REPOSITORY} at {found.pin.revision}"
        preprocessing = PREPROCESSING.model_copy(update=own)
        return Loaded(full_name(*key), body, preprocessing, FILES[key], state.layout, (origin,))

    def preprocessing(self, name: str, body: nn.Module, in_channels: int) -> tuple[Pixels | None, str]:
        """Return what these networks were trained and evaluated with."""
        return (PREPROCESSING, "preprocessing: the robustness library's") if in_channels == 3 else (None, "")

    def explain(self, name: str) -> str:
        """Return one line for a name that does not exist: what there is of its architecture, else which there are."""
        architecture = next((a for a in sorted(LISTED, key=len, reverse=True) if name.startswith(a)), "")
        architecture = ALIASES.get(architecture, architecture)
        if not architecture:
            return (
                f"unknown network 'madry/{name}'; known: {', '.join(sorted(TORCHVISION))}, as in madry/resnet18-l2-3.0"
            )
        radii = {norm: [str(r) for a, n, r in FILES if (a, n) == (architecture, norm)] for norm in ("l2", "linf")}
        there = [f"madry/{architecture}-{norm}-R with R = {', '.join(found)}" for norm, found in radii.items() if found]
        return f"unknown network 'madry/{name}'; known: {', and '.join(there)}"


def full_name(architecture: str, norm: str, radius: float) -> str:
    """Return for example `madry/resnet18-l2-3.0`."""
    return f"madry/{architecture}-{norm}-{radius}"


def parts(name: str) -> tuple[str, str, float]:
    """Return architecture, norm and radius as in `FILES`, of a name however it is spelt; empty ones of any other."""
    match = SPELLING.fullmatch(name)
    if match is None:
        return "", "", 0.0
    return ALIASES.get(match["name"], match["name"]), match["norm"], float(match["radius"])
