"""What an option of the command line does has its keyword in Python; and what is shown of an object is one line."""

import inspect
import subprocess
import sys
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

import robust_tickets as rt
from robust_tickets.cli.app import app
from robust_tickets.measures.calibration import Calibration
from tests.commands import Tickets
from tests.verbs.small import PARTS, QUICK, small_source

NAMES = {"out": "folder", "runs": "result", "file": "path", "images": "images"}
"""Parameters of commands that have another name in Python; `settings` are `--set`, in Python `**changes`."""

ELSEWHERE = {
    ("pretrain", "recipe"): "rt.load_recipe",
    ("find", "recipe"): "draw=rt.load_recipe(...).draws()",
    ("run", "source"): "rt.load_recipe(values=...)",
    ("run", "weights"): "rt.load_recipe(values=...)",
    ("run", "preprocessing"): "rt.load_recipe(values=...)",
    ("run", "data"): "rt.load_recipe(values=...)",
    ("run", "sparsity"): "rt.load_recipe(values=...)",
    ("run", "settings"): "rt.load_recipe(settings=...)",
    ("pretrain", "settings"): "**changes of rt.Training",
    ("evaluate", "settings"): "robustness and measures",
    ("gap", "settings"): "rt.load_source and rt.DataSettings",
    ("verify", "source"): "rt.load_transfer",
    ("shrink", "source"): "rt.load_transfer",
    ("check", "source"): "rt.load_transfer",
    ("analyse", "source"): "rt.load_transfer",
    ("analyse", "folders"): "rt.Ticket.load and rt.load_transfer",
    ("analyse", "out"): "what is found is returned, not written",
    ("restore", "out"): "Restored.save",
    ("predict", "out"): "Predictions.to_csv and to_json",
    ("predict", "form"): "Predictions.to_csv and to_json",
}
"""Options that are part of something else in Python."""

RENAMED = {
    ("gap", "data"): "target_data",
    ("shrink", "out"): "out",
    ("predict", "file"): "subject",
    ("restore", "work"): "folder",
}

ONLY_COMMANDS = {"demo", "study", "timeline", "report", "schema", "convert", "doctor"}
"""They are about the installation, show a recipe, write again what is there, or are `rt.run` of a recipe that ships."""


def commands() -> dict[str, inspect.Signature]:
    found = {}
    for command in app.registered_commands:
        assert command.callback is not None
        found[command.name or command.callback.__name__] = inspect.signature(command.callback)
    return found


@pytest.mark.parametrize("name", [name for name in commands() if name not in ONLY_COMMANDS])
def test_every_option_has_its_keyword(name: str) -> None:
    function = inspect.signature(getattr(rt, name))
    known = set(function.parameters)
    fields = set()
    if "changes" in known:
        kind = "training" if name == "pretrain" else "settings"
        annotation = str(function.parameters[kind].annotation)
        fields = set(next(one for one in SETTINGS if one.__name__ in annotation).model_fields)
    missing = [
        option
        for option in commands()[name].parameters
        if (name, option) not in ELSEWHERE
        if not {option, NAMES.get(option, option), RENAMED.get((name, option), option)} & (known | fields)
    ]
    assert missing == []


SETTINGS = [
    rt.Training,
    rt.DrawSettings,
    rt.TransferSettings,
    rt.VerifySettings,
    rt.FindSettings,
    rt.AnalyseSettings,
    rt.RestoreSettings,
    rt.SearchSettings,
    __import__("robust_tickets.shrinking.settings", fromlist=["ShrinkSettings"]).ShrinkSettings,
]


def test_a_source_is_stated_in_python_as_on_the_command_line(tmp_path: Path) -> None:
    stated = {"weights": "random", "preprocessing": {"size": [16, 16], "mean": [0.4, 0.4, 0.4]}}
    source = rt.load_source("cifar/resnet8", num_classes=4, **stated)
    assert source.network.num_classes == 4
    assert source.network.interface.size == (16, 16)
    ticket = rt.draw("cifar/resnet8", sparsity=0.5, **stated)
    assert ticket.source.preprocessing.mean == (0.4, 0.4, 0.4)
    with pytest.raises(rt.UserError, match="weights: cifar/resnet8 is already loaded; give it to load_source"):
        rt.draw(source, weights="random")
    with pytest.raises(rt.UserError, match="weights: a torch module brings its own"):
        rt.load_source(torch.nn.Linear(2, 2), weights="random")
    with pytest.raises(rt.UserError, match="a ticket brings its own; leave them out"):
        rt.transfer(ticket, PARTS, weights="random")
    with pytest.raises(rt.UserError, match=r"source\.wieghts: no such setting; did you mean source\.weights\?"):
        rt.load_source("cifar/resnet8", wieghts="random")


def test_versions(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert rt.__version__ == version("robust-tickets")
    told = Tickets(capsys, monkeypatch)("--version")
    assert (told.code, told.out) == (0, f"tickets {rt.__version__}\n")


class Page(HTMLParser):
    """Counts tags, so that unescaped text shows."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)


def tags(html: str) -> set[str]:
    page = Page()
    page.feed(html)
    return page.tags


ALLOWED = {"p", "strong", "div", "table", "thead", "tbody", "tr", "th", "td"}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("shown")
    source = small_source()
    ticket = rt.draw(source, sparsity=0.6)
    result = rt.transfer(ticket, PARTS, source=source, folder=folder / "runs", **QUICK)
    dense = rt.transfer(source, PARTS, **QUICK)
    report = rt.shrink(result, folder / "model.rtk", dense=dense)
    return {
        "source": source,
        "classifier": source.network,
        "ticket": ticket,
        "transfer": result,
        "run": result.best,
        "data": result.best.data,
        "verdict": rt.verify(result, dense),
        "report": report,
        "analysis": rt.analyse({"<b>a</b>": ticket, "dense & co": rt.draw(source, sparsity=0.2)}),
        "evaluated": rt.evaluate(result, measures=(Calibration(),)),
        "searched": rt.search(source, PARTS, epochs=2, min_steps=0, training={"warmup": 0}),
        "runtime": rt.load_runtime(folder / "model.rtk", tune=False),
        "recipe": rt.load_recipe("double-win"),
        "settings": rt.TransferSettings(seeds=tuple(range(300))),
        "draw": rt.DrawSettings(),
        "preprocessing": source.identity.preprocessing,
        "identity": source.identity,
        "masked": rt.masked(result.best.network, ticket),
    }


def test_what_is_shown_is_one_line(shown) -> None:
    for name, one in shown.items():
        text = repr(one)
        assert "\n" not in text, name
        assert 10 < len(text) <= 200, (name, text)
        assert "tensor(" not in text
    assert repr(shown["ticket"]) == (
        "Ticket(tests.verbs.small:SmallNet, 60.01 % of 1,368 weights in 2 tensors removed, starts from the source)"
    )
    assert repr(rt.DrawSettings(sparsity=0.5)) == "DrawSettings(sparsity=0.5)"
    assert repr(shown["transfer"]).startswith("Transfer(tests.verbs.small:SmallNet, 60.01 % sparsity, ")


@pytest.mark.parametrize("name", ["ticket", "verdict", "report", "analysis", "evaluated", "searched"])
def test_notebooks_show_tables_and_run_nothing_of_what_names_say(shown, name) -> None:
    html = shown[name]._repr_html_()
    assert {"p", "table", "td"} <= tags(html) <= ALLOWED
    if name == "verdict":
        named = shown[name].model_copy(update={"subject": "<script>alert(1)</script>"})
        assert "script" not in tags(named._repr_html_())


def test_tickets_of_hostile_names_are_escaped(shown) -> None:
    ticket = shown["ticket"]
    named = rt.Ticket(
        {f"<img src=x>{name}": mask for name, mask in ticket.masks.items()},
        tuple(f"<img src=x>{name}" for name in ticket.prunable),
        ticket.source.model_copy(update={"name": "<b>bold</b>"}),
    )
    assert not {"img", "b"} & tags(named._repr_html_())


def test_the_version_needs_no_torch() -> None:
    code = "import sys, robust_tickets as rt; print(rt.__version__, 'torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split()[1] == "False"
