"""No ladders over methods, tasks or kinds of data: a part owns its behaviour, and whoever composes parts compares
what they need and provide. Found in the code itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "robust_tickets"
TAGS = {"kind", "method", "target_kind"}

NUMBERS = "the kind of a numpy number type"
GRAPH = "an attribute of an operation in a runtime file, which is data: the runtime reads and executes it"
TYPE = "an LLVM type"
STORED = "what a file of another library says of itself"
GIVEN = "what the user gave: settings, or the parts of them that are stated"
TOKENS = "a language model reads what only tokens have, and refuses anything else in one line"

ALLOWED: dict[str, dict[str, str]] = {
    "data/images/arrays.py": {
        "values.dtype.kind not in 'iu'": NUMBERS,
        "kind.kind not in 'biuf'": NUMBERS,
        "kind.kind == 'f'": NUMBERS,
        "kind.kind != 'f'": NUMBERS,
    },
    "measures/corruption_files.py": {"labels.dtype.kind not in 'iu'": NUMBERS},
    "models/adaptations/language/body.py": {"isinstance(interface, Tokens)": TOKENS},
    "models/adaptations/language/library.py": {
        "kind in ENCODERS": STORED,
        "kind in tables.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES": STORED,
        "kind in tables.MODEL_FOR_MASKED_LM_MAPPING_NAMES": STORED,
        "kind in tables.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES": STORED,
    },
    "models/families/language_sources.py": {"isinstance(given, Tokens)": GIVEN},
    "models/sources.py": {"isinstance(preprocessing, Interface)": GIVEN},
    "verbs/predict/texts.py": {"isinstance(tokens, Tokens)": TOKENS},
    "models/formats/file.py": {
        "kind == 'index'": STORED,
        "kind == 'safetensors'": STORED,
        "kind == 'zip'": STORED,
    },
    "models/formats/pickles.py": {"kind in STRINGS": STORED},
    "models/formats/reparametrised.py": {"match['kind'] == 'binary_mask'": STORED},
    "runtime/kernels/epilogue.py": {"activation.kind not in LONG": GRAPH},
    "runtime/kernels/function.py": {"kind == 'ptr'": TYPE},
    "runtime/planning/plan.py": {"kind == 'avg'": GRAPH, "kind == 'mul'": GRAPH},
    "runtime/rules/operations.py": {"attributes['kind'] == 'clip'": GRAPH},
    "runtime/steps/pooling.py": {"command.kind == 'max'": GRAPH},
    "shrinking/conversion/builder.py": {
        "kind == 'relu6'": GRAPH,
        "kind == 'tanh'": GRAPH,
        "kind == 'erf'": GRAPH,
        "kind in PRODUCTS": GRAPH,
    },
}
"""For each file, what it may ask for all that, and why: there the tag is data, and no part of ours."""


def trees(package: Path) -> dict[str, ast.Module]:
    """Return the syntax tree of every file, by its path inside the package."""
    return {
        path.relative_to(package).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(package.rglob("*.py"))
    }


def parts(files: dict[str, ast.Module]) -> dict[str, str]:
    """Return the classes that are parts, and the file of each: those that say their `kind` in a literal, and what
    they inherit from but for `Settings`, which everything written in a recipe does."""
    classes = {
        node.name: (name, node) for name, tree in files.items() for node in tree.body if isinstance(node, ast.ClassDef)
    }
    found: dict[str, str] = {}

    def add(name: str) -> None:
        file, node = classes[name]
        found[name] = file
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in classes and base.id != "Settings":
                add(base.id)

    for name, (_, node) in classes.items():
        if any(is_tag(line) for line in node.body):
            add(name)
    return found


def is_tag(line: ast.stmt) -> bool:
    """Tell whether a line of a class is `kind: Literal[...]`."""
    return (
        isinstance(line, ast.AnnAssign)
        and isinstance(line.target, ast.Name)
        and line.target.id == "kind"
        and ast.unparse(line.annotation).startswith("Literal[")
    )


def names_tag(node: ast.expr) -> bool:
    """Tell whether an expression is a tag of another: `x.kind`, `kind`, `settings["kind"]`, but not `self.kind`."""
    if isinstance(node, ast.Attribute):
        return node.attr in TAGS and ast.unparse(node.value) != "self"
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and node.slice.value in TAGS
    return isinstance(node, ast.Name) and node.id in TAGS


def is_fixed(node: ast.expr) -> bool:
    """Tell whether an expression is the same on every run: a constant, several, or a name in capitals."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return all(map(is_fixed, node.elts))
    if isinstance(node, ast.Name | ast.Attribute):
        return ast.unparse(node).rpartition(".")[2].isupper()
    return isinstance(node, ast.Constant) and node.value is not None


def ladders(tree: ast.Module, parts: set[str]) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every comparison of a tag, and every question for the class of a part."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(map(names_tag, sides)) and any(map(is_fixed, sides)):
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Match) and names_tag(node.subject):
            yield node.lineno, f"match {ast.unparse(node.subject)}"
        elif isinstance(node, ast.match_case):
            asked = {
                ast.unparse(pattern.cls) for pattern in ast.walk(node.pattern) if isinstance(pattern, ast.MatchClass)
            }
            for name in sorted(asked & parts):
                yield node.pattern.lineno, f"case {name}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass") and node.args[1:]:
            asked = {inner.id for inner in ast.walk(node.args[1]) if isinstance(inner, ast.Name)}
            if asked & parts:
                yield node.lineno, ast.unparse(node)


def unexplained(package: Path, allowed: dict[str, dict[str, str]]) -> list[str]:
    """Return a line for every ladder that no row of `allowed` explains."""
    files = trees(package)
    homes = parts(files)
    return [
        f"{name}:{line}: {text}"
        for name, tree in files.items()
        for line, text in ladders(tree, {part for part, home in homes.items() if home != name})
        if text not in allowed.get(name, {})
    ]


def test_no_one_asks_a_part_what_it_is() -> None:
    assert unexplained(PACKAGE, ALLOWED) == []


def test_every_exception_is_still_needed() -> None:
    files = trees(PACKAGE)
    homes = parts(files)
    stale = []
    for name, rows in ALLOWED.items():
        foreign = {part for part, home in homes.items() if home != name}
        found = {text for _, text in ladders(files[name], foreign)} if name in files else set()
        stale += [f"{name}: {text}" for text in rows if text not in found]
    assert stale == [], "remove these rows"


AXIS = """
class Settings: ...
class Group(Settings): ...
class Row(Group):
    kind: Literal["row"] = "row"
class Unrelated: ...
"""


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("if part.kind == 'row': ...", ["part.kind == 'row'"]),
        ("if 'row' != kind: ...", ["'row' != kind"]),
        ("if part.kind in ('row', 'filter'): ...", ["part.kind in ('row', 'filter')"]),
        ("if self.part.kind in OPPOSITES: ...", ["self.part.kind in OPPOSITES"]),
        ("if part.model_dump()['kind'] == 'row': ...", ["part.model_dump()['kind'] == 'row'"]),
        ("x = 1 if settings.method == 'imp' else 2", ["settings.method == 'imp'"]),
        ("if splits.target_kind == 'pixels': ...", ["splits.target_kind == 'pixels'"]),
        ("match part.kind:\n    case 'row': ...", ["match part.kind"]),
        ("match part:\n    case Row(): ...", ["case Row"]),
        ("if isinstance(part, Row): ...", ["isinstance(part, Row)"]),
        ("if isinstance(part, Unrelated | Group): ...", ["isinstance(part, Unrelated | Group)"]),
        ("if isinstance(part, (Row, int)): ...", ["isinstance(part, (Row, int))"]),
        ("if part.kind not in other.kinds: ...", []),
        ("if self.kind == 'row': ...", []),
        ("if isinstance(part, Unrelated | Settings): ...", []),
        ("if part.takes(other): ...", []),
    ],
)
def test_a_ladder_is_told_from_what_is_none(tmp_path: Path, code: str, found: list[str]) -> None:
    (tmp_path / "axis.py").write_text(AXIS)
    (tmp_path / "loop.py").write_text(code)
    assert [line.split(": ", 1)[1] for line in unexplained(tmp_path, {})] == found
    assert unexplained(tmp_path, {"loop.py": dict.fromkeys(found, "a reason")}) == []


def test_a_part_may_ask_for_itself_in_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "axis.py").write_text(AXIS + "def f(part): return isinstance(part, Row)")
    assert unexplained(tmp_path, {}) == []
