"""Unpickling that builds tensors and nothing else: whatever a pickle imports is replaced by a stand-in.

A pickle is a program that imports functions and calls them. Here only the few that rebuild tensors are the
real ones. Every other global is an `Inert` that accepts to be called, filled and built, and does nothing, so
that the code of the file is neither needed nor run: no dill, no training package, no particular Python.
"""

import pickle
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.formats.file import MALFORMED
from robust_tickets.models.formats.pickles import is_tensor_global


class Inert(type):
    """A stand-in for any class, function or object of a pickle; a class, because pickles subclass too."""

    state: Any = None
    """What the pickle sets an object's attributes to."""
    entries: dict[Any, Any]
    """What the pickle fills a dictionary with."""

    def __call__(cls, *args: Any, **kwargs: Any) -> "Inert":
        """Stand in for calling a function or making an instance."""
        return stand_in()

    def __setstate__(cls, state: Any) -> None:
        """Keep an object's attributes: a pickled network has its tensors there."""
        cls.state = state

    def __setitem__(cls, key: Any, value: Any) -> None:
        """Keep the entries of a dictionary of whatever type."""
        cls.entries[key] = value

    def append(cls, item: Any) -> None:
        """Stand in for filling a list."""

    def extend(cls, items: Any) -> None:
        """Stand in for filling a list."""

    def add(cls, item: Any) -> None:
        """Stand in for filling a set."""


def stand_in(name: str = "object") -> Inert:
    """Return a fresh stand-in."""
    return Inert(name, (), {"__new__": lambda cls, *args, **kwargs: stand_in(), "entries": {}})


class InertUnpickler(pickle.Unpickler):
    """An unpickler whose every import is a stand-in, but for what rebuilds tensors."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the real thing only for tensors and plain containers."""
        return super().find_class(module, name) if is_tensor_global(module, name) else stand_in(name)


def read_inert(path: Path) -> Any:
    """Return what a PyTorch file holds: tensors, plain containers, and networks as state dicts.

    Raises:
        UserError: the file is broken, or of a kind that PyTorch reads by other means than a pickle.
    """
    if tarfile.is_tarfile(path):
        raise UserError(f"{path}: is in PyTorch's format from before 2017; load and save it with PyTorch 2.5 first")
    machinery = SimpleNamespace(
        __name__="inert",
        Unpickler=InertUnpickler,
        load=lambda file, **options: InertUnpickler(file, **options).load(),
    )
    try:
        return plain(torch.load(path, map_location="cpu", pickle_module=machinery, weights_only=False))
    except MALFORMED as error:
        raise UserError(f"{path}: contains no readable tensors ({type(error).__name__}: {error})") from error


def plain(content: Any) -> Any:
    """Return nested dictionaries and lists of tensors and plain values, networks in them as state dicts."""
    if isinstance(content, Inert):
        return plain(content.entries) or tensors_of_module(content)
    if isinstance(content, dict):
        return {key: plain(value) for key, value in content.items()}
    return [plain(value) for value in content] if isinstance(content, list | tuple) else content


def tensors_of_module(module: Inert) -> dict[str, Tensor]:
    """Return the state dict of a pickled network, read off the attributes it would have had."""
    state = module.state if isinstance(module.state, dict) else {}
    temporary = state.get("_non_persistent_buffers_set")
    temporary = temporary if isinstance(temporary, set) else set()
    found: dict[str, Tensor] = {}
    for attribute in ("_parameters", "_buffers"):
        entries = state.get(attribute) or {}
        found |= {name: t.detach() for name, t in entries.items() if isinstance(t, Tensor) and name not in temporary}
    for name, child in (state.get("_modules") or {}).items():
        if isinstance(child, Inert):
            found |= {f"{name}.{inner}": tensor for inner, tensor in tensors_of_module(child).items()}
    return found
