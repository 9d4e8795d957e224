"""What `verify` says of an attack that saw no gradient and of small test sets; what it refuses before it trains."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import robust_tickets as rt
from robust_tickets.findings.verdicts import verdict_sections
from robust_tickets.measures.corruption_files import CorruptionFiles
from robust_tickets.measures.out_of_distribution import OutOfDistribution
from robust_tickets.report.caveats import warnings
from robust_tickets.report.html import to_html
from robust_tickets.report.markdown import to_markdown
from robust_tickets.report.summary import Summary, VerdictRow
from robust_tickets.training import progress
from tests.verbs.small import PARTS, THOROUGH, Bright, SmallNet, small_source

LINEAR = {"training": THOROUGH, "seeds": (0, 1)}
ATTACK = {"threat": {"epsilon": 0.25, "steps": 5}, "limit": 30}


class Blunt(SmallNet):
    """A network that rounds its inputs: no attack sees a gradient."""

    def forward(self, images: Tensor) -> Tensor:
        # The straight-through estimator would let the training through; evaluation has the round alone.
        rounded = (2 * images).round() / 2
        return super().forward(images + (rounded - images).detach() if self.training else rounded)


def source_of(network: nn.Module) -> rt.Source:
    preprocessing = rt.Pixels(mean=(0.5,) * 3, std=(0.25,) * 3, size=(8, 8))
    return rt.load_source(network, preprocessing=preprocessing)


@pytest.fixture(scope="module")
def blunt(tmp_path_factory: pytest.TempPathFactory) -> rt.Transfer:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("blunt")
    return rt.transfer(rt.draw(source_of(Blunt()), sparsity=0.3), PARTS, folder=folder, **LINEAR)


def test_the_sentence_says_that_there_was_no_gradient(blunt: rt.Transfer) -> None:
    verdict = rt.verify(blunt, robustness=ATTACK)
    assert {caveat.kind for caveat in verdict.caveats if caveat.measure == "robust"} >= {"no-gradient"}
    assert "no evidence of robustness" in verdict.sentence()
    for run in (*verdict.ticket_runs, *verdict.dense_runs):
        assert run.gradients is not None
        assert run.gradients.vanished == 1
        assert run.gradients.probed == run.gradients.attacked
    values = json.loads(verdict.model_dump_json())
    assert values["ticket_runs"][0]["gradients"]["blind"] == values["ticket_runs"][0]["gradients"]["attacked"]
    # Kept with the runs: asked a second time, it is the same.
    assert rt.verify(blunt, robustness=ATTACK) == verdict


def test_an_attack_measured_before_gradients_were_counted_is_measured_again(blunt: rt.Transfer) -> None:
    verdict = rt.verify(blunt, robustness=ATTACK)
    assert blunt.runs[0].folder is not None
    (path,) = [one / "result.json" for one in blunt.runs[0].folder.glob("test-pgd-*")]
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({"correct": kept["correct"].replace("f", "0")}))
    assert rt.verify(blunt, robustness=ATTACK) == verdict
    assert json.loads(path.read_text()) == kept


def test_a_section_tells_it_of_further_attacks(blunt: rt.Transfer) -> None:
    verdict = rt.verify(blunt, measures=[{"kind": "robustness", "attack": {"kind": "apgd", "steps": 3}, **ATTACK}])
    (section,) = verdict_sections(verdict)
    assert "the gradient vanished on up to 100 % of the attacked images" in section.text
    assert not any("gradient/" in column for table in section.tables for column in table.columns)


def test_a_stronger_attack_among_the_measures_is_told() -> None:
    torch.manual_seed(0)
    result = rt.transfer(small_source(), PARTS, training=THOROUGH, seeds=(0, 1))
    weak = {"threat": {"epsilon": 0.3, "steps": 1, "step_size": 0.001, "random_start": False}}
    strong = {"kind": "robustness", "attack": {"kind": "apgd", "steps": 10}, "threat": {"epsilon": 0.3}, "limit": 30}
    verdict = rt.verify(result, robustness=weak, measures=[strong])
    assert "Attacks disagree on the dense network: PGD-1 in L-inf 0.3 leaves" in verdict.sentence()
    assert "Attacks disagree" not in rt.verify(result, robustness={**strong, "kind": "robustness"}).sentence()


def test_small_test_sets_are_warned_of(blunt: rt.Transfer) -> None:
    verdict = rt.verify(blunt, robustness=ATTACK)
    texts = verdict.warnings()
    assert any(text.startswith("Only 45 test images: accuracy moves") for text in texts)
    assert any(text.startswith("Only 30 test images: accuracy under attack moves") for text in texts)
    assert any(text.startswith("Two seeds say little") for text in texts)
    assert len(texts) == len(set(texts))
    assert not any(text in verdict.sentence() for text in texts)


def test_a_network_that_knows_one_answer_is_told(tmp_path: Path) -> None:
    class Untrained(Bright):
        def __getitem__(self, index: int) -> tuple[Tensor, int]:
            return torch.full((3, 8, 8), 0.5), int(self.labels[index])

    parts = {name: Untrained(60 if name == "train" else 45) for name in ("train", "validation", "test")}
    training = {"epochs": 1, "batch_size": 20, "optimiser": {"lr": 0.01}}
    result = rt.transfer(rt.draw(small_source(), sparsity=0.3), parts, training=training, seeds=(0, 1, 2))
    (caveat,) = [one for one in rt.verify(result).caveats if one.kind == "majority-class"]
    assert "33.3 % against 33.3 % of the test images" in caveat.text


def test_dense_beside_itself_has_no_caveats() -> None:
    result = rt.transfer(small_source(), PARTS, training={"epochs": 1, "batch_size": 20}, seeds=(0, 1))
    assert rt.verify(result).caveats == ()


def row(caveats: tuple[str, ...], sparsity: float) -> VerdictRow:
    values = {"series": "robust", "target": "digits", "sparsity": sparsity, "transfer": "full", "verdict": "matches"}
    return VerdictRow.model_validate({**values, "difference": 0, "seeds": 2, "margin": 0.01, "caveats": caveats})


def test_every_form_of_a_report_warns() -> None:
    summary = Summary(title="run", verdicts=[row(("Few images.", "No <gradient>."), 0.5), row(("Few images.",), 0.9)])
    assert warnings(summary) == ["Few images.", "digits, full transfer, robust at 50 %: No <gradient>."]
    assert "> Warning: Few images." in to_markdown(summary)
    assert "<li>Warning: Few images.</li>" in to_html(summary)
    assert "No &lt;gradient&gt;." in to_html(summary)
    assert Summary.model_validate_json(summary.model_dump_json()) == summary


def files_like_cifar(folder: Path, size: int, labels: int) -> Path:
    folder.mkdir()
    np.save(folder / "fog.npy", np.zeros((10, size, size, 3), dtype=np.uint8))
    np.save(folder / "labels.npy", np.full(10, labels))
    return folder


def test_what_does_not_fit_is_refused_before_anything_trains(tmp_path: Path) -> None:
    large, strange = files_like_cifar(tmp_path / "large", 32, 0), files_like_cifar(tmp_path / "strange", 8, 7)
    cases = [
        (CorruptionFiles(folder=str(large), names=("fog",)), "images are 32 x 32 with 3 channels"),
        (CorruptionFiles(folder=str(strange), names=("fog",)), "contains class 7, but the network has 3 classes"),
        (CorruptionFiles(folder=str(tmp_path / "absent")), "no such file"),
        (OutOfDistribution.model_validate({"data": {"name": "glyphs", "channels": 1}}), "the network takes 3"),
        (OutOfDistribution.model_validate({"data": str(tmp_path / "absent")}), "absent"),
    ]
    ticket = rt.draw(small_source(), sparsity=0.3)
    result = rt.transfer(ticket, PARTS, training={"epochs": 1, "batch_size": 20}, seeds=(0,), folder=tmp_path / "runs")
    for measure, words in cases:
        settings = rt.VerifySettings(measures=(measure,))
        with pytest.raises(rt.UserError, match=words):
            rt.verify(result, settings=settings)
        with pytest.raises(rt.UserError, match=words):
            rt.find(small_source(), PARTS, verify_settings=settings, folder=tmp_path / "found")
    # Neither dense nor a ticket was trained for it.
    assert not (tmp_path / "runs" / "dense").exists()
    assert not (tmp_path / "found").exists()


def test_a_long_attack_says_how_far_it_is(
    blunt: rt.Transfer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setattr("robust_tickets.verbs.pace.SECONDS", 0.0)
    square = {"kind": "robustness", "attack": {"kind": "square", "queries": 7}, "threat": {"epsilon": 0.01}}
    with caplog.at_level(logging.INFO, logger="robust_tickets"):
        rt.verify(blunt, measures=[square])
    assert "seed 0, Square, 7 queries, in L-inf 0.01: batch 1/1, pass 5" in caplog.text
