"""docs/training_loop.md does what it says."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

import robust_tickets as rt

PAGE = Path(__file__).parents[2] / "docs" / "training_loop.md"
BLOCK = re.compile(r"```python ?(\w*)\n(.*?)```", re.DOTALL)


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*isinstance.treespec.*")
def test_the_page_runs(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    kinds = []
    for kind, code in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if not kind or importlib.util.find_spec(kind) is not None:
            exec(compile(code, str(PAGE), "exec"), names)
            kinds.append(kind)
    assert kinds[:2] == ["", ""]
    assert "Cannot tell from one seed: " in capsys.readouterr().out
    assert rt.load_runtime(tmp_path / "digits.rtk", tune=False).classes == tuple("0123456789")
    networks = {"lightning": "module", "transformers": "model"}
    for trained in (names[networks[kind]] for kind in kinds if kind):
        weights = dict(trained.network.body.named_parameters())
        assert all(not weights[name][~mask].any() for name, mask in names["ticket"].masks.items())
