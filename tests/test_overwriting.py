"""Every command leaves alone what robust-tickets did not write, and says so at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import Tickets, colours, contents

NET = "-s demo/resnet4 --weights random"
INTO = [
    f"pretrain {NET} -d images -o {{}}",
    f"draw {NET} -o {{}}",
    "transfer demo/resnet4 --weights random -d images -o {}",
    f"find {NET} -d images -o {{}}",
    f"run {NET} -d images -o {{}}",
    "demo -o {}",
    "analyse images -o {}",
]


@pytest.fixture
def tickets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tickets:
    monkeypatch.chdir(tmp_path)
    colours(tmp_path / "images", images=12)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    return Tickets(capsys, monkeypatch)


@pytest.mark.parametrize("line", INTO)
def test_a_folder_of_others_is_left_alone(tickets: Tickets, tmp_path: Path, line: str) -> None:
    before = contents(tmp_path)
    told = tickets(line.format("mine")).complaint
    assert told.startswith("error: mine: contains files that robust-tickets did not write (thesis.txt)")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("line", [line for line in INTO if "-d images" in line])
def test_nothing_is_written_among_the_data(tickets: Tickets, tmp_path: Path, line: str) -> None:
    before = contents(tmp_path)
    assert "images/blue/out: is inside the data folder images" in tickets(line.format("images/blue/out")).complaint
    assert "images: contains files that robust-tickets did not write" in tickets(line.format("images")).complaint
    assert contents(tmp_path) == before


def test_an_exported_file_replaces_no_file_of_others(tickets: Tickets, tmp_path: Path) -> None:
    done = tickets("transfer demo/resnet4 --weights random -d images -o runs --set seeds=[0] --set training.epochs=0")
    assert done.code == 0, done.err
    (tmp_path / "thesis.onnx").write_text("years of work")
    (tmp_path / "model-int8.onnx").write_text("years of work")
    before = contents(tmp_path)
    assert "thesis.onnx: is a file that robust-tickets did not write" in tickets("shrink runs -o thesis.onnx").complaint
    assert "model-int8.onnx: is a file" in tickets("shrink runs -o model.onnx --int8").complaint
    assert "mine: contains files" in tickets("shrink runs -o mine").complaint
    assert "is inside the data folder" in tickets("shrink runs -o images/model.onnx").complaint
    assert contents(tmp_path) == before


def test_a_place_is_refused_before_torch_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "thesis.onnx").write_text("years of work")
    code = (
        "import sys; sys.argv = ['tickets', *sys.argv[1:]]\n"
        "from robust_tickets import cli\n"
        "try: cli.main()\n"
        "except SystemExit as leaving: assert leaving.code == 2\n"
        "assert 'torch' not in sys.modules\n"
    )
    for line in ("shrink runs -o thesis.onnx", "draw -s demo/resnet4 -o .", "transfer t -d . -o runs/mine"):
        subprocess.run([sys.executable, "-c", code, *line.split()], check=True, cwd=tmp_path)
