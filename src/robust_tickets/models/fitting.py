"""Which named architecture a state dict or a module is, found by building candidates without memory."""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torchvision import models

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adapted_body import AdaptedBody
from robust_tickets.models.families.family import ArchitectureOptions
from robust_tickets.models.families.timm_models import TimmModels
from robust_tickets.models.formats.likeness import POSITIONS, likely, likeness
from robust_tickets.models.formats.recognise import Checkpoint
from robust_tickets.models.formats.renames import unlike
from robust_tickets.models.heads import input_channels
from robust_tickets.models.names import OF_TEXTS
from robust_tickets.models.registry import available, resolve
from robust_tickets.models.strict import missing_layer, with_layer, with_ties

MOST = 24
"""Candidates tried before giving up; one takes some hundredths of a second."""

COMMON = tuple(
    f"torchvision/{name}"
    for name in (
        "resnet50",
        "resnet18",
        "vgg16",
        "vgg16_bn",
        "densenet121",
        "mobilenet_v2",
        "efficientnet_b0",
    )
)
"""Tried after the relatives of the architecture that was named."""


def what_it_is(checkpoint: Checkpoint, named: str) -> list[str]:
    """Return at most one phrase: which architecture a checkpoint holds instead of `named`, or what it looks like."""
    suggested = [name for state in checkpoint.states.values() for name in likely(state)]
    candidates = dict.fromkeys([*filter(_exists, suggested), *_kin_by_name(named), *COMMON])
    candidates.pop(named, None)
    alike: list[str] = []
    for name in list(candidates)[:MOST]:
        body = _without_memory(name, ArchitectureOptions())
        if body is None:
            continue
        found = checkpoint.unwrap(body.state_dict())
        state = with_ties(body, found.state)
        if (head := missing_layer(body, state)) is not None:
            state = with_layer(body, head, state)
        if not _fits_but_for_head(body, state, head):
            continue
        if (difference := unlike(found.code, body)) is None:
            return [f"it fits {name}{f' without {head}' if head is not None else ''}; name that as the source"]
        alike.append(f"it has the names of {name}, but {difference}")
    return (alike or [phrase for phrase in [likeness(checkpoint.states)] if phrase])[:1]


def _exists(name: str) -> bool:
    prefix = TimmModels.prefix
    return not name.startswith(prefix) or TimmModels().knows(name.removeprefix(prefix))


def _kin_by_name(named: str) -> list[str]:
    """Return names that begin alike, torchvision's first, the shortest first."""
    family = re.match(r"[a-z]*", named.rpartition("/")[2].lower())
    kin = [name for name in available() if family and family.group() and family.group() in name]
    # Of madry/ they are torchvision's architectures, many times over; language models are told by their config.json.
    kin = [name for name in kin if not name.startswith(("madry/", "hf/", "tiny/"))]
    kin.sort(key=lambda name: (name.startswith("timm/"), len(name)))
    return kin[: MOST - len(COMMON) - 4]


def _fits_but_for_head(body: nn.Module, state: Mapping[str, Tensor], missing: str | None) -> bool:
    """Return whether a state dict fits but for the number of classes, if no head is missing, and of patches."""
    own = {name: tensor for name, tensor in body.state_dict().items() if not name.endswith("num_batches_tracked")}
    if own.keys() != {name for name in state if not name.endswith("num_batches_tracked")}:
        return False
    differing = [name for name in own if own[name].shape != state[name].shape and name != POSITIONS]
    if any(own[name].shape[1:] != state[name].shape[1:] for name in differing):
        return False
    return len({name.rpartition(".")[0] for name in differing}) <= (missing is None)


def twins_of(name: str, body: nn.Module) -> list[str]:
    """Return a phrase for every architecture with the same tensors as `body` that computes something else with them.

    Looked for among the names that are one word longer or shorter (`tf_efficientnet_lite0`, `efficientnet_lite0`;
    `..._quickgelu_...`); the phrase says where the two first differ.

    Args:
        name: full name of the architecture, such as `timm/efficientnet_lite0`.
        body: the network of that name.
    """
    own = {path: tensor.shape for path, tensor in body.state_dict().items()}
    prefix, _, bare = name.rpartition("/")
    words, head = bare.partition(".")[0].split("_"), classes_in(body)
    found = []
    for other in available(f"{prefix}/" if prefix else ""):
        if not _one_word_apart(words, other.rpartition("/")[2].split("_")):
            continue
        twin = _without_memory(other, ArchitectureOptions(head, input_channels(body)))
        if twin is None or {path: tensor.shape for path, tensor in twin.state_dict().items()} != own:
            continue
        if (difference := _first_difference(body, twin)) is not None:
            found.append(f"{other} fits the file too but computes something else ({difference})")
    return found


def classes_in(body: nn.Module) -> int | None:
    """Return the number of classes that a network states."""
    count = getattr(body, "num_classes", None)
    return count if isinstance(count, int) else None


def _one_word_apart(words: list[str], others: list[str]) -> bool:
    short, long = sorted((words, others), key=len)
    return len(long) == len(short) + 1 and any(long[:place] + long[place + 1 :] == short for place in range(len(long)))


def _first_difference(body: nn.Module, twin: nn.Module) -> str | None:
    """Return the first layer that has another class or other settings in the twin, and both; None if all agree."""
    theirs = dict(twin.named_modules())
    for path, module in body.named_modules():
        other = theirs.get(path)
        if other is not None and next(module.children(), None) is None and repr(module) != repr(other):
            return f"{path} is {repr(other).strip()} there, {repr(module).strip()} here"
    return None


def name_of(body: nn.Module, num_classes: int) -> str:
    """Return the name under which a family builds exactly this module, else `module:Class` of the user's.

    "Exactly" is to PyTorch's printed form, which holds every layer and its hyperparameters.
    """
    if isinstance(body, AdaptedBody) and body.configuration is not None:
        return f"hf/{body.configuration['model_type']}"
    printed = repr(body)
    for name in _kin(body):
        twin = _without_memory(name, ArchitectureOptions(num_classes, input_channels(body)))
        if type(twin) is type(body) and repr(twin) == printed:
            return name
    return f"{type(body).__module__}:{type(body).__qualname__}"


def _without_memory(name: str, shape: ArchitectureOptions) -> nn.Module | None:
    """Build an architecture on the meta device; None for those that compute with tensors while being built.

    None also for those that have no such classes or channels: a generator, say.
    """
    family, inner = resolve(name)
    try:
        with torch.device("meta"):
            return family.build(inner, shape)
    except (NotImplementedError, RuntimeError, UserError):
        return None


def _kin(body: nn.Module) -> Iterator[str]:
    """Yield the names whose family's code defines the class of `body`."""
    home = type(body).__module__
    recorded = getattr(body, "pretrained_cfg", None)
    if home.startswith("timm.") and isinstance(recorded, dict):
        yield from (name for name in [f"timm/{recorded['architecture']}"] if name in available("timm/"))
    elif home.startswith("torchvision.models."):
        yield from _torchvision(home)
    elif home.startswith(f"{__package__}.networks."):
        yield from (name for name in available() if not name.startswith(("timm/", "torchvision/", *OF_TEXTS)))


def _torchvision(home: str) -> Iterable[str]:
    return [
        f"torchvision/{name}"
        for name in models.list_models(module=models)
        if getattr(inspect.getmodule(models.get_model_builder(name)), "__name__", "") == home
    ]
