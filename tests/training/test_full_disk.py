"""A disk that runs full costs one line and no checkpoint."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from robust_tickets.foundation.errors import UserError
from robust_tickets.pruning.plans import Plan
from tests.training.small import Interrupted, Run, equal


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let the operating system refuse longer files, as a full disk or a quota does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        Run(Plan(12, ()), folder=tmp_path, stop_at=4)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with (
        files_of_at_most(len(before) // 2),
        pytest.raises(
            UserError, match=r"checkpoint\.pt: no space left to write it; free some space and rerun the same command"
        ),
    ):
        Run(Plan(12, ()), folder=tmp_path)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint.pt", "metrics.jsonl"}
    assert equal(Run(Plan(12, ()), folder=tmp_path).state, Run(Plan(12, ())).state)
