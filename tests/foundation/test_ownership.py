"""Nothing is written over what this product did not write; what it wrote is known by its content."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.ownership import require_apart, require_ours
from robust_tickets.foundation.steps import Step
from robust_tickets.models.convert import convert
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import identity_preprocessing
from robust_tickets.models.sources import load_source
from robust_tickets.report.html import write_report
from robust_tickets.report.sections import Section
from robust_tickets.report.summary import Summary
from robust_tickets.shrinking.export import export_onnx
from robust_tickets.shrinking.runtime_file import write_runtime
from robust_tickets.verbs.draw import draw

SETTINGS = {"verb": "draw"}


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(4, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(images).mean((2, 3)))


def small() -> Network:
    return Network(Small(), identity_preprocessing(1, (8, 8)), "fc")


def test_what_we_wrote_may_be_written_again(tmp_path: Path) -> None:
    export_onnx(small(), tmp_path / "model.onnx")
    write_runtime(small(), tmp_path / "model.rtk")
    draw(load_source(small()), sparsity=0.5).save(tmp_path / "ticket")
    save_file({"weight": torch.ones(2)}, tmp_path / "theirs.safetensors")
    convert(tmp_path / "theirs.safetensors", tmp_path / "ours.safetensors")
    write_report(Summary(title="t", sections=[Section(title="s")]), tmp_path / "page")
    with Step(tmp_path / "step", SETTINGS).claim():
        pass
    for name in ("model.onnx", "model.rtk", "ticket", "ours.safetensors", "page/report.html", "step"):
        require_ours(tmp_path / name)
    export_onnx(small(), tmp_path / "model.onnx")
    write_runtime(small(), tmp_path / "model.rtk")
    draw(load_source(small()), sparsity=0.5).save(tmp_path / "ticket")
    convert(tmp_path / "theirs.safetensors", tmp_path / "ours.safetensors")
    with pytest.raises(UserError, match=r"theirs\.safetensors: is a file that robust-tickets did not write"):
        convert(tmp_path / "ours.safetensors", tmp_path / "theirs.safetensors")


@pytest.mark.parametrize("content", [b"", b"my thesis", b"\x08\x07\x12\x07pytorch", b"PK\x03\x04"])
@pytest.mark.parametrize("name", ["thesis.onnx", "thesis.rtk", "thesis.safetensors", "thesis.html", "thesis.csv"])
def test_a_file_of_others_is_left_alone(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name}: is a file that robust-tickets did not write"):
        require_ours(tmp_path / name)


def test_an_onnx_file_of_others_is_left_alone(tmp_path: Path) -> None:
    """One that torch's exporter wrote, as ours are, but not through us."""
    place = tmp_path / "thesis.onnx"
    program = torch.onnx.export(small().eval(), (torch.zeros(1, 1, 8, 8),), dynamo=True, verbose=False)
    assert program is not None
    program.save(place)
    before = place.read_bytes()
    with pytest.raises(UserError, match="did not write"):
        export_onnx(small(), place)
    assert place.read_bytes() == before


def test_a_file_of_another_kind_is_ours_where_its_writer_knows_it(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("path,class,probability\n")

    def wrote(path: Path) -> bool:
        return path.read_text().startswith("path,class,probability")

    require_ours(table, wrote)
    table.write_text("name,salary\n")
    with pytest.raises(UserError, match="did not write"):
        require_ours(table, wrote)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", "mine"),
        ("settings.json", json.dumps({"editor.fontSize": 12})),
        ("source.json", "[]"),
        ("summary.json", "{"),
        ("model.onnx", "not one"),
    ],
)
def test_a_folder_with_files_of_others_is_left_alone(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    (tmp_path / ".settings.json.x.tickets.part").write_text("of someone else's work")
    with pytest.raises(UserError, match=rf"contains files that robust-tickets did not write \({name}\)"):
        require_ours(tmp_path)
    with pytest.raises(UserError):
        draw(load_source(small()), sparsity=0.5).save(tmp_path)
    with pytest.raises(UserError):
        Step(tmp_path, SETTINGS)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([".settings.json.x.tickets.part", name])


def test_free_places(tmp_path: Path) -> None:
    require_ours(tmp_path)
    require_ours(tmp_path / "nothing" / "there.onnx")
    (tmp_path / ".settings.json.x.tickets.part").touch()
    require_ours(tmp_path)
    (tmp_path / "runs").mkdir()
    with Step(tmp_path / "runs" / "one", SETTINGS).claim():
        pass
    require_ours(tmp_path / "runs")
    (tmp_path / "runs" / "photo.png").touch()
    with pytest.raises(UserError, match=r"photo\.png"):
        require_ours(tmp_path / "runs")


def test_a_ticket_that_was_cut_off_is_written_again(tmp_path: Path) -> None:
    ticket = draw(load_source(small()), sparsity=0.5)
    ticket.save(tmp_path)
    (tmp_path / "ticket.json").unlink()
    ticket.save(tmp_path)
    assert (tmp_path / "ticket.json").is_file()


def test_data_are_no_place_for_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images" / "cats").mkdir(parents=True)
    for place in ("images", "images/", "images/run", "images/../images/cats", tmp_path / "images" / "model.onnx"):
        for data in ("images", tmp_path / "images"):
            with pytest.raises(UserError, match=r"is inside the data folder .*images; choose a place outside it"):
                require_apart(place, data)
    require_apart("images-run", "images")
    require_apart("runs/mine", "digits")
    require_apart(None, "images")
    require_apart("anywhere", None)
