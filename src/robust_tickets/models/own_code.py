"""The digest of a user's own code behind a network, by which an edited `forward` is noticed under the same weights.

Counted are the files of the modules in which the network's classes, their bases and the functions they call are
defined, as far as names lead there; installed libraries, and this one, are not counted. Comments and layout do not
matter. Of a script or a notebook only the definitions themselves count, not what it does with them.
"""

import hashlib
import inspect
import io
import sys
import sysconfig
import tokenize
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from torch import fx, nn

_SCRIPT = "__main__"
_OURS = Path(__file__).resolve().parents[1]
_INSTALLED = tuple(
    {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_PACKAGES = {"site-packages", "dist-packages"}


def code_digest(body: nn.Module, function: str | None = None) -> str | None:
    """Return `sha256:...` over the user's own code that makes and runs a network; None if there is none.

    Args:
        body: the network.
        function: `package.module:function` that returned it, if one did.
    """
    texts: dict[str, str] = {}
    seen: set[int] = set()
    waiting: list[Any] = [kind for module in body.modules() for kind in type(module).__mro__]
    waiting += [sys.modules.get(function.partition(":")[0])] if function is not None else []
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if (source := _source(thing)) is not None:
            texts.setdefault(*source)
            waiting += _used(thing)
    texts |= {f"graph {path}": part.code for path, part in body.named_modules() if isinstance(part, fx.GraphModule)}
    if not texts:
        return None
    content = "\0".join(f"{name}\0{_without_layout(texts[name])}" for name in sorted(texts))
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


def _source(thing: Any) -> tuple[str, str] | None:
    """Return under which name what text defines a class, function or module, if it is the user's own."""
    module = thing if isinstance(thing, ModuleType) else sys.modules.get(getattr(thing, "__module__", None) or "")
    if module is None:
        return None
    if module.__name__ == _SCRIPT:
        if thing is module:
            return None
        try:
            return f"{_SCRIPT}.{thing.__qualname__}", inspect.getsource(thing)
        except (OSError, TypeError):  # typed at a prompt
            return None
    file = Path(getattr(module, "__file__", None) or "nowhere").resolve()
    if file.suffix != ".py" or not file.is_file() or file.is_relative_to(_OURS) or _PACKAGES.intersection(file.parts):
        return None
    if any(file.is_relative_to(place) for place in _INSTALLED):
        return None
    return module.__name__, file.read_text(encoding="utf-8", errors="replace")


def _used(thing: Any) -> Iterator[Any]:
    """Yield the classes, functions and modules that the code of a class or function names."""
    for function in vars(thing).values() if isinstance(thing, type) else (thing,):
        function = inspect.unwrap(function) if callable(function) else getattr(function, "__func__", function)
        if isinstance(function, FunctionType):
            for name in _names(function.__code__):
                value = function.__globals__.get(name)
                if isinstance(value, type | FunctionType | MethodType | ModuleType):
                    yield value


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def _without_layout(text: str) -> str:
    """Return code without comments, blank lines and spaces; as it is where it is not Python."""
    lines: list[str] = [""]
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in (tokenize.INDENT, tokenize.DEDENT):
                lines[-1] += ">" if token.type == tokenize.INDENT else "<"
            elif token.type == tokenize.NEWLINE:
                lines.append("")
            elif token.type not in (tokenize.COMMENT, tokenize.NL):
                lines[-1] += "".join(token.string.split())
    except (tokenize.TokenError, SyntaxError):
        return text
    return "\n".join(lines)
