"""Content hashes: of tensors, independent of how a file happens to store them, and of files."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from robust_tickets.foundation.file_memory import FileMemory, stamp
from robust_tickets.foundation.files import files_below


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """Return `sha256:...` over names, dtypes, shapes and bytes of the tensors, in the order of names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return f"sha256:{digest.hexdigest()}"


def file_digest(path: Path | str) -> str:
    """Return `sha256:...` over the bytes of a file."""
    with Path(path).open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def contents_digest(path: Path) -> str:
    """Return `sha256:...` over names and bytes of a file, or of all files below a folder; it may be absent.

    Files that have not changed since they were last read are not read again.
    """
    files = [Path(file) for file in files_below(path)]
    digest = hashlib.sha256()
    for file, content in zip(files, file_digests(files), strict=True):
        digest.update(f"{file.relative_to(path).as_posix()}|{content}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def file_digests(files: Sequence[Path]) -> list[str]:
    """Return `sha256:...` of each file; those that have not changed since they were last read are not read again."""
    if not files:
        return []
    memory = FileMemory(Path(os.path.commonpath([file.parent for file in files])), "digests")
    found = []
    for file in files:
        name, before = str(file), stamp(file)
        facts = memory.known(name, before)
        if facts is None:
            facts = [file_digest(file)]
            memory.remember(name, before, facts)
        found.append(facts[0])
    memory.save()
    return found
