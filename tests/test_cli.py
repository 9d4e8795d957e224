"""The command line as users' scripts rely on it: names, speed, output, exit codes."""

import json
import os
import pkgutil
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import robust_tickets
from robust_tickets.cli import app
from tests.commands import Tickets, colours, contents, tickets_process

SOURCE = ["--preprocessing", "--source", "--weights"]
FROZEN = {
    "pretrain": [*SOURCE, "--data", "--out", "--recipe", "--seed", "--set"],
    "draw": [*SOURCE, "--data", "--group", "--out", "--recalibrate", "--score", "--seed", "--set", "--sparsity"],
    "transfer": [*SOURCE, "--data", "--mode", "--out", "--set", "subject"],
    "verify": ["--data", "--exported", "--set", "--source", "runs"],
    "find": [*SOURCE, "--criterion", "--data", "--out", "--recipe", "--seed", "--set"],
    "search": [*SOURCE, "--data", "--epochs", "--out", "--seed", "--set", "--sparsity"],
    "shrink": ["--data", "--int8", "--out", "--set", "--source", "runs"],
    "export": [*SOURCE, "--out", "--set", "subject"],
    "run": [*SOURCE, "--data", "--minutes", "--out", "--set", "--sparsity", "recipe"],
    "demo": ["--out", "--set"],
    "report": ["folder"],
    "study": ["--minutes", "--out", "--set", "recipe"],
    "timeline": ["--out", "--set", "--steps-per-epoch", "recipes"],
    "analyse": ["--out", "--set", "--source", "folders"],
    "evaluate": [*SOURCE, "--classes", "--data", "--out", "--set", "subject"],
    "predict": ["--format", "--on-unreadable", "--out", "--source", "--threads", "--top", "file", "inputs"],
    "restore": [
        *("--factor", "--kept", "--lost", "--noise", "--out", "--reference", "--seed", "--set", "--steps", "--work"),
        "picture",
    ],
    "check": ["--against", "--data", "--source", "file"],
    "gap": [*SOURCE, "--data", "--inception", "--limit", "--set", "--source-data"],
    "schema": [],
    "convert": ["--allow-pickle", "--entry", "file", "out"],
    "doctor": [],
}
SHORT = {"-s": "--source", "-d": "--data", "-o": "--out", "-r": "--recipe"}


def test_commands_and_options_stay_as_they_are() -> None:
    commands = typer.main.get_command(app).commands  # pyright: ignore
    names = {
        name: sorted(max(parameter.opts, key=len) for parameter in command.params) for name, command in commands.items()
    }
    assert names == {name: sorted(options) for name, options in FROZEN.items()}
    short = {
        option: max(parameter.opts, key=len)
        for command in commands.values()
        for parameter in command.params
        for option in parameter.opts
        if len(option) == 2
    }
    assert short == SHORT


def test_help_is_quick_and_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['tickets', '--help']\n"
        "from robust_tickets import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pydantic', 'numpy', 'yaml', 'rich', 'timm'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert result.returncode == 0, result.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1
    for command in FROZEN:
        assert f"\n  {command} " in result.stdout
    commands = result.stdout.partition("Commands:")[2]
    assert "..." not in commands, "a command's summary does not fit its line"


@pytest.mark.parametrize("command", FROZEN)
def test_every_command_explains_its_options(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as leaving:
        app([command, "--help"])
    assert leaving.value.code == 0
    told = capsys.readouterr().out
    for option in FROZEN[command]:
        if option.startswith("--"):
            line = told[told.index(f"{option} ") :].splitlines()
            assert len(" ".join(line[:2]).split()) > 3, f"{command} {option} has no explanation"


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, robust_tickets; assert 'torch' not in sys.modules; assert 'draw' in dir(robust_tickets)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_module_takes_the_place_of_what_is_exported() -> None:
    """Importing a submodule sets it as the package's attribute, over a function of that name."""
    modules = {module.name for module in pkgutil.iter_modules(robust_tickets.__path__)}
    assert modules & set(robust_tickets.__all__) == set()


def test_the_script_is_installed_and_a_mistake_is_one_line(tmp_path: Path) -> None:
    result = tickets_process("report nowhere", tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert (
        result.stderr == "error: nowhere: contains no finished run (no summary.json in it); create one with tickets "
        "run\n"
    )


@pytest.fixture
def tickets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tickets:
    return Tickets(capsys, monkeypatch)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("job")
    colours(folder / "images")
    return folder


NET = "-s demo/resnet4 --weights random"
JOB = [
    (f"pretrain {NET} -d images -o source --set epochs=1 --set objective=fgsm-rs", "source: demo/resnet4, pretrained"),
    (f"draw {NET} -o ticket --sparsity 0.5", "ticket: 50 % of the weights in 13 layers removed; ticket sha256:"),
    ("draw -s source -o again --sparsity 0.5", "again: 50 % of the weights"),
    ("transfer again -d images -o runs --set training.epochs=1 --set seeds=[0,1]", "runs/seed-1: "),
    ("transfer source -d images -o dense --mode linear --set seeds=[0] --set training.epochs=1", "dense/seed-0: "),
    ("transfer demo/resnet4 --weights random -d images -o dense2 --set seeds=[0] --set training.epochs=1", "dense2/"),
    ("verify runs --set margin=0.5", "margin 50"),
    ("verify runs --set robustness.threat.epsilon=2/255 --set robustness.threat.steps=1", "PGD-1 in L-inf 2/255"),
    ("verify dense", "Cannot tell from one seed"),
    ("shrink runs -o small.onnx --int8 --set rounds=3", "Not smaller: 50 % of the parameters are zero"),
    ("shrink runs -o small.onnx --int8 --set rounds=3", "small-int8.onnx"),
    ("shrink runs -o small/ --set rounds=3", "Not smaller: 50 % of the parameters are zero"),
    ("export ticket -o drawn.rtk --set rounds=3", "% of the parameters are zero and left out"),
    ("export source -o source.onnx --set rounds=3", "source.onnx: Written as it is: "),
    ("verify runs --exported small", "small and its network"),
    ("transfer small -d images -o further --set training.epochs=1 --set seeds=[0]", "further/seed-0: "),
    (
        "verify runs --exported small.onnx --set robustness.threat.epsilon=2/255 --set robustness.threat.steps=1 "
        "--set 'measures=[calibration, {kind: robustness, attack: {kind: square, queries: 5}}]'",
        "small.onnx and its network",
    ),
    (
        f"find {NET} -d images -o found --set find.sparsities=[0.3] --set transfer.training.epochs=0 --set "
        "transfer.seeds=[0,1] --set verify.margin=0.9 --set data.fraction=0.9",
        "Sparsest ticket that matches on validation: 30 %; confirmed on test.",
    ),
    ("doctor", "torch"),
]


def test_a_whole_job_and_all_of_it_again(tickets: Tickets, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command works on what the one before left; called again it says the same and trains nothing."""
    monkeypatch.chdir(place)
    first = []
    for line, words in JOB:
        outcome = tickets(line)
        assert outcome.code == 0, outcome.err
        assert words in outcome.out, outcome.out
        first.append(outcome.out)
    assert json.loads(Path("runs/verdict.json").read_text())["attack"] == "PGD-1 in L-inf 2/255"
    results = {
        name: facts
        for name, facts in contents(place).items()
        if name.endswith(("result.json", ".onnx")) and name != "source.onnx"
    }
    # A network is exported and timed anew at every call, since there is no run to keep it; free space comes and goes.
    same = [line for line, _ in JOB if not line.startswith(("export ", "doctor"))]
    again = {line: tickets(line).out for line in same}
    assert [again[line] for line in same] == [out for out, (line, _) in zip(first, JOB, strict=True) if line in same]
    assert {name: facts for name, facts in contents(place).items() if name in results} == results


def test_a_search_trains_and_judges_as_its_recipe_says(
    tickets: Tickets, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    Path("own.yaml").write_text(
        "sources: {other: {source: {name: demo/resnet4, weights: random}}}\n"
        "data: {name: elsewhere}\n"
        "draw: {sparsity: 0.3}\n"
        "transfers: {full: {seeds: [3, 4], training: {epochs: 0, batch_size: 4}}}\n"
        "verify: {margin: 0.9}\n"
    )
    line = f"find {NET} -d images -o sought --recipe own.yaml --set data.validation=0.5"
    told = tickets(line)
    assert told.code == 0, told.err
    assert "over 2 seeds, margin 90." in told.out, "on validation"
    folder = next(Path("sought").glob("**/transfer.json"))
    assert json.loads(folder.read_text())["settings"]["seeds"] == [3, 4]
    assert "margin 80" in tickets(f"{line} --set verify.margin=0.8").out


def test_a_run_prints_its_tables_and_a_report_prints_them_again(
    tickets: Tickets, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    line = (
        f"run {NET} -d images -o run --sparsity 0.5 --set shrink=null --set transfers.full.seeds=[0,1] --set "
        "transfers.full.training.epochs=1 --set draw.timeline=one-shot"
    )
    outcome = tickets(line)
    assert outcome.code == 0, outcome.err
    for words in ("Accuracy on the test data", "Does the ticket match dense?", "report: run/report.html"):
        assert words in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 160
    changed = os.stat("run/transfers/data/resnet4/full/dense/seed-0/result.json").st_mtime_ns
    Path("run/report.html").unlink()
    assert tickets("report run").out == outcome.out
    assert Path("run/report.html").stat().st_size > 1000
    assert tickets(line).out == outcome.out
    assert os.stat("run/transfers/data/resnet4/full/dense/seed-0/result.json").st_mtime_ns == changed


def test_set_is_the_last_word(tickets: Tickets, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    assert "60 % of the weights" in tickets(f"draw {NET} -o other --sparsity 0.5 --set sparsity=0.6").out
    assert (
        "75 % of the weights"
        in tickets(f"draw {NET} -o blocks --set group=block --set group.out=2 --set sparsity=0.75").out
    )
