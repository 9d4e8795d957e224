"""A name means one thing: a public class name in the whole package, and `check` only the command."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "robust_tickets"

THE_VERB = {"verbs/check.py", "cli/check.py"}
"""The files of `tickets check`, which alone may be called so."""


def defined(tree: ast.Module) -> list[tuple[str, bool]]:
    """Return the public types that a file defines at its top, and whether each is a class or another's alias."""
    found: list[tuple[str, bool]] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found.append((node.name, True))
        elif isinstance(node, ast.Assign):
            found += [(target.id, False) for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.append((node.target.id, False))
    return [(name, is_class) for name, is_class in found if name[0].isupper() and not name.isupper()]


def shared(package: Path) -> dict[str, list[str]]:
    """Return the class names that anything else in the package is called too, with the files that do."""
    files: dict[str, list[str]] = defaultdict(list)
    classes: set[str] = set()
    for path in sorted(package.rglob("*.py")):
        for name, is_class in defined(ast.parse(path.read_text(encoding="utf-8"))):
            files[name].append(path.relative_to(package).as_posix())
            classes |= {name} if is_class else set()
    return {name: homes for name, homes in files.items() if len(homes) > 1 and name in classes}


def test_public_class_names_are_unique() -> None:
    assert shared(PACKAGE) == {}


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("class Step: ...", "class Step: ...", {"Step"}),
        ("class Step: ...", "Step = int | str", {"Step"}),
        ("class Step: ...", "Step: TypeAlias = int", {"Step"}),
        ("Part = int", "Part = str", set()),
        ("class _Walk: ...", "class _Walk: ...", set()),
        ("class STEP: ...", "STEP = 3", set()),
        ("class Step: ...", "def f():\n    class Step: ...", set()),
    ],
)
def test_a_twin_is_found(tmp_path: Path, one: str, other: str, found: set[str]) -> None:
    (tmp_path / "one.py").write_text(one)
    (tmp_path / "other.py").write_text(other)
    assert shared(tmp_path).keys() == found


def named_check(package: Path) -> list[str]:
    """Return the files and functions, outside the verb's own files, that are called `check` or `check_...`."""
    found = []
    for path in sorted(package.rglob("*.py")):
        file = path.relative_to(package).as_posix()
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        functions = [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        names = [file, *(f"{file}: {name}" for name in functions)] if file not in THE_VERB else []
        found += [name for name in names if re.search(r"(^|[/ ])_*check(_|\.py$|$)", name)]
    return found


def test_check_names_only_the_verb() -> None:
    assert named_check(PACKAGE) == []


def test_another_check_is_found(tmp_path: Path) -> None:
    (tmp_path / "verbs").mkdir()
    (tmp_path / "verbs" / "check.py").write_text("def check(): ...")
    code = ["class A:", "    def check(self): ...", "def _check_losses(): ...", "def checked(): ..."]
    (tmp_path / "checkpoints.py").write_text("\n".join(code))
    (tmp_path / "check.py").write_text("")
    assert named_check(tmp_path) == ["check.py", "checkpoints.py: _check_losses", "checkpoints.py: check"]
