"""An edit of the user's own code is noticed under the same weights; comments and installed libraries are not code."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn
from torchvision import models

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.steps import Step
from robust_tickets.models.own_code import code_digest
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import load_source
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.draw import draw

NET = """
import torch
from torch import nn
from ownparts.blocks import Block

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()
        self.out = nn.Linear(4, 2)

    def forward(self, x):
        return self.out(self.block(x).mean((2, 3)))

def net():
    torch.manual_seed(0)
    made = Net()
    made.preprocessing = {"mean": [0.5] * 3, "std": [0.25] * 3, "size": 16}
    return made
"""
BLOCKS = """
from torch import nn
from . import activations

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return activations.rectify(self.conv(x))
"""
ACTIVATIONS = """
def rectify(x):
    return x.relu()
"""
FILES = {
    "ownnet.py": NET,
    "ownparts/__init__.py": "",
    "ownparts/blocks.py": BLOCKS,
    "ownparts/activations.py": ACTIVATIONS,
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # an edit within a second would not be seen
    for name, text in FILES.items():
        write(tmp_path / name, text)
    forget()
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def forget() -> None:
    """Be a new process, as far as these modules go."""
    for name in [name for name in sys.modules if name.startswith(("ownnet", "ownparts"))]:
        del sys.modules[name]
    importlib.invalidate_caches()


def digest_after(place: Path, file: str, text: str) -> str | None:
    write(place / file, text)
    forget()
    return load_source("ownnet:net").identity.code


def test_every_edit_that_can_change_the_function_is_noticed(place: Path) -> None:
    before = load_source("ownnet:net").identity
    assert before.code is not None
    edits = {
        "ownnet.py": NET.replace("mean((2, 3))", "amax((2, 3))"),
        "ownparts/blocks.py": BLOCKS.replace("rectify(self.conv(x))", "rectify(-self.conv(x))"),
        "ownparts/activations.py": ACTIVATIONS.replace("x.relu()", "x.tanh()"),
    }
    for file, text in edits.items():
        assert digest_after(place, file, text) != before.code, file
        assert digest_after(place, file, FILES[file]) == before.code


def test_comments_and_layout_do_not_count_and_indentation_does(place: Path) -> None:
    before = load_source("ownnet:net").identity.code
    assert (
        digest_after(place, "ownnet.py", NET.replace("class Net", "# mine\n\n\nclass Net").replace(", ", ",  "))
        == before
    )
    nested = ACTIVATIONS + "    return x\n"
    dedented = nested.replace("    return x\n", "    if x is None:\n        x = 1\n    return x\n")
    assert digest_after(place, "ownparts/activations.py", nested) != digest_after(
        place, "ownparts/activations.py", dedented
    )


def test_libraries_have_no_code_of_the_users() -> None:
    assert code_digest(models.resnet18()) is None
    assert load_source(SourceSettings(name="demo/resnet4", weights="random")).identity.code is None


def test_a_module_from_python_counts_the_file_of_its_class() -> None:
    class Own(nn.Sequential):
        pass

    assert code_digest(Own(nn.Conv2d(3, 4, 3))) is not None


def test_of_a_script_only_the_definitions_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run(text: str) -> str | None:
        path = tmp_path / f"script{len(text)}.py"
        path.write_text(text)
        script = ModuleType("__main__")
        script.__file__ = str(path)
        monkeypatch.setitem(sys.modules, "__main__", script)
        exec(compile(text, str(path), "exec"), script.__dict__)
        return code_digest(script.Net())

    plain = "from torch import nn\nclass Net(nn.Sequential):\n    def forward(self, x):\n        return x\n"
    assert run(plain) == run(plain + "sparsity = 0.9\n")
    assert run(plain) != run(plain.replace("return x", "return -x"))


def test_a_traced_graph_counts() -> None:
    class Doubled(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2

    class Tripled(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 3

    graphs = [torch.fx.symbolic_trace(net()) for net in (Doubled, Tripled)]
    assert code_digest(graphs[0]) != code_digest(graphs[1])


@pytest.mark.usefixtures("place")
def test_finished_work_of_other_code_is_refused_in_one_line(tmp_path: Path) -> None:
    ticket = draw("ownnet:net", sparsity=0.5, folder=tmp_path / "ticket")
    assert draw("ownnet:net", sparsity=0.5, folder=tmp_path / "ticket").digest == ticket.digest
    digest_after(tmp_path, "ownnet.py", NET.replace("mean((2, 3))", "amax((2, 3))"))
    source = load_source("ownnet:net")
    assert source.identity.digest == ticket.source.digest
    with pytest.raises(UserError, match=r"the code of ownnet:net was edited since this ticket was drawn"):
        Ticket.load(tmp_path / "ticket").with_network(source)
    with pytest.raises(UserError, match=r'ticket: contains work with network_code = "sha256:'):
        draw("ownnet:net", sparsity=0.5, folder=tmp_path / "ticket")


def test_folders_that_do_not_record_code_still_open(tmp_path: Path) -> None:
    with Step(tmp_path / "old", {"source": "a"}).claim():
        pass
    Step(tmp_path / "old", {"source": "a", "network_code": "b"})
    with Step(tmp_path / "new", {"source": "a", "network_code": "b"}).claim():
        pass
    with pytest.raises(UserError, match=r'network_code = "b", now "c"'):
        Step(tmp_path / "new", {"source": "a", "network_code": "c"})


def test_identities_without_code_bind_to_any(tmp_path: Path) -> None:
    class Own(nn.Sequential):
        pass

    net = Own(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3), nn.Flatten(), nn.Linear(32, 2))
    source = load_source(net, preprocessing=Pixels(mean=(0.5,), std=(0.5,), size=(8, 8)))
    ticket = draw(source, sparsity=0.5)
    old = Ticket(ticket.masks, ticket.prunable, source.identity.model_copy(update={"code": None}))
    assert old.with_network(source).network is source
