"""Further measures: taken once on test, told ticket against dense, and added later without training again."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import robust_tickets as rt
from robust_tickets.findings.measures import LINES, Subject, few, measure_sections
from robust_tickets.findings.verdicts import verdict_sections
from robust_tickets.measures.evaluation import Evaluation
from robust_tickets.measures.measure import by_name
from robust_tickets.measures.robustness_curve import RobustnessCurve
from tests.verbs.small import PARTS, QUICK, small_source, times

CURVE = {"kind": "robustness-curve", "epsilons": [0, "8/255", 0.1, 0.3], "steps": 3}
APGD = {"kind": "robustness", "attack": {"kind": "apgd", "steps": 3}, "threat": {"epsilon": 0.1}, "limit": 30}
SQUARE = {"kind": "robustness", "attack": {"kind": "square", "queries": 10}, "threat": {"epsilon": 0.1}, "limit": 30}
MEASURES = [CURVE, APGD, SQUARE, "calibration"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("measures")


@pytest.fixture(scope="module")
def result(place: Path) -> rt.Transfer:
    return rt.transfer(rt.draw(small_source(), sparsity=0.6), PARTS, folder=place / "runs", **QUICK)


@pytest.fixture(scope="module")
def verdict(result: rt.Transfer) -> rt.Verdict:
    rt.verify(result)
    return rt.verify(result, measures=MEASURES)


def test_every_run_has_every_figure_by_name(verdict: rt.Verdict) -> None:
    for run in (*verdict.ticket_runs, *verdict.dense_runs):
        names = list(run.measures)
        assert names == [
            "PGD-3 in L-inf 0.3 and 2 smaller",
            "APGD-CE, 3 steps, in L-inf 0.1",
            "Square, 10 queries, in L-inf 0.1",
            "calibration, 15 bins",
        ]
        figures = {name: value for name, value in run.measures[names[0]].items() if name != "gradient/vanished"}
        assert list(figures) == ["robust/linf/0", "robust/linf/0.0313725", "robust/linf/0.1", "robust/linf/0.3"]
        curve = list(figures.values())
        assert curve[0] == pytest.approx(run.standard)
        assert curve == sorted(curve, reverse=True)
        assert curve[-1] < curve[0]
        for name in names[1:3]:
            assert 0 <= run.measures[name]["robust"] <= run.measures[name]["clean"] <= 1
        assert {"ece", "nll"} <= run.measures[names[3]].keys()


def test_measures_decide_nothing_and_are_not_taken_for_selection(result: rt.Transfer, verdict: rt.Verdict) -> None:
    plain = rt.verify(result)
    assert plain.standard == verdict.standard
    assert plain.ticket_runs[0].measures == {}
    selecting = rt.verify(result, measures=MEASURES, part="validation")
    assert selecting.ticket_runs[0].measures == {}
    assert verdict_sections(selecting) == []


def test_a_measure_is_taken_once_and_adds_nothing_but_itself(result: rt.Transfer, verdict: rt.Verdict) -> None:
    written = times(result.folder)  # pyright: ignore
    assert rt.verify(result, measures=MEASURES) == verdict
    assert times(result.folder) == written  # pyright: ignore
    rt.verify(result, measures=[*MEASURES, {**CURVE, "steps": 1}])
    later = times(result.folder)  # pyright: ignore
    assert {name: when for name, when in later.items() if name in written} == written
    assert len(later) == len(written) + 4


def test_ticket_and_dense_are_told_side_by_side(verdict: rt.Verdict) -> None:
    sections = {section.title: section for section in verdict_sections(verdict)}
    assert list(sections) == ["Accuracy against epsilon", "Robust accuracy", "Calibration"]
    (table,) = sections["Accuracy against epsilon"].tables
    assert table.columns == ("ticket", "sparsity (%)", "clean (%)", "L-inf 8/255 (%)", "L-inf 0.1 (%)", "L-inf 0.3 (%)")
    assert [row[:2] for row in table.rows] == [("dense", "0"), ("ticket", "60.01")]
    assert all("±" in str(row[2]) for row in table.rows)
    (chart,) = sections["Accuracy against epsilon"].charts
    assert [line.name for line in chart.lines] == ["dense", "ticket"]
    assert chart.lines[0].x == pytest.approx((0, 8, 25.5, 76.5))
    assert chart.lines[1].y[0] == pytest.approx(100 * verdict.standard.ticket)
    (table,) = sections["Robust accuracy"].tables
    assert table.columns[2:] == (
        "clean, at most 30 images (%)",
        "APGD-CE, 3 steps, in L-inf 0.1 (%)",
        "Square, 10 queries, in L-inf 0.1 (%)",
    )
    assert sections["Calibration"].tables[0].columns[2:] == (
        "expected calibration error",
        "adaptive calibration error",
        "negative log-likelihood (nats)",
        "Brier score",
    )
    assert "Lower is better." in sections["Calibration"].text


def test_measures_added_to_a_finished_run_redo_nothing(tmp_path: Path) -> None:
    text = (
        "sources: {small: {source: {name: demo/resnet4, weights: random, num_classes: 10, in_channels: 1, "
        "preprocessing: {size: 8}}}}\n"
        "data: {name: digits, per_class: 3, validation: 0.2}\n"
        "draw: {sparsity: [0.5]}\n"
        "shrink: {rounds: 3}\n"
        "transfers: {full: {seeds: [0, 1], training: {epochs: 1, batch_size: 20}}}\n"
    )
    (tmp_path / "small.yaml").write_text(text)
    run = tmp_path / "run"
    first = rt.run(rt.load_recipe(tmp_path / "small.yaml"), run)
    before = times(run)
    measures = "verify.measures=[calibration, {kind: robustness-curve, epsilons: [0, 0.1], steps: 1, limit: 9}]"
    more = rt.run(rt.load_recipe(tmp_path / "small.yaml", [measures]), run)
    after = times(run)
    untouched = {name: when for name, when in before.items() if name != str(run / "result.json")}
    assert {name: when for name, when in after.items() if name in untouched} == untouched
    added = {Path(name).parent.name.rsplit("-", 1)[0] for name in after.keys() - before.keys()}
    kinds = {"calibration", "robustness-curve"}
    assert added == {"test-exported-clean"} | {f"test-{where}{kind}" for where in ("", "exported-") for kind in kinds}
    assert more.rows == first.rows
    sections = {section.title: section for section in more.sections}
    assert "Calibration" in sections
    (chart,) = sections["Accuracy against epsilon"].charts
    assert [line.name for line in chart.lines] == ["dense", "50 %"]
    (file,) = next(section for title, section in sections.items() if title.startswith("draw.onnx and")).tables
    assert [row[1] for row in file.rows[:3]] == [
        "clean (%)",
        "expected calibration error",
        "adaptive calibration error",
    ]
    assert all(row[2] == pytest.approx(row[3], abs=0.01) for row in file.rows[1:5])


def test_a_missing_extra_is_refused_before_anything_trains(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyautoattack", None)
    settings = rt.VerifySettings.model_validate({"measures": [{"kind": "robustness", "attack": "autoattack"}]})
    with pytest.raises(rt.UserError, match=r"\[robust\]"):
        rt.find(small_source(), PARTS, verify_settings=settings, folder=tmp_path / "found")
    assert not (tmp_path / "found").exists()


def test_measures_described_alike_are_numbered() -> None:
    one, other = Evaluation(limit=10), Evaluation(limit=20)
    assert by_name([one, other]) == {"PGD-20 in L-inf 8/255": one, "PGD-20 in L-inf 8/255 (2)": other}


def test_attacks_on_other_numbers_of_images_have_clean_figures_of_their_own() -> None:
    measures = [Evaluation(limit=10), Evaluation(limit=20)]
    clean = (0.9, 0.5)
    figures = {name: {"clean": value, "robust": 0.1} for name, value in zip(by_name(measures), clean, strict=True)}
    ((table,),) = [
        section.tables for section in measure_sections(measures, [Subject({}, [figures], "dense")], "images")
    ]
    assert dict(zip(table.columns, table.rows[0], strict=True)) == {
        "clean, at most 10 images (%)": "90.0",
        "PGD-20 in L-inf 8/255 (%)": "10.0",
        "clean, at most 20 images (%)": "50.0",
        "PGD-20 in L-inf 8/255 (2) (%)": "10.0",
    }


def test_a_chart_shows_as_many_lines_of_each_source() -> None:
    curve = RobustnessCurve(epsilons=(0, 0.1), steps=1)
    figures = [{curve.describe(): {"robust/linf/0": 0.9, "robust/linf/0.1": 0.5}}]
    subjects = [
        Subject({"source": source, "sparsity (%)": str(level)}, figures, f"{source}, {level}", "digits", source)
        for source in ("robust", "natural")
        for level in range(5)
    ]
    assert [one.name for one in few(subjects)] == [
        *("robust, 0", "robust, 2", "robust, 4", "natural, 0", "natural, 2", "natural, 4")
    ]
    (section,) = measure_sections([curve], subjects, "images")
    assert len(section.tables[0].rows) == 10
    assert len(section.charts[0].lines) == LINES
    assert section.charts[0].lines[0].y == (90, 50)
    assert section.charts[0].lines[0].std is None


def test_figures_of_files_that_were_replaced_are_not_taken_for_theirs(result: rt.Transfer, tmp_path: Path) -> None:
    images, labels = zip(*(result.runs[0].data.test[index] for index in range(10)), strict=True)
    pixels = (torch.stack(images).movedim(1, -1).squeeze(-1) * 255).to(torch.uint8).numpy()
    np.save(tmp_path / "labels.npy", np.tile(labels, 5))
    np.save(tmp_path / "fog.npy", np.tile(pixels, (5, *[1] * (pixels.ndim - 1))))
    asked = {"kind": "corruption-files", "folder": str(tmp_path), "names": ["fog"]}

    def measured() -> int:
        rt.verify(result, measures=[asked])
        assert result.runs[0].folder is not None
        return len(list(result.runs[0].folder.glob("test-corruption-files-*")))

    assert (measured(), measured()) == (1, 1)
    np.save(tmp_path / "fog.npy", np.zeros_like(np.load(tmp_path / "fog.npy")))
    assert measured() == 2
