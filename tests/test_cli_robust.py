"""Sources by recipe, and the double-win search, as users call them."""

import json
import os
from pathlib import Path

import pytest

from robust_tickets.recipe import load_recipe
from tests.commands import Tickets

KINDS = {
    "natural": "standard",
    "fgsm-rs": "FGSM-RS in L-inf 8/255",
    "free": "free-8 in L-inf 8/255",
    "pgd-linf": "PGD-7 in L-inf 8/255",
    "pgd-l2": "PGD-7 in L2 0.5",
    "smoothing": "Gaussian noise 0.25",
}
SMALL = "--source demo/resnet4 --set source.in_channels=1 --data digits --set data.per_class=6 --set data.validation=0"


@pytest.fixture
def tickets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tickets:
    monkeypatch.chdir(tmp_path)
    return Tickets(capsys, monkeypatch)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_source_is_a_recipe_away(tickets: Tickets, kind: str) -> None:
    line = f"pretrain --recipe sources:{kind} {SMALL} --set epochs=1 --set batch_size=30 --set warmup=0 --out {kind}"
    made = tickets(line)
    assert made.code == 0, made.err
    assert f"pretrained on digits, {KINDS[kind]}, seed 0" in made.out
    claim = json.loads((Path(kind) / "settings.json").read_text())
    own = load_recipe("sources").sources[kind].pretrain
    assert own is not None
    assert claim["training"]["objective"] == own.training.objective.model_dump(mode="json")
    row = json.loads((Path(kind) / "metrics.jsonl").read_text().splitlines()[-1])
    assert ("catastrophic_overfitting" in row) == (kind in {"fgsm-rs", "free"})
    before = os.stat(f"{kind}/weights.safetensors").st_mtime_ns
    assert tickets(line).out == made.out
    assert os.stat(f"{kind}/weights.safetensors").st_mtime_ns == before


def test_the_recipe_of_sources_has_every_kind() -> None:
    assert list(load_recipe("sources").sources) == list(KINDS)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            "--recipe sources:pgd",
            "sources:pgd: name a source that a recipe pretrains, as RECIPE:SOURCE; known: sources:nat",
        ),
        ("--recipe sources", "known: sources:natural, sources:fgsm-rs"),
        ("--recipe omp:natural", "known: none"),
        ("--recipe nothing:natural", "nothing: no such recipe"),
        ("--source demo/resnet4", "give --source and --data, or --recipe RECIPE:SOURCE"),
        ("--recipe sources:free --weights random", "belong to --source"),
    ],
)
def test_a_source_that_no_recipe_makes_is_one_line(tickets: Tickets, line: str, complaint: str) -> None:
    assert complaint in tickets(f"pretrain {line} --out made").complaint
    assert not Path("made").exists()


SEARCH = (
    "find --criterion double-win --source demo/resnet4 --weights random --set source.in_channels=1 --data digits "
    "--set data.fraction=0.1 --set data.validation=0.3 --set find.sparsities=[0.5] --set transfer.training.epochs=1 "
    "--set transfer.seeds=[0,1] --set verify.robustness.threat.epsilon=0.05 --set verify.robustness.threat.steps=2 "
    "--set adversarial.training.objective.threat.steps=2 --out found"
)


def test_the_double_win_search_from_the_command_line(tickets: Tickets) -> None:
    found = tickets(SEARCH)
    assert found.code == 0, found.err
    assert "validation: demo/resnet4 at 50" in found.out
    assert "under PGD-2 in L-inf 0.05" in found.out
    assert "SA(standard)" in found.out
    record = json.loads(Path("found/found.json").read_text())
    assert record["criterion"] == "double-win"
    (verdict,) = record["validation"]
    if verdict["adversarial"] is not None:
        claim = json.loads(Path("found/adversarial/dense/seed-0/settings.json").read_text())
        threat = claim["settings"]["training"]["objective"]["threat"]
        assert (threat["epsilon"], threat["steps"]) == (0.05, 2)
    assert tickets(SEARCH).out == found.out


def test_adversarial_settings_without_the_criterion_are_one_line(tickets: Tickets) -> None:
    complaint = tickets(SEARCH.replace("--criterion double-win", "")).complaint
    assert "adversarial settings apply only to criterion: double-win" in complaint
