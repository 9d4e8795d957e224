"""What a run on texts tells its reader: of texts, never of images."""

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import robust_tickets as rt
from robust_tickets.data.batches import batches
from robust_tickets.findings.analyses import analysis_sections
from robust_tickets.findings.baselines import Baseline, baseline_sections
from robust_tickets.findings.gains import Gain, Gains, gain_sections
from robust_tickets.findings.verdicts import evaluated_sections, verdict_sections
from robust_tickets.foundation.unit import PERCENT
from robust_tickets.measures.kinds import AnyMeasure
from robust_tickets.report.cells import shrink_cells
from robust_tickets.report.sections import Section
from robust_tickets.report.summary import ShrinkRow
from robust_tickets.tasks.target import fitted_data
from robust_tickets.training import progress
from robust_tickets.verbs.gap import pooled_features
from robust_tickets.verbs.measure import in_order
from tests.told import judged, scored, written

TRAINING: dict[str, Any] = {
    "epochs": 1,
    "batch_size": 16,
    "precision": "fp32",
    "optimiser": {"kind": "adamw", "lr": 0.002},
    "warmup": 0,
    "keep": "last",
}


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return rt.load_source("tiny/bert", weights="random", vocabulary_size=600)


@pytest.fixture(scope="module")
def result(source: rt.Source, tmp_path_factory: pytest.TempPathFactory) -> rt.Transfer:
    folder = tmp_path_factory.mktemp("runs")
    settings = rt.TransferSettings.model_validate({"training": TRAINING, "seeds": (0, 1)})
    return rt.transfer(rt.draw(source, sparsity=0.3), judged(folder), settings=settings, folder=folder / "runs")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Yield what returns the log, with a line of progress for every step."""
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level(logging.INFO):
        yield lambda: "\n".join(caplog.messages)


def measures(tmp_path: Path) -> tuple[AnyMeasure, ...]:
    others = shutil.copy(judged(tmp_path / "x", count=40).name, tmp_path / "others.jsonl")
    asked = [{"kind": "out-of-distribution", "limit": 10, "data": str(others)}, {"kind": "calibration"}]
    return rt.VerifySettings.model_validate({"measures": asked}).measures


def everything(sections: list[Section]) -> str:
    return "\n".join(section.model_dump_json() for section in sections)


def test_lines_of_progress_count_texts(source: rt.Source, tmp_path: Path, lines: Callable[[], str]) -> None:
    result = rt.transfer(source, judged(tmp_path), training=TRAINING, seeds=(0,))
    rt.verify(result)
    assert "dense on judged, seed 0: step" in lines()
    assert "judged, seed 0, accuracy: batch 1/1" in lines()
    assert "texts/s" in lines()
    assert "image" not in lines()


def test_a_measurement_counts_texts_and_not_what_goes_in_by_name(
    result: rt.Transfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rt.verify(result)  # dense is trained for it
    counted: list[int] = []
    advance = progress._Lines.advance

    def counting(self: Any, examples: int, note: str) -> None:
        counted.append(examples)
        advance(self, examples, note)

    monkeypatch.setattr(progress._Lines, "advance", counting)
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    rt.verify(result, part="validation")
    assert sum(counted) == 2 * sum(len(run.data.validation) for run in result.runs), "of the ticket and of dense"


def test_a_verdict_its_caveats_and_its_measures(result: rt.Transfer, tmp_path: Path) -> None:
    verdict = rt.verify(result, measures=measures(tmp_path), margin=0.001)
    warnings = " ".join(verdict.warnings())
    assert "Only 48 test texts: accuracy moves" in warnings
    told = everything(verdict_sections(verdict))
    assert "out of distribution against" in told
    assert "on at most 10 texts." in told
    assert "image" not in verdict.sentence() + warnings + told
    assert rt.Verdict.model_validate(verdict.model_dump(mode="json")) == verdict


def test_one_seed_rests_on_its_texts(source: rt.Source, tmp_path: Path) -> None:
    data = judged(tmp_path)
    sentence = rt.verify(rt.transfer(rt.draw(source, sparsity=0.3), data, training=TRAINING, seeds=(0,))).sentence()
    assert "over these test texts, which says nothing about other seeds" in sentence


def test_an_evaluation(result: rt.Transfer, tmp_path: Path) -> None:
    found = rt.evaluate(result, measures=measures(tmp_path))
    assert "on judged, 48 test texts, without training:" in found.sentence()
    assert "image" not in everything(evaluated_sections(found))


def test_analyses(result: rt.Transfer, lines: Callable[[], str]) -> None:
    looked: dict[str, Any] = {"landscape": {"points": 3}, "interpolation": {"points": 3}}
    told = everything(analysis_sections(rt.analyse(transfers={"ticket": result}, images=8, **looked)))
    assert "on at most 8 test texts, balanced over classes" in told.replace("On", "on")
    assert "All-zero kernels by layer" not in told, "linear layers have none"
    assert "passes over 8 texts" in lines()
    assert "image" not in told + lines()


def test_a_gap_between_texts_and_the_gains_beside_it(source: rt.Source, tmp_path: Path) -> None:
    one, other = judged(tmp_path / "one"), judged(tmp_path / "other", known=2)
    gap = rt.gap(source, one, other)
    assert gap.distance > 0
    assert gap.distance == pytest.approx(rt.gap(source, other, one).distance)
    assert rt.gap(source, one, one).distance == pytest.approx(0, abs=1e-6)
    assert "source and 172 target texts." in gap.sentence()
    gain = Gain("data", "full", "draw", 0.5, 0.5, True, "second", (0.1,), "accuracy", PERCENT, True)
    gains = Gains("first", ("second",), (gain,), {"data": "judged"}, {"data": gap}, 2000)
    told = everything(gain_sections(gains))
    assert "texts of source and target" in told
    assert "image" not in told


def test_a_gap_takes_no_notice_of_padding(source: rt.Source, tmp_path: Path) -> None:
    data = rt.DataSettings.model_validate({"name": "tales", "tales": {"count": 24}})
    network = rt.pretrain(source, data, epochs=1, batch_size=16).network
    rows = [{"text": "the boat " * (1 + number % 5), "label": number % 2} for number in range(40)]
    splits = fitted_data(written(tmp_path / "boats.jsonl", rows), network.interface, "tiny/bert", 0)
    assert splits.test.lengths is not None
    assert len(splits.test.lengths.unique()) > 1
    together = pooled_features(network, in_order(splits.test, None))
    one_by_one = pooled_features(network, batches(splits.test, batch_size=1, seed=0, train=False))
    assert together.shape == (len(splits.test), 128)
    assert torch.allclose(together, one_by_one, atol=1e-5)


def test_the_source_before_training_and_the_difference_of_a_file() -> None:
    before = Baseline("source", "judged", 0.5, None, 0.9, "full", PERCENT, "texts")
    assert "on the same test texts without any training" in everything(baseline_sections([before]))
    sizes = {"parameters": 10, "nonzero": 5, "bytes": 100, "max_difference": 1e-6}
    row = ShrinkRow.model_validate({"name": "channels removed", "sparsity": 0.5, "noun": "texts", **sizes})
    assert shrink_cells([row]).caption.endswith("on the same texts.")


REFUSED: dict[str, tuple[Callable[[rt.Source, rt.DataSettings], Any], str]] = {
    "label": (
        lambda source, data: rt.transfer(source, data, task="regression"),
        "judged labels whole texts; leave it out, or give a number",
    ),
    "task": (
        lambda source, data: rt.transfer(source, scored(Path(data.name).parent), task="classification"),
        "or give one label per text",
    ),
    "measure": (
        lambda source, data: rt.verify(
            rt.transfer(source, scored(Path(data.name).parent), training=TRAINING, seeds=(0,)),
            measures=[{"kind": "calibration"}],
        ),
        "but measures need one label per text",
    ),
    "analysis": (
        lambda source, data: rt.analyse(
            transfers={"t": rt.transfer(source, scored(Path(data.name).parent), training=TRAINING, seeds=(0,))}
        ),
        "analyse computes losses of whole texts",
    ),
    "validation": (
        lambda source, data: rt.find(source, data.model_copy(update={"validation": 0.0})),
        "find selects on validation texts and there are none",
    ),
    "ignored values": (
        lambda source, data: rt.transfer(source, data.model_copy(update={"ignore": (3,)})),
        "labels whole texts; `ignore` is for values of label images",
    ),
    "augmentation of texts with numbers": (
        lambda source, data: rt.transfer(
            source,
            rt.DataSettings.model_validate(
                {"name": scored(Path(data.name).parent).name, "augmentation": {"kind": "flip-crop"}}
            ),
        ),
        "contains texts; `augmentation` is for images",
    ),
    "other data that are images": (
        lambda source, data: rt.evaluate(
            rt.transfer(source, data, training=TRAINING, seeds=(0,)),
            measures=rt.VerifySettings.model_validate({"measures": [{"kind": "out-of-distribution"}]}).measures,
        ),
        "out of distribution against glyphs: glyphs contains images, but judged texts",
    ),
    "no data": (lambda source, data: rt.evaluate(rt.pretrain(source, data, epochs=1)), "data='path/to/texts'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str, source: rt.Source, tmp_path: Path) -> None:
    does, says = REFUSED[case]
    with pytest.raises(rt.UserError) as raised:
        does(source, judged(tmp_path))
    assert says in str(raised.value)
