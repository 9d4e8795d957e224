"""A user's own function, named `package.module:function` and found from the current folder."""

import difflib
import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import parse
from robust_tickets.models.families.downloads import Downloads
from robust_tickets.models.families.family import ArchitectureOptions, Loaded
from robust_tickets.models.families.timm_models import recorded_preprocessing
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.plain_modules import plain_module, unwrapped


class UserCode:
    """Calls the function without arguments; it returns an nn.Module, with its weights if it has any.

    A class serves as well. The preprocessing is the module's attribute `preprocessing` (ours, or a mapping
    of the same fields) or `pretrained_cfg` (timm's); without either it has to be given.
    """

    prefix = ""

    def names(self) -> list[str]:
        """Return nothing: a user's functions cannot be listed."""
        return []

    def knows(self, name: str) -> bool:
        """Return whether the name is of the form `package.module:function`."""
        module, colon, function = name.partition(":")
        return bool(colon) and all(part.isidentifier() for part in [*module.split("."), *function.split(".")])

    def tags(self, name: str) -> list[str]:
        """Return nothing: the function's own weights are the only ones."""
        return []

    def build(self, name: str, shape: ArchitectureOptions) -> nn.Module:
        """Return what the function returns."""
        return _plain(name)[0]

    def pretrained(self, name: str, tag: str | None, shape: ArchitectureOptions, downloads: Downloads) -> Loaded:
        """Return what the function returns, weights included."""
        body, notes = _plain(name)
        preprocessing = stated_preprocessing(body)
        return Loaded(name, body, preprocessing, "as the function returns them", "Python function", notes)

    def preprocessing(self, name: str, body: nn.Module, in_channels: int) -> tuple[Pixels | None, str]:
        """Return what the module itself states."""
        return stated_preprocessing(body), ""


def stated_preprocessing(body: nn.Module) -> Pixels | None:
    """Return the preprocessing a module carries in `preprocessing` or in timm's `pretrained_cfg`, if any."""
    stated = getattr(body, "preprocessing", None)
    if isinstance(stated, Pixels):
        return stated
    if isinstance(stated, dict):
        return parse(Pixels, stated, f"{type(body).__name__}.preprocessing")
    recorded = getattr(body, "pretrained_cfg", None)
    if isinstance(recorded, dict) and {"mean", "std", "input_size"} <= recorded.keys():
        return recorded_preprocessing(recorded)
    return None


def _plain(name: str) -> tuple[nn.Module, tuple[str, ...]]:
    """Return what the function returns as a plain module, and what was done to make it one."""
    with _importable(Path.cwd()):
        body = unwrapped(_call(name))
    if not isinstance(body, nn.Module):
        raise UserError(f"{name} returned a {type(body).__name__}; it must return a torch.nn.Module")
    return plain_module(body, name)


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let modules in `folder` be imported, before any installed ones of the same name."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _call(name: str) -> Any:
    """Import and call `package.module:function`; errors inside the user's own code are left as they are."""
    module_name, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise UserError(f"{name}: no module {error.name!r} in {Path.cwd()} or among the installed packages") from None
    for part in path.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(part, dir(found), n=3)
            raise UserError(f"{name}: {module_name} has no {part!r}{'; near: ' + ', '.join(near) if near else ''}")
        found = getattr(found, part)
    try:
        inspect.signature(found).bind()
    except TypeError as error:
        raise UserError(f"{name}: must be callable without arguments ({error}); wrap it in a function") from None
    return found()
