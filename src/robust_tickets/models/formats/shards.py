"""Weights in several files, listed by an index: `model.safetensors.index.json`, `pytorch_model.bin.index.json`."""

import json
from pathlib import Path, PurePosixPath, PureWindowsPath

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_json


def is_index(start: bytes) -> bool:
    """Return whether a file's first bytes are JSON that may be an index: a safetensors header is not."""
    return start.lstrip().startswith(b"{") and b"\0" not in start


def shards_of(index: Path, *, present: bool = True) -> dict[Path, list[str]]:
    """Return the files that an index names, each with the names of the tensors in it.

    Args:
        index: the file.
        present: whether they have to be there.

    Raises:
        UserError: it is not an index, names a file outside its own folder, or one that is missing.
    """
    content = read_json(index)
    listed = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(listed, dict) or not listed or not all(isinstance(file, str) for file in listed.values()):
        raise UserError(f"{index}: is JSON, not weights; the weights are in a file next to it")
    files: dict[Path, list[str]] = {}
    for name, file in listed.items():
        files.setdefault(_inside(index, file), []).append(name)
    missing = [file.name for file in files if present and not file.is_file()]
    if missing:
        raise UserError(
            f"{index}: {len(missing)} of its {len(files)} files are missing: "
            f"{', '.join(missing[:3])}{', ...' if missing[3:] else ''}; download them into {index.parent}"
        )
    return files


def _inside(index: Path, file: str) -> Path:
    """Return a shard's path; an index from elsewhere must not reach beyond its own folder.

    Links are followed by name only: the Hugging Face cache keeps every file as a link to its content.
    """
    parts = (*PurePosixPath(file).parts, *PureWindowsPath(file).parts)
    if not file or ".." in parts or PurePosixPath(file).is_absolute() or PureWindowsPath(file).anchor:
        raise UserError(f"{index}: names {json.dumps(file)}, which is outside its folder; do not trust it")
    return index.parent / file
