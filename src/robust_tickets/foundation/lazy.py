"""Libraries that are loaded on first use: torch takes seconds, a misspelt setting should take none.

Settings live next to the code that they configure, and are read before anything is computed. So a file with
settings in it takes these modules from here, imports types only for type checkers, and loads what subclasses
`nn.Module` where it is used.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any


class LazyModule(ModuleType):
    """A module that is imported when one of its names is first asked for."""

    def __getattr__(self, name: str) -> Any:
        """Return a name of the module."""
        return getattr(import_module(self.__name__), name)


if TYPE_CHECKING:
    import numpy as np
    import torch
    import torch.nn.functional as F
    from torch import nn
else:
    np, torch, nn, F = map(LazyModule, ("numpy", "torch", "torch.nn", "torch.nn.functional"))

__all__ = ["F", "nn", "np", "torch"]
