"""What a notebook shows of a result.

A result says of itself no more than that it can be shown; how is written in a room that comes after it (`findings/`),
by type. The package's root, which is above all rooms, names the module that writes.
"""

from functools import singledispatch
from importlib import import_module

_writers: list[str] = []


@singledispatch
def html_of(shown: object) -> str | None:
    """Return HTML; None: a notebook shows the plain representation. Writers register their types with it."""
    return None


def write_notebooks_in(module: str) -> None:
    """Have notebooks written by a module, which is loaded when the first result is shown."""
    _writers.append(module)


def as_html(shown: object) -> str | None:
    """Return what a notebook shows: for `_repr_html_`."""
    for module in _writers:
        import_module(module)
    return html_of(shown)
