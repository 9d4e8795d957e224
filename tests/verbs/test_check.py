"""`tickets check` and `tickets verify` on runtime files: what is right passes, what was tampered with does not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import robust_tickets as rt
from robust_tickets.runtime.storage.file import read_file, write_file
from tests.commands import Tickets
from tests.verbs.small import PARTS, small_source

DATA = "glyphs"
QUICK = {
    "training": {"epochs": 1, "batch_size": 20, "optimiser": {"kind": "sgd", "lr": 0.05}, "head_lr": None, "warmup": 0},
    "seeds": (0, 1),
}


@pytest.fixture
def tickets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tickets:
    return Tickets(capsys, monkeypatch)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("check")


@pytest.fixture(scope="module")
def result(place: Path) -> rt.Transfer:
    ticket = rt.draw(small_source(), sparsity=0.8)
    return rt.transfer(ticket, PARTS, folder=place / "runs", **QUICK)


@pytest.fixture(scope="module")
def file(result: rt.Transfer, place: Path) -> Path:
    rt.shrink(result, place / "model.rtk", rounds=3)
    return place / "model.rtk"


def test_a_file_is_held_against_both_engines_on_random_and_real_images(file: Path, result: rt.Transfer) -> None:
    report = rt.check(file, data=DATA, against=result)
    assert report.passes
    assert report.isolates_nan
    assert {row.engine.split()[0] for row in report.rows} == {"PyTorch", "ONNX", "the"}
    assert {row.images for row in report.rows} == {"random images", DATA}
    assert any(f" test images of {DATA}, " in line for line in report.lines())
    assert {row.batch for row in report.rows} == {1, 5}
    assert max(row.difference for row in report.rows) < 1e-4
    assert min(row.agreement for row in report.rows) == 1
    assert report.nonzero < 0.4 * report.weights


def test_the_command_needs_the_file_alone(file: Path, tickets: Tickets) -> None:
    ran = tickets(f"check {file}")
    assert ran.code == 0
    assert "computes what the other engines compute" in ran.out


def test_a_file_whose_weights_are_not_the_runs_is_found(file: Path, result: rt.Transfer, tmp_path: Path) -> None:
    graph = read_file(file)
    name = next(node.weights["weight"] for node in graph.nodes if node.op == "conv")
    changed = replace(graph.weights[name], values=graph.weights[name].values * np.float32(1.01))
    write_file(replace(graph, weights={**graph.weights, name: changed}), tmp_path / "other.rtk")
    assert rt.check(tmp_path / "other.rtk").passes
    report = rt.check(tmp_path / "other.rtk", against=result)
    assert not report.passes
    assert "DIFFERS" in report.sentence()


def test_weights_in_16_bits_are_told_and_may_differ_from_the_run(result: rt.Transfer, tmp_path: Path) -> None:
    rt.shrink(result, tmp_path / "half.rtk", rounds=3, half=True)
    report = rt.check(tmp_path / "half.rtk", against=result)
    assert report.half
    assert report.passes
    assert max(row.difference for row in report.rows if not row.decides) > 1e-5


@pytest.mark.parametrize("content", [b"", b"\x89RTK\r\n\x1a\n", b"PK\x03\x04 and so on" * 9])
def test_a_broken_file_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "broken.rtk").write_bytes(content)
    with pytest.raises(rt.UserError, match=r"broken\.rtk"):
        rt.check(tmp_path / "broken.rtk")


def test_a_file_is_verified_as_an_onnx_file_is(file: Path, result: rt.Transfer) -> None:
    verdict = rt.verify(result, exported=file, robustness={"threat": {"epsilon": 0.1, "steps": 2}})
    assert verdict.exported is not None
    assert verdict.exported.provenance.seed == result.best.seed
    assert all(row.network == row.file for row in verdict.exported.rows if row.figure == "clean")
    assert any("on the file itself" in row.measure for row in verdict.exported.rows)


def test_shrinking_again_measures_nothing_again(result: rt.Transfer, place: Path) -> None:
    first = rt.shrink(result, place / "again.rtk", rounds=3, folder=place / "shrink")
    assert rt.shrink(result, place / "again.rtk", rounds=3, folder=place / "shrink") == first


def test_half_is_of_runtime_files(result: rt.Transfer, tmp_path: Path) -> None:
    with pytest.raises(rt.UserError, match=r"half: .* ends in \.rtk"):
        rt.shrink(result, tmp_path / "model.onnx", half=True)
