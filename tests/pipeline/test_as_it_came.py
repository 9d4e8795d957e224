"""The baseline of a report: what a source whose head is kept does before any training."""

from pathlib import Path

import pytest

import robust_tickets as rt
from tests.commands import colours, contents


def test_a_source_whose_head_is_kept_is_told_as_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    colours(tmp_path / "images")
    network = rt.SourceSettings(name="cnn-a", weights="random", num_classes=3)
    source = rt.pretrain(network, "images", folder="net", epochs=3)
    values = {
        "sources": {"net": {"source": {"name": "net"}}},
        "data": {"name": "images"},
        "draw": {"sparsity": 0.5},
        "transfers": {"full": {"head": "keep", "training": {"epochs": 1}, "seeds": [0]}},
        "shrink": None,
    }
    recipe = rt.load_recipe("one-shot", values=values)
    summary = rt.run(recipe, "run")
    (section,) = [section for section in summary.sections if section.title == "Before training"]
    ((series, target, came, _, dense, transfer),) = section.tables[0].rows
    test = rt.load_transfer("run").runs[0].data
    assert came == f"{100 * rt.evaluate(source, test).runs[0].standard:.1f}"
    assert dense == f"{100 * summary.rows[0].standard_accuracy:.1f}"
    assert (series, target, transfer) == ("net", "images", "full")
    before = contents(tmp_path / "run" / "as_it_came")
    assert before
    rt.run(recipe, "run")
    assert contents(tmp_path / "run" / "as_it_came") == before, "it is measured once"

    fresh = values | {"transfers": {"full": {"training": {"epochs": 0}, "seeds": [0]}}}
    summary = rt.run(rt.load_recipe("one-shot", values=fresh), "other")
    assert "Before training" not in [section.title for section in summary.sections], "a new head has no such baseline"
