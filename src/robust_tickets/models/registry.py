"""Every known name, its family, and similar names for one that does not exist."""

import difflib
from pathlib import Path

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.families.family import Family
from robust_tickets.models.families.generators import Generators
from robust_tickets.models.families.language_models import LanguageModels, TinyLanguageModels
from robust_tickets.models.families.madry_models import MadryModels
from robust_tickets.models.families.paper_networks import PaperNetworks
from robust_tickets.models.families.timm_models import TimmModels
from robust_tickets.models.families.torchvision_models import TorchvisionModels
from robust_tickets.models.families.user_code import UserCode

TIMM = TimmModels()
MADRY = MadryModels()
FAMILIES: tuple[Family, ...] = (
    PaperNetworks(),
    Generators(),
    TorchvisionModels(),
    TIMM,
    MADRY,
    LanguageModels(),
    TinyLanguageModels(),
    UserCode(),
)


def available(prefix: str = "") -> list[str]:
    """Return the full names that begin with `prefix`: `available("cifar/")`."""
    return [name for family in FAMILIES for name in family.names() if name.startswith(prefix)]


def resolve(name: str) -> tuple[Family, str]:
    """Return the family of a name, and the name inside that family. A bare name is timm's.

    Raises:
        UserError: there is no such name; the message lists near ones.
    """
    for family in FAMILIES:
        if name.startswith(family.prefix) and family.knows(inner := name.removeprefix(family.prefix)):
            return family, inner
    if TIMM.knows(name):
        return TIMM, name
    if Path(name).is_file():
        raise UserError(f"{name}: is a file; give the architecture as the name, and the file as `weights: {name}`")
    if Path(name).is_dir():
        raise UserError(
            f"{name}: is a folder without source.json (saved by robust-tickets) or config.json (from the Hub)"
        )
    if name.startswith(MADRY.prefix):
        raise UserError(MADRY.explain(name.removeprefix(MADRY.prefix)))
    raise UserError(f"unknown network {name!r}; similar: {', '.join(near_names(name))}")


def near_names(name: str) -> list[str]:
    """Return up to five full names that resemble `name`: other tags of it, else names of the same family."""
    prefix, slash, last = name.rpartition("/")
    bare, dot, _ = last.partition(".")
    everything = available()
    base = f"{prefix or 'timm'}/{bare}"
    if dot and base in everything:
        return [f"{base}.{tag}" for tag in TIMM.tags(bare)[:5]] if base.startswith(TIMM.prefix) else [base]
    family = [full for full in everything if full.startswith(f"{prefix}/")] if slash else []
    choices = {full.rpartition("/")[2]: full for full in reversed(family or everything)}
    near = difflib.get_close_matches(bare, choices, n=5, cutoff=0.4)
    return [choices[match] for match in near] or ["timm/resnet18", "torchvision/resnet18", "cifar/resnet20"]
