"""Names of networks, judged from the libraries' source files: a misspelt one is refused before torch is loaded."""

import difflib
import re
import sys
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path

OURS = (
    "cifar/resnet20",
    "small/resnet18",
    "demo/resnet4",
    "madry/resnet18-l2-3.0",
    "resnet2b",
    "cnn-a",
    "supernet/hr8-2",
    "prior/unet6",
    "prior/decoder5",
    "hf/bert",
    "tiny/bert",
)
"""One name of each family that no other library has."""

REGISTERED = re.compile(r"^@register_model[^\n]*\n(?:@[^\n]*\n)*def (\w+)\(", re.MULTILINE)
"""How both timm and torchvision mark the functions that build their architectures."""

HOW_NAMED = (
    "networks have names like timm/resnet18, torchvision/resnet18 or cifar/resnet20; your own is module:function"
)


OF_TEXTS = ("hf/", "tiny/")
"""What names of language models begin with."""

WEIGHT_FILES = (".pt", ".pth", ".th", ".tar", ".ckpt", ".bin", ".safetensors")
"""How weights files end; no tag of pretrained weights does."""


@cache
def source_text(library: str) -> str:
    """Return the text of a library's model files; empty if they cannot be found."""
    spec = find_spec(library)
    folder = Path(spec.origin).parent / "models" if spec is not None and spec.origin is not None else None
    files = sorted(folder.glob("*.py")) if folder is not None else []
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


@cache
def architectures(library: str) -> tuple[str, ...]:
    """Return the architectures of `timm` or `torchvision`, as the library's files name them."""
    return tuple(REGISTERED.findall(source_text(library)))


def require_network(name: str) -> None:
    """Refuse a name that no network can have; what passes may still turn out to be none.

    Raises:
        UserError: the library has no such architecture, or there is no such family; the nearest name is given.
    """
    if given_path(name).exists():
        return
    if ":" in name:
        require_module(name)
        return
    prefix, slash, rest = name.partition("/")
    if slash and any(prefix == one.partition("/")[0] for one in OURS):
        return
    if not slash and (name in OURS or Path(name).suffix in (".pt", ".pth", ".safetensors")):
        return
    library, inner = (prefix, rest) if slash else ("timm", name)
    exported = Path(name).suffix in (".onnx", ".rtk")
    if name.startswith(("/", ".", "~")) or name.count("/") > 1 or exported:
        raise UserError(f"{name}: no such folder or file; {HOW_NAMED}")
    if library not in ("timm", "torchvision"):
        raise UserError(f"unknown network {name!r}; {near(name)}")
    # Anywhere in the text, since libraries keep old names in tables next to their functions.
    text, bare = source_text(library), inner.partition(".")[0]
    if text and not re.search(rf"\b{re.escape(bare)}\b", text):
        raise UserError(f"unknown network {name!r}; {near(name, library if slash else '')}")


def require_for_images(name: str) -> None:
    """Refuse a name that only language models have.

    Raises:
        UserError: says which networks there are for images.
    """
    if name.startswith(OF_TEXTS):
        raise UserError(f"{name}: reads texts, and a network for images is needed; {HOW_NAMED}")


def require_module(name: str) -> None:
    """Refuse `package.module:function` whose package is nowhere; nothing is imported.

    Raises:
        UserError: neither the working directory nor the installed packages have it.
    """
    package = name.partition(":")[0].partition(".")[0]
    if not package.isidentifier() or package in sys.modules:
        return
    if PathFinder.find_spec(package, [str(Path.cwd()), *sys.path]) is None:
        raise UserError(f"{name}: no module {package!r} in {Path.cwd()} or among the installed packages")


def require_weights(weights: str, name: str) -> None:
    """Refuse a weights file, recognised by its suffix, that does not exist.

    Raises:
        UserError: there is no such file.
    """
    file = given_path(weights)
    if file.suffix.lower() in WEIGHT_FILES and not file.exists():
        raise UserError(f"weights: no such file {weights!r} for {name}; give a path, `default` or `random`")


def near(name: str, library: str = "") -> str:
    """Return a few words about the networks of a library, or of all, whose names resemble one, nearest first."""
    prefix, _, rest = name.rpartition("/")
    known = [*OURS, *(f"{one}/{inner}" for one in ("timm", "torchvision") for inner in architectures(one))]
    families = [library] if library else difflib.get_close_matches(prefix, {full.partition("/")[0] for full in known})
    known = [full for full in known if not families or full.startswith(f"{families[0]}/")]
    by_inner = {full.rpartition("/")[2]: full for full in reversed(known)}
    found = difflib.get_close_matches(rest.partition(".")[0], by_inner, cutoff=0.5)
    return f"similar: {', '.join(by_inner[match] for match in found)}" if found else HOW_NAMED
