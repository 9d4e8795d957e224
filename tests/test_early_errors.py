"""Mistakes in options, settings, paths and names are told before torch is loaded, within about half a second."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from robust_tickets.cli.app import app
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.names import require_network
from robust_tickets.models.registry import available
from robust_tickets.shrinking.places import require_exported

NET = "-s demo/resnet4 --weights random"
LIMIT = 20
"""Of processor time, counted in what compiling argparse four times takes: measured are 11 to 13, idle and under load.

Half a second on one machine is more than one on another. Torch alone takes 30.
"""

DRIVER = """
import argparse, inspect, sys, time
from robust_tickets.cli import main
source = inspect.getsource(argparse)
try:
    main()
finally:
    taken = time.process_time()
    loaded = [name for name in ("torch", "torchvision", "timm", "scipy", "matplotlib") if name in sys.modules]
    for _ in range(4):
        compile(source, "argparse", "exec")
    print(taken / (time.process_time() - taken), *loaded)
"""

LINES = [
    (f"pretrain {NET} -d torchvision/CIFAR11 -o new", "torchvision/CIFAR11: .*did you mean torchvision/CIFAR10?"),
    (f"draw {NET} -o new --sparsity 90", "sparsity: should be less than 1 (got 90.0)"),
    ("draw -s torchvison/resnet18 -o new", "unknown network 'torchvison/resnet18'; similar: torchvision/resnet18"),
    ("draw -s timm/resnet81 -o new", "unknown network 'timm/resnet81'; similar: timm/resnet18"),
    ("draw -s timm/resnet18 -o new --sparsity abc", "invalid value for '--sparsity': "),
    ("draw -s timm/resnet18 -o new --spasity 0.9", "no such option: --spasity; did you mean --sparsity?"),
    ("draw -o new", "missing option '--source' / '-s'; see tickets draw --help"),
    ("transfer timm/resnet18 -d glyphs -o new --set training.lr=1", "training.lr: .*mean training.optimiser.lr?"),
    ("transfer timm/resnet18 -d glyphs -o new --set task.head=fcn", "task: names no kind; known: classification, segm"),
    ("transfer timm/resnet18 -d nowhere -o new", "nowhere: no such folder or file"),
    ("transfer tikcet -d glyphs -o new", "tikcet: is not a ticket's folder"),
    ("verify nowhere", "nowhere: no such folder"),
    ("verify nowhere --set margn=0.01", "margn: no such setting; did you mean margin?"),
    ("shrink nowhere -o new.onnx", "nowhere: no such folder"),
    ("shrink nowhere -o new.onnx --set round=8", "round: no such setting; did you mean rounds?"),
    ("shrink nowhere -o new.onx", "new.onx: its suffix does not say what to write; end it in .onnx or .rtk"),
    ("export timm/resnet18 -o new.onx", "new.onx: its suffix does not say what to write; end it in .onnx or .rtk"),
    ("draw -s timm/resnet18 --weights nowhere.pth -o new", "weights: no such file 'nowhere.pth' for timm/resnet18"),
    ("draw -s nowhere.module:function -o new", "nowhere.module:function: no module 'nowhere' in "),
    ("run -s nowhere:function -d glyphs -o new", "nowhere:function: no module 'nowhere' in "),
    ("export nowhere/at/all -o new.onnx", "nowhere/at/all: "),
    ("find -s timm/resnet18 -d nowhere -o new", "nowhere: no such folder or file"),
    ("search -s timm/resnet18 -d nowhere -o new", "nowhere: no such folder or file"),
    ("search -s timm/resnet81 -d digits -o new", "unknown network 'timm/resnet81'; similar: timm/resnet18"),
    ("search -s tiny/bert -d digits -o new", "tiny/bert: reads texts, and a network for images is needed"),
    (f"search {NET} -d digits -o new --sparsity 90", "sparsity: should be less than 1 (got 90.0)"),
    (f"search {NET} -d digits -o new --set training.optimiser=adamw", "penalty: is missing; under adamw it cannot be"),
    (f"search {NET} -d digits -o new --set training.epochs=5", "training.epochs: how long a search trains is said by"),
    ("run demo -o new --set draw.training.lr=1", "draw.training.lr: .*did you mean draw.training.optimiser.lr?"),
    ("run -s timm/resnet18 -d glyhps -o new", "glyhps: no such folder or file; did you mean glyphs?"),
    ("demo -o new --set transfer.full.epochs=1", "transfer: no such setting; did you mean transfers?"),
    ("report nowhere", "nowhere: "),
    ("analyse nowhere", "nowhere: contains no ticket and no finished transfer"),
    ("gap -s timm/resnet18 -d glyphs --source-data nowhere", "nowhere: no such folder or file"),
    ("evaluate timm/resnet18 -d nowhere", "nowhere: no such folder or file"),
    ("evaluate nowhere.onnx -d glyphs", "nowhere.onnx: no such folder or file"),
    ("predict nowhere.onnx image.png", "nowhere.onnx: no such file"),
    ("restore nowhere.png -o new.png", "nowhere.png: no such file; give an image file"),
    ("check nowhere.rtk", "nowhere.rtk: no such file"),
    ("study nowhere", "nowhere: no such recipe file"),
    ("study gmp", "gmp: a study compares ways of drawing"),
    ("timeline nowhere", "nowhere: no such recipe file"),
    ("convert nowhere.pt new.safetensors", "nowhere.pt: no such file"),
    ("trasnfer timm/resnet18", "no such command 'trasnfer'; did you mean 'transfer'?"),
]


@pytest.mark.parametrize(("line", "words"), LINES, ids=[line for line, _ in LINES])
def test_a_mistake_is_told_in_one_line_before_torch_is_loaded(line: str, words: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", DRIVER, *shlex.split(line)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2, ran.stderr
    (complaint,) = ran.stderr.splitlines()
    pattern = ".*".join(re.escape(part) for part in words.split(".*"))
    assert re.match(f"error: .*{pattern}", complaint), complaint
    taken, *loaded = ran.stdout.split()
    assert loaded == []
    assert float(taken) < LIMIT
    assert list(tmp_path.iterdir()) == []


def test_every_command_that_can_be_wrong_is_tried() -> None:
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback is not None}
    assert commands - {line.split()[0] for line, _ in LINES} == {"schema", "doctor"}


@pytest.mark.parametrize("every", [20, pytest.param(1, marks=pytest.mark.slow)])
def test_no_name_that_exists_is_refused(every: int) -> None:
    names = available()
    assert len(names) > 1000
    for name in (*names[::every], "resnet18", "timm/resnet18.a1_in1k", "robust_tickets.module:function"):
        require_network(name)
    with pytest.raises(UserError, match="similar: timm/efficientnet_lite"):
        require_network("timm/efficientnet_liteO")


def test_a_checkpoint_is_no_exported_file(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(b"weights")
    with pytest.raises(UserError, match=r"neither an ONNX file .* nor a runtime file .*; turn a checkpoint into one"):
        require_exported(path)
    for name in ("model.onnx", "model.RTK", "missing.pth"):
        require_exported(tmp_path / name)
