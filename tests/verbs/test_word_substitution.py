"""Word substitution on runs: measured once, on exported files too, and refused where it has no meaning."""

from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch

import robust_tickets as rt
from robust_tickets.findings.verdicts import verdict_sections
from robust_tickets.measures.word_substitution import WordSubstitution
from robust_tickets.tokens.tales import BAD, GOOD
from tests.language import altered, core_tokenizer, language_folder
from tests.told import judged, scored, written
from tests.verbs.small import QUICK, small_source

TRAINING = {
    "epochs": 10,
    "batch_size": 16,
    "precision": "fp32",
    "optimiser": {"kind": "adamw", "lr": 0.002},
    "warmup": 0,
    "keep": "last",
}
ASKED: dict[str, Any] = {"kind": "word-substitution", "synonyms": "tales", "share": 0.3}
NAME = "word substitution, at most 30 % of words, tales"


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return rt.load_source("tiny/bert", weights="random", vocabulary_size=600)


@pytest.fixture(scope="module")
def result(source: rt.Source, tmp_path_factory: pytest.TempPathFactory) -> rt.Transfer:
    folder = tmp_path_factory.mktemp("runs")
    return rt.transfer(source, judged(folder), training=TRAINING, seeds=(0,), folder=folder / "runs")


def figures(verdict: rt.Verdict) -> dict[str, float]:
    return verdict.dense_runs[0].measures[NAME]


def test_it_is_measured_on_the_test_texts_and_told_in_the_report(result: rt.Transfer) -> None:
    verdict = rt.verify(result, measures=[ASKED])
    assert verdict.dense_runs[0].standard > 0.9
    found = figures(verdict)
    assert found["substitution/clean"] == pytest.approx(verdict.dense_runs[0].standard)
    assert found["substitution/robust"] < found["substitution/clean"]
    right, left = found["substitution/clean"], found["substitution/robust"]
    assert found["substitution/success"] == pytest.approx(1 - left / right)
    assert found["substitution/queries"] > 2
    assert 0 < found["substitution/changed"] <= 0.3
    section = next(section for section in verdict_sections(verdict) if section.title == WordSubstitution.title)
    assert "on at most 200 texts." in section.text
    assert section.tables[0].columns == (
        "clean (%)",
        "robust (%)",
        "attack success (%)",
        "queries per text",
        "words changed (%)",
    )


def test_figures_are_taken_again_when_the_file_of_synonyms_changes(result: rt.Transfer, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.txt"
    asked = {**ASKED, "synonyms": str(pairs)}

    def robust() -> float:
        (found,) = rt.verify(result, measures=[asked]).dense_runs[0].measures.values()
        return found["substitution/robust"]

    pairs.write_text("absent missing\n")
    clean = figures(rt.verify(result, measures=[ASKED]))["substitution/clean"]
    assert robust() == clean
    pairs.write_text("\n".join(f"{one} {other}" for one in GOOD for other in BAD))
    assert robust() < clean


def test_an_exported_file_is_attacked_itself(result: rt.Transfer, tmp_path: Path) -> None:
    rt.shrink(result, tmp_path / "model.onnx", rounds=3)
    exported = rt.verify(result, exported=tmp_path / "model.onnx", measures=[ASKED]).exported
    assert exported is not None
    rows = [row for row in exported.rows if row.figure.startswith("substitution/")]
    assert [row.measure for row in rows] == [f"{NAME}, on the file itself, at most 200 texts"] * 5
    for row in rows:
        assert row.file == pytest.approx(row.network, rel=0.05), row.figure


def test_images_and_texts_without_classes_are_refused_in_one_line(source: rt.Source, tmp_path: Path) -> None:
    images = rt.transfer(small_source(), rt.DataSettings(name="digits", channels=3, per_class=4), **QUICK)
    numbers = rt.transfer(source, scored(tmp_path), training={**TRAINING, "epochs": 0.2}, seeds=(0,))
    for runs, said in (
        (images, f"digits: contains images, but {NAME} is for texts"),
        (numbers, rf"scored: .*, but measures need one label per text \({NAME}\); leave them out"),
    ):
        with pytest.raises(rt.UserError, match=said) as caught:
            rt.verify(runs, measures=[ASKED])
        assert "\n" not in str(caught.value)


def test_a_missing_file_of_synonyms_is_noticed_before_anything_is_measured(result: rt.Transfer) -> None:
    with pytest.raises(rt.UserError, match=r"data/absent\.txt: no such file; synonyms come from a file of two words"):
        rt.verify(result, measures=[{**ASKED, "synonyms": "data/absent.txt"}])


NEAR = {"dog": ("a", "b"), "cat": ("fast", "slowly"), "red": ("in", "on"), "blue": ("and", "sleeps")}
"""Words that tell the class, and words that no training text has, which are put near them."""


def spread(state: dict[str, torch.Tensor]) -> None:
    """Give each synonym the embedding of its word and a random step of length 0.8 (dog and cat are 0.7 apart)."""
    rows = state["bert.embeddings.word_embeddings.weight"]
    chance, core = torch.Generator().manual_seed(0), core_tokenizer()
    for word, others in NEAR.items():
        for other in others:
            step = torch.randn(rows.shape[1], generator=chance)
            rows[core.token_to_id(other)] = rows[core.token_to_id(word)] + 0.8 * step / step.norm()


@pytest.mark.slow
def test_networks_trained_under_attacks_on_embeddings_withstand_more_substitutions(tmp_path: Path) -> None:
    """Of synonyms that lie near their words, on the mean of six seeds; single networks differ either way."""
    altered(language_folder(tmp_path / "bert"), spread)
    (tmp_path / "pairs.txt").write_text("\n".join(f"{word} {other}" for word in NEAR for other in NEAR[word]))
    animals, colours = ("cat", "dog"), ("blue", "red")
    rows = [
        # Colours are wrong in a fifth of the texts.
        {"text": f"the house . the {colours[(n + (n % 10 < 2)) % 2]} {animals[n % 2]} runs .", "label": n % 2}
        for n in range(200)
    ]
    data, source = written(tmp_path / "animals.jsonl", rows), rt.load_source(str(tmp_path / "bert"))
    asked = {**ASKED, "synonyms": str(tmp_path / "pairs.txt"), "share": 0.4}
    pgd = {"kind": "pgd", "threat": {"norm": "l2", "epsilon": 0.2, "steps": 3}}

    def robust(objective: Any) -> float:
        training = {**TRAINING, "epochs": 12, "optimiser": {"kind": "adamw", "lr": 0.003}, "objective": objective}
        verdict = rt.verify(rt.transfer(source, data, training=training, seeds=range(6)), measures=[asked])
        assert all(run.standard == 1 for run in verdict.dense_runs)
        return fmean(found["substitution/robust"] for run in verdict.dense_runs for found in run.measures.values())

    natural = robust("standard")
    assert natural < 0.9, "the attack finds something"
    assert robust(pgd) > natural
