"""A public class name means one thing in the whole package."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "robust_tickets"

ALLOWED: dict[str, str] = {
    "Found": "goes with one kind of example set for every target",
}
"""Names that are still defined more than once, and why."""


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
    assert {name: files for name, files in shared(PACKAGE).items() if name not in ALLOWED} == {}


def test_every_exception_is_still_needed() -> None:
    assert ALLOWED.keys() - shared(PACKAGE).keys() == set(), "remove these rows"


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
