"""Two processes train one network: the same masks and weights on both, and nearly those of one process."""

import socket
from pathlib import Path

import pytest
import torch

from tests.forked import started
from tests.training.small import equal
from tests.training.two_processes import main, runs


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_two_processes_agree(tmp_path: Path) -> None:
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    common |= {"ACCELERATE_USE_CPU": "true"}
    told = [tmp_path / f"errors-{rank}.txt" for rank in range(2)]
    processes = [
        started(told[rank], {**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}, main, tmp_path, str(rank))
        for rank in range(2)
    ]
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0, 0], [file.read_text() for file in told]
    first, second = (torch.load(tmp_path / f"rank-{rank}.pt", weights_only=True) for rank in range(2))
    for name, alone in runs(None).items():
        one, two = first[name], second[name]
        assert equal(one["state"], two["state"]), name
        assert equal(one["masks"], two["masks"])
        assert all(equal(*states) for states in zip(one["tickets"], two["tickets"], strict=True))
        assert one["history"] == two["history"]
        assert len((tmp_path / name / "metrics.jsonl").read_text().splitlines()) == len(one["history"])
        removed = [sum(int((~mask).sum()) for mask in masks.values()) for masks in (one["masks"], alone.result.masks)]
        assert removed[0] == removed[1]
        # Batch norm sees half a batch in each process, so that losses are close and not equal.
        for row, row_alone in zip(one["history"], alone.result.history, strict=True):
            assert row["loss"] == pytest.approx(row_alone["loss"], rel=0.1)
