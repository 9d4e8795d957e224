"""An exported file beside the network it was made from: replayed attacks, Square on the file, and foreign files."""

from pathlib import Path

import onnx
import pytest
import torch

import robust_tickets as rt
from robust_tickets.findings.verdicts import verdict_sections
from robust_tickets.measures.evaluation import Evaluation, evaluate
from robust_tickets.shrinking.artefact import load_artefact
from robust_tickets.shrinking.export import export_onnx
from robust_tickets.verbs.exported import provenance_of
from tests.verbs.small import PARTS, QUICK, small_source, times

BALL = {"epsilon": 0.1, "steps": 3}
SQUARE = {"kind": "robustness", "attack": {"kind": "square", "queries": 20}, "threat": BALL}
ASKED = {
    "robustness": {"threat": BALL},
    "measures": [SQUARE, "calibration", {"kind": "robustness-curve", "epsilons": [0, 0.1], "steps": 2}],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exported")


@pytest.fixture(scope="module")
def result(place: Path) -> rt.Transfer:
    # Channels, so that the file holds another network than the run: one with fewer channels.
    ticket = rt.draw(small_source(), sparsity=0.3, group="channel")
    return rt.transfer(ticket, PARTS, folder=place / "runs", **QUICK)


@pytest.fixture(scope="module")
def file(result: rt.Transfer, place: Path) -> Path:
    rt.shrink(result, place / "model.onnx", rounds=3)
    return place / "model.onnx"


@pytest.fixture(scope="module")
def verdict(result: rt.Transfer, file: Path) -> rt.Verdict:
    return rt.verify(result, exported=file, **ASKED)


def test_the_file_says_which_run_it_is_of(result: rt.Transfer, file: Path) -> None:
    said = load_artefact(file).provenance
    assert result.ticket is not None
    assert (said.ticket, said.seed) == (result.ticket.digest, result.best.seed)
    assert said.network.startswith("sha256:")


def test_the_file_computes_what_its_network_does(result: rt.Transfer, file: Path) -> None:
    images = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = result.best.network.cpu().eval()(images)
    assert torch.allclose(load_artefact(file).predict(images), expected, atol=1e-4)


def test_every_measure_is_on_the_file_beside_its_network(verdict: rt.Verdict, result: rt.Transfer) -> None:
    exported = verdict.exported
    assert exported is not None
    assert list(dict.fromkeys(row.measure for row in exported.rows)) == [
        "accuracy",
        "PGD-3 in L-inf 0.1, crafted on the torch network and replayed",
        "Square, 20 queries, in L-inf 0.1, on the file itself",
        "calibration, 15 bins",
        "PGD-2 in L-inf 0.1, crafted on the torch network and replayed, at most 1000 images",
    ]
    rows = {(row.measure.split(",")[0], row.figure): row for row in exported.rows}
    of_run = next(run for run in verdict.ticket_runs if run.seed == result.best.seed)
    assert rows["accuracy", "clean"].network == of_run.standard
    assert rows["PGD-3 in L-inf 0.1", "robust"].network == of_run.robust
    assert rows["Square", "robust"].network == of_run.measures["Square, 20 queries, in L-inf 0.1"]["robust"]
    # One image in 45 may fall on the other side of a tie.
    assert all(abs(row.file - row.network) <= 1 / 45 + 1e-9 for row in exported.rows if row.measure != "calibration")
    (table,) = verdict_sections(verdict)[-1].tables
    assert table.title == f"model.onnx and its network, seed {result.best.seed}"
    told = {(row[0], row[1]): row[2:] for row in table.rows}
    file = rows["accuracy", "clean"]
    assert told["accuracy", "clean (%)"][:2] == (f"{100 * file.network:.2f}", f"{100 * file.file:.2f}")
    accuracies = [row for row in table.rows if not str(row[0]).startswith("calibration")]
    assert all(str(row[1]).endswith(" (%)") for row in accuracies), "accuracies are in per cent, all of them"
    assert len(table.rows) == 10
    curve = [str(row[1]) for row in accuracies if str(row[0]).startswith("PGD-2")]
    assert curve == ["clean (%)", "L-inf 0.1 (%)"], "the balls of a curve are called as in the table of the verdict"


def test_square_is_added_where_only_a_crafted_attack_is_asked(result: rt.Transfer, file: Path) -> None:
    exported = rt.verify(result, exported=file, robustness={"threat": {**BALL, "epsilon": 0.41}, "limit": 3}).exported
    assert exported is not None
    assert [(row.measure, row.figure) for row in exported.rows] == [
        ("accuracy", "clean"),
        ("PGD-3 in L-inf 0.41, crafted on the torch network and replayed, at most 3 images", "robust"),
        ("Square, 1000 queries, in L-inf 0.41, on the file itself, at most 3 images", "clean"),
        ("Square, 1000 queries, in L-inf 0.41, on the file itself, at most 3 images", "robust"),
    ]
    assert exported.rows[3].file < exported.rows[2].file
    plain = rt.verify(result, exported=file).exported
    assert plain is not None
    assert [row.measure for row in plain.rows] == ["accuracy"]


def test_square_searches_on_the_file_and_asks_its_network_nothing(file: Path) -> None:
    attack = {"kind": "square", "queries": 100}
    evaluation = Evaluation.model_validate({"attack": attack, "threat": {"epsilon": 0.4}})

    def network(points: torch.Tensor) -> torch.Tensor:
        raise AssertionError("the network was asked")

    batches = [(PARTS["test"].images, PARTS["test"].labels)]
    found = evaluate(load_artefact(file).predict, batches, evaluation, 0, craft_on=network)
    assert 0 <= found.robust.sum() < found.clean.sum()


def test_a_file_is_measured_once(result: rt.Transfer, file: Path, verdict: rt.Verdict, place: Path) -> None:
    written = times(place)
    assert rt.verify(result, exported=file, **ASKED) == verdict
    assert times(place) == written


def test_dense_is_exported_and_verified_too(place: Path, result: rt.Transfer) -> None:
    dense = rt.load_transfer(place / "runs" / "dense", source=result.source, data=PARTS)
    export_onnx(dense.best.network, place / "dense.onnx", provenance=provenance_of(dense, dense.best))
    exported = rt.verify(dense, exported=place / "dense.onnx").exported
    assert exported is not None
    assert exported.provenance.ticket is None
    with pytest.raises(rt.UserError, match=r"dense\.onnx: was made from another transfer"):
        rt.verify(result, exported=place / "dense.onnx")


def test_foreign_and_broken_files_are_refused_in_one_line(result: rt.Transfer, file: Path, tmp_path: Path) -> None:
    def complaint(path: Path) -> str:
        with pytest.raises(rt.UserError) as refused:
            rt.verify(result, exported=path)
        assert "\n" not in str(refused.value)
        return str(refused.value)

    assert complaint(tmp_path / "gone.onnx").endswith("gone.onnx: no such file")
    (tmp_path / "text.onnx").write_text("not a network")
    assert "text.onnx: is not an ONNX file that ONNX Runtime can run" in complaint(tmp_path / "text.onnx")
    (tmp_path / "cut.onnx").write_bytes(file.read_bytes()[:-500])
    assert "cut.onnx: is not an ONNX file that ONNX Runtime can run" in complaint(tmp_path / "cut.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    assert "empty.onnx: is not an ONNX file" in complaint(tmp_path / "empty.onnx")
    export_onnx(result.best.network, tmp_path / "nobody.onnx")
    assert "nobody.onnx: does not say which run it was made from" in complaint(tmp_path / "nobody.onnx")
    other = onnx.load(file)
    for node in other.graph.node:
        node.input[:] = ["pixels" if name == "images" else name for name in node.input]
    other.graph.input[0].name = "pixels"
    onnx.save(other, tmp_path / "other.onnx")
    assert "takes pixels and gives logits" in complaint(tmp_path / "other.onnx")
    foreign = provenance_of(result, result.best).model_copy(update={"network": "sha256:0123456789abcdef"})
    export_onnx(result.best.network, tmp_path / "elsewhere.onnx", provenance=foreign)
    seed = result.best.seed
    assert f"another transfer (seed {seed}, network sha256:0123456789ab" in complaint(tmp_path / "elsewhere.onnx")
