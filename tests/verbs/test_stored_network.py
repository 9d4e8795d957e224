"""Networks of finished runs are read when they are asked for, and are not kept in memory."""

import gc
import shutil
import weakref
from pathlib import Path

import pytest
import torch

import robust_tickets as rt
from tests.verbs.small import PARTS, small_source

SETTINGS = rt.TransferSettings.model_validate({"seeds": (0,), "training": {"epochs": 1}})


def test_a_run_in_a_folder_does_not_hold_its_network(tmp_path: Path) -> None:
    source = small_source()
    (run,) = rt.transfer(source, PARTS, settings=SETTINGS, folder=tmp_path / "runs").runs
    network = run.network
    assert run.network is network, "the same one, while somebody uses it"
    weights = network.plain_state()
    seen = weakref.ref(network)
    del network
    gc.collect()
    assert seen() is None
    again = run.network.plain_state()
    assert all(torch.equal(again[name], value) for name, value in weights.items())


def test_a_run_in_memory_holds_it() -> None:
    (run,) = rt.transfer(small_source(), PARTS, settings=SETTINGS).runs
    seen = weakref.ref(run.network)
    gc.collect()
    assert seen() is run.network


def test_what_was_measured_needs_no_network(tmp_path: Path) -> None:
    source = small_source()
    result = rt.transfer(source, PARTS, settings=SETTINGS, folder=tmp_path / "runs")
    told = rt.verify(result, result).sentence()
    for weights in (tmp_path / "runs").rglob("*.safetensors"):
        weights.unlink()
    again = rt.transfer(source, PARTS, settings=SETTINGS, folder=tmp_path / "runs")
    assert rt.verify(again, again).sentence() == told
    with pytest.raises(rt.UserError, match="seed-0"):
        _ = again.runs[0].network
    shutil.rmtree(tmp_path / "runs")
