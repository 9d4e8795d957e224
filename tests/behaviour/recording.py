"""Run every family of `families.yaml` with the code that is importable, and record what it left, value by value.

Only what lasts from version to version is used: the command line, recipes as text, and the files of run folders. So
the same script records an older version: `python -m tests.behaviour.recording OUT.json`, with its `src` before this
tree in `PYTHONPATH`.
"""

import contextlib
import hashlib
import io
import json
import re
import shlex
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.behaviour.files_of_data import write_data

FAMILIES = Path(__file__).with_name("families.yaml")

Values = dict[str, Any]
"""The values of one file by their place in it, such as `rows.3.sparsity`."""

Recording = dict[str, Values]
"""Values by file, as `family/path`."""

WORDS = {
    "title",
    "text",
    "note",
    "notes",
    "caveats",
    "command",
    "facts",
    "sentence",
    "description",
    "reason",
    "heading",
}
"""Keys of what may be said in other words."""

TIMED = {"latency", "latency_ms", "ratio", "machine"}
"""Keys of what differs from one time to the next."""

OF_ONNX = {"files", "file", "bytes", "size_ratio", "file_bytes", "deflated_bytes"}
"""Keys of what differs when a class gets another name, since torch writes those into ONNX files."""

LEFT_OUT = WORDS | TIMED | OF_ONNX

TICKET = ("digest", "sparsity", "init", "recalibrated", "prunable", "shapes")
"""What a ticket is, of `ticket.json`; the rest says how it came about."""

READ = {"result.json", "summary.json", "verdict.json", "found.json", "evaluation.json", "predicted.json"}
"""The JSON files whose values are recorded; the others are read as the run goes on."""

NUMBER = re.compile(r"[-+−]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
OF_A_FILE = re.compile(r"(/\w+-exported-[a-z-]+)-[0-9a-f]{12}/")
"""A folder of what was measured on an exported file, named by its bytes, too."""


def record() -> Recording:
    """Run all families in a temporary folder and return what they left."""
    import torch

    torch.set_num_threads(1)
    families: dict[str, Any] = yaml.safe_load(FAMILIES.read_text(encoding="utf-8"))["families"]
    recording: Recording = {}
    with tempfile.TemporaryDirectory() as place:
        for name, family in families.items():
            if not is_known(family):
                continue
            start = time.monotonic()
            folder = Path(place) / name
            write_data(folder)
            with contextlib.chdir(folder):
                if "recipe" in family:
                    Path("recipe.yaml").write_text(yaml.safe_dump(family["recipe"], sort_keys=False), encoding="utf-8")
                    tickets(f"run recipe.yaml --out run {family.get('options', '')}")
                for command in family.get("commands", ()):
                    tickets(command)
            recording |= {f"{name}/{file}": values for file, values in recorded(folder)}
            print(f"{name}: {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True)
    return recording


def is_known(family: dict[str, Any]) -> bool:
    """Return whether this version has the recipe that a family extends; older ones lack those that came later."""
    import robust_tickets

    extended = family.get("recipe", {}).get("extends")
    return extended is None or (Path(robust_tickets.__file__).parent / "recipes" / f"{extended}.yaml").is_file()


def tickets(line: str) -> None:
    """Give a command to the command line, in this process; what it says is shown only if it fails."""
    from robust_tickets.cli import main

    told = io.StringIO()
    sys.argv = ["tickets", *shlex.split(line)]
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        try:
            main()
            code: Any = 0
        except SystemExit as leaving:
            code = leaving.code
    if code:
        raise SystemExit(f"tickets {line}\n{told.getvalue()}\nended with {code}")


def recorded(folder: Path) -> Iterator[tuple[str, Values]]:
    """Yield what is recorded of the files in a folder."""
    of_files: dict[str, list[Values]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if (values := values_of(path)) is None:
            continue
        name = str(path.relative_to(folder))
        if OF_A_FILE.search(name):
            of_files[OF_A_FILE.sub(r"\1/", name)].append(values)
        else:
            yield name, values
    for name, several in of_files.items():
        for number, values in enumerate(sorted(several, key=json.dumps)):
            yield f"{name}[{number}]", values


def values_of(path: Path) -> Values | None:
    """Return what is recorded of a file; None where nothing is."""
    if path.name == "metrics.jsonl":
        return {str(number): line for number, line in enumerate(path.read_text(encoding="utf-8").splitlines())}
    if path.suffix == ".safetensors":
        return {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    if path.suffix == ".onnx":
        return of_onnx(path)
    if path.suffix == ".rtk":
        return of_runtime_file(path)
    if path.name == "ticket.json":
        content = json.loads(path.read_text(encoding="utf-8"))
        return dict(flat({key: content[key] for key in TICKET}))
    if path.name not in READ:
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    if path.name == "summary.json":
        numbers = NUMBER.findall(json.dumps([figures(section) for section in content.pop("sections")]))
        content["in sections"] = dict.fromkeys(sorted(set(numbers)), True)
    if path.name == "result.json":
        content.pop("recipe", None)
    return dict(flat(content))


def of_onnx(path: Path) -> Values:
    """Return the operators of an ONNX file, and its weights whatever they are called."""
    import onnx

    graph = onnx.load(path).graph
    weights = sorted(onnx.numpy_helper.to_array(weight).tobytes() for weight in graph.initializer)
    return {
        "operators": " ".join(node.op_type for node in graph.node),
        "weights": hashlib.sha256(b"".join(weights)).hexdigest(),
    }


def of_runtime_file(path: Path) -> Values:
    """Return the operations of a runtime file, and what it stores: see `docs/runtime_files.md`."""
    content = path.read_bytes()
    end = 64 + int.from_bytes(content[16:24], "little")
    header = json.loads(content[64:end])
    stored = hashlib.sha256(content[-(-end // 64) * 64 :]).hexdigest()
    return {"operations": " ".join(node["op"] for node in header["nodes"]), "stored": stored}


def figures(section: dict[str, Any]) -> list[Any]:
    """Return what is in the tables, charts and maps of a report's section."""
    return [
        *(table["rows"] for table in section["tables"]),
        *([line[key] for key in ("x", "y", "std")] for chart in section["charts"] for line in chart["lines"]),
        *(drawn["values"] for drawn in section["maps"]),
    ]


def flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value in a JSON value with its place; of a list its length too, since one that grows has changed."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in LEFT_OUT:
                yield from flat(inner, f"{place}{key}.")
    elif isinstance(value, list):
        yield f"{place}length", len(value)
        for number, inner in enumerate(value):
            yield from flat(inner, f"{place}{number}.")
    else:
        yield place.removesuffix("."), value


if __name__ == "__main__":
    out = Path(sys.argv[1]).resolve()
    out.write_text(json.dumps(record(), indent=1) + "\n", encoding="utf-8")
