"""The rules that hold everywhere, read from the code itself: rooms, docstrings, sizes, paths."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "robust_tickets"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
LONGEST_FILE = 400
MACHINE_PATH = re.compile(r"(?<![\w.~])(?:/(?:home|root|work|mnt|opt|tmp|scratch|Users)/|[A-Z]:\\\\?Users)")


def rooms(markdown: str) -> dict[str, set[str]]:
    """Read the table of rooms: for each module, which others it may import.

    A row's third column names what its modules may import; `all above` is every earlier row. In a row with
    several modules each may import those to its left.
    """
    allowed: dict[str, set[str]] = {}
    for line in markdown.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("| `") or len(cells) != 3:
            continue
        names = [name.removesuffix("/").removesuffix(".py") for name in re.findall(r"[\w./]+", cells[0])]
        listed = set(re.sub(r"\([^)]*\)", "", cells[2]).replace(",", " ").split())
        above = set(allowed)
        wanted = above if {"all", "public"} & listed else listed - {"nothing"}
        assert wanted <= above, f"{names}: imports a room that is not above it: {sorted(wanted - above)}"
        for index, name in enumerate(names):
            allowed[name] = wanted | set(names[:index])
    return allowed


def imported(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the room of every import from inside the package, also those inside functions."""
    here = (package.name, *path.relative_to(package).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) - node.level + 1]) if node.level else ""
            stem = ".".join(part for part in (base, node.module) if part)
            modules = [f"{stem}.{alias.name}" for alias in node.names] if stem == package.name else [stem]
        else:
            continue
        for module in modules:
            top, _, rest = module.partition(".")
            if top == package.name:
                yield node.lineno, rest.split(".")[0]


def violations(package: Path, allowed: dict[str, set[str]]) -> list[str]:
    """Return a line for every import that the table of rooms does not allow, and every module outside it."""
    found = []
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package)
        room = relative.parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        if room not in allowed:
            found.append(f"{relative}: {room} is in no row of the table of rooms in docs/architecture.md")
            continue
        found += [
            f"{relative}:{line}: {room} imports {other or 'the whole package'}"
            for line, other in imported(path, package)
            if other != room and other not in allowed[room]
        ]
    return found


def test_no_room_imports_from_below_its_own() -> None:
    assert violations(PACKAGE, rooms(ARCHITECTURE.read_text(encoding="utf-8"))) == []


TABLE = """
| room | noun | imports |
|---|---|---|
| `foundation/` | base | nothing |
| `pruning/` | masks | foundation |
| `data/` | images | foundation (files) |
| `draw.py transfer.py` | the verbs | all above |
| `report/` | pages | foundation |
| `cli.py` | thin | the public API |
"""


def test_the_table_reads_as_it_is_meant() -> None:
    assert rooms(TABLE) == {
        "foundation": set(),
        "pruning": {"foundation"},
        "data": {"foundation"},
        "draw": {"foundation", "pruning", "data"},
        "transfer": {"foundation", "pruning", "data", "draw"},
        "report": {"foundation"},
        "cli": {"foundation", "pruning", "data", "draw", "transfer", "report"},
    }


@pytest.mark.parametrize(
    ("file", "code", "complaint"),
    [
        ("pruning/scores.py", "from lab.data import folder", "pruning/scores.py:1: pruning imports data"),
        ("pruning/scores.py", "import lab.draw", "pruning/scores.py:1: pruning imports draw"),
        ("pruning/scores.py", "from lab import data", "pruning/scores.py:1: pruning imports data"),
        ("pruning/scores.py", "from ..data import folder", "pruning/scores.py:1: pruning imports data"),
        ("draw.py", "def f():\n    from .transfer import g", "draw.py:2: draw imports transfer"),
        ("report/html.py", "from lab.pruning.masks import M", "report/html.py:1: report imports pruning"),
        ("extra.py", "x = 1", "extra.py: extra is in no row of the table of rooms in docs/architecture.md"),
    ],
)
def test_a_violation_is_found(tmp_path: Path, file: str, code: str, complaint: str) -> None:
    package = tmp_path / "lab"
    for name, content in {
        "__init__.py": "from lab.draw import draw",
        "foundation/files.py": "import json",
        "pruning/masks.py": "from lab.foundation import files\nfrom . import scores",
        "draw.py": "import lab.pruning.masks\nfrom lab.data import folder",
        "transfer.py": "from lab.draw import draw",
        "cli.py": "from lab import draw, report",
    }.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(content)
    assert violations(package, rooms(TABLE)) == []
    (package / file).parent.mkdir(exist_ok=True)
    (package / file).write_text(code)
    assert violations(package, rooms(TABLE)) == [complaint]


TOLD = {"Section", "Table", "Chart", "Line", "Map"}
"""What sections of reports are made of."""


def sections_written(package: Path) -> list[str]:
    """Return the places outside `findings/` where a part of a report is made."""
    found = []
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package)
        if relative.parts[0] == "findings":
            continue
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        names = ((call.lineno, ast.unparse(call.func).split(".")[-1]) for call in calls)
        found += [f"{relative}:{line}: {name}" for line, name in names if name in TOLD]
    return found


def test_sections_of_reports_are_written_in_one_room() -> None:
    assert sections_written(PACKAGE) == []


def test_a_section_written_elsewhere_is_found(tmp_path: Path) -> None:
    for room in ("findings", "verbs"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "verify.py").write_text("def f():\n    return sections.Section(tables=(Table(), Other()))")
    assert sections_written(tmp_path) == ["verbs/verify.py:2: Section", "verbs/verify.py:2: Table"]


HEAVY = (
    *("torch", "torchvision", "timm", "numpy", "scipy", "sklearn", "matplotlib", "onnxruntime", "llvmlite"),
    *("datasets", "pyarrow", "pandas"),
)


def imported_by(code: str) -> set[str]:
    code = f"import sys; {code}; print(*[name for name in {HEAVY} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


@pytest.mark.parametrize("module", ["robust_tickets", "robust_tickets.cli", "robust_tickets.recipe"])
def test_what_reads_settings_loads_no_heavy_library(module: str) -> None:
    assert imported_by(f"import {module}") == set()


def undocumented(path: Path) -> list[str]:
    """Return the public functions, classes and methods of a file that have no docstring."""

    def walk(body: list[ast.stmt], prefix: str) -> Iterator[str]:
        for node in body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            decorators = {ast.unparse(decorator).split(".")[-1] for decorator in node.decorator_list}
            if node.name.startswith("_") or decorators & {"overload", "setter", "override"}:
                continue
            if ast.get_docstring(node) is None:
                yield f"{prefix}{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from walk(node.body, f"{prefix}{node.name}.")

    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [*(["the file"] if ast.get_docstring(tree) is None else []), *walk(tree.body, "")]


def test_every_public_name_has_a_docstring() -> None:
    missing = {str(path.relative_to(PACKAGE)): undocumented(path) for path in PACKAGE.rglob("*.py")}
    assert {name: names for name, names in missing.items() if names} == {}


def test_a_missing_docstring_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    code = ["class A:", '    """Doc."""', "    def f(self): ...", "    def _g(self): ...", "def h(): ..."]
    path.write_text("\n".join(code))
    assert undocumented(path) == ["the file", "A.f", "h"]


def test_every_package_maps_its_files() -> None:
    unmapped = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if path.parent != PACKAGE and path.name != "__init__.py"
        if f"`{path.name}`" not in (path.parent / "__init__.py").read_text(encoding="utf-8")
    ]
    assert unmapped == []


def sources(*endings: str) -> Iterator[Path]:
    """Yield the project's own files: everything in its folders, and the files beside them."""
    for folder in ("src", "tests", "docs", "benchmarks", "examples"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in endings and path.is_file():
                yield path
    yield from (path for path in ROOT.iterdir() if path.is_file() and path.suffix in endings)


def test_no_file_is_too_long_to_read() -> None:
    lengths = {str(p.relative_to(ROOT)): p.read_text(encoding="utf-8").count("\n") for p in sources(".py")}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_file_knows_a_machine() -> None:
    known = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in sources(".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".cff", ".css", "")
        if (found := MACHINE_PATH.search(path.read_text(encoding="utf-8")))
    ]
    assert known == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("open('" + "/home" + "/someone/x')", True),
        ("see " + "C:\\" + "Users\\x", True),
        ("path/to/work/images", False),
        ("~/work/images", False),
        ("example.org/home/x", False),
    ],
)
def test_machine_paths_are_told_from_ordinary_ones(text: str, found: bool) -> None:
    assert bool(MACHINE_PATH.search(text)) is found
