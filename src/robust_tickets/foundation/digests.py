"""Content hashes of tensors, independent of how a file happens to store them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor


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
