"""Predictions of files, folders and networks agree with the network, on images prepared as it was evaluated."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import robust_tickets as rt
from robust_tickets.data.images.fit import Fit
from robust_tickets.data.images.image_files import open_image
from robust_tickets.shrinking.export import export_onnx
from robust_tickets.shrinking.runtime_file import write_runtime
from tests.commands import COLOURS, Tickets, colours
from tests.verbs.small import QUICK

SOURCE = rt.SourceSettings(
    name="cifar/resnet8",
    weights="random",
    num_classes=3,
    preprocessing={"size": 16, "crop_fraction": 0.875, "interpolation": "bicubic"},
)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = colours(tmp_path_factory.mktemp("predict") / "photographs", 10, 24)
    Image.open(folder / "red" / "0.png").resize((40, 24)).save(folder / "red" / "wide.jpg")
    return folder


@pytest.fixture(scope="module")
def runs(photographs: Path) -> rt.Transfer:
    ticket = rt.draw(SOURCE, sparsity=0.5)
    return rt.transfer(ticket, photographs, folder=photographs.parent / "runs", **QUICK)


@pytest.fixture(scope="module")
def files(runs: rt.Transfer) -> dict[str, Path]:
    run, folder = runs.best, runs.folder.parent / "run"
    classes = list(run.data.classes)
    write_runtime(run.network, folder / "draw.rtk", classes=classes)
    export_onnx(run.network, folder / "draw.onnx", classes=classes)
    return {
        "runtime": folder / "draw.rtk",
        "onnx": folder / "draw.onnx",
        "run": folder,
        "transfer": runs.folder,
        "seed": run.folder,
    }


def expected(runs: rt.Transfer, paths: list[Path]) -> np.ndarray:
    """Return probabilities as the network gives them for images as evaluation sees them."""
    network = runs.best.network.eval()
    fit = Fit((16, 16), 3, "bicubic", 0.875)
    with torch.no_grad():
        return network(torch.stack([fit.floats(open_image(path)) for path in paths])).softmax(1).numpy()


@pytest.mark.parametrize("kind", ["runtime", "onnx", "run", "transfer", "seed"])
def test_every_form_says_what_the_network_says(runs, files, photographs, kind) -> None:
    found = rt.predict(files[kind], photographs, top=3)
    paths = sorted(photographs.rglob("*.*"))
    assert [row.path for row in found] == list(map(str, paths))
    probabilities = expected(runs, paths)
    for row, wanted in zip(found, probabilities, strict=True):
        assert row.classes == tuple(sorted(COLOURS)[index] for index in row.indices)
        assert row.indices[0] == wanted.argmax()
        assert sorted(row.indices) == [0, 1, 2]
        np.testing.assert_allclose(row.probabilities, wanted[list(row.indices)], atol=1e-4)


def test_loaded_networks_and_other_images_will_do(runs, files, photographs) -> None:
    path = photographs / "red" / "wide.jpg"
    wanted = rt.predict(files["seed"], path)[0]
    image = open_image(path)
    floats = Fit((16, 16), 3, "bicubic", 0.875).floats(image)[None]
    network = rt.load(files["seed"])
    for subject in (network, runs, runs.best, rt.load_runtime(files["runtime"], tune=False)):
        for images in (path, [image], image, np.asarray(image), np.asarray(image)[None], floats, [path, image]):
            found = rt.predict(subject, images)[0]
            assert found.indices == wanted.indices
            assert found.probabilities == pytest.approx(wanted.probabilities, abs=1e-4)
    assert [row.path for row in rt.predict(network, [image, path])] == ["0", str(path)]


def test_a_ticket_predicts_with_its_sources_head(tmp_path, photographs) -> None:
    ticket = rt.draw(SOURCE, sparsity=0.5, folder=tmp_path / "ticket")
    for subject in (ticket, tmp_path / "ticket"):
        row = rt.predict(subject, photographs / "red" / "wide.jpg", top=9)[0]
        assert sorted(row.classes) == ["0", "1", "2"]
        assert sum(row.probabilities) == pytest.approx(1)


@pytest.fixture
def tickets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tickets:
    return Tickets(capsys, monkeypatch)


def test_the_command_writes_csv_or_json(tickets, files, photographs, tmp_path) -> None:
    model = files["runtime"]
    table = list(csv.DictReader(io.StringIO(tickets(f"predict {model} {photographs} --top 2").out)))
    assert len(table) == 2 * 31
    assert list(table[0]) == ["path", "rank", "class", "index", "probability"]
    assert [row["rank"] for row in table[:2]] == ["1", "2"]
    assert float(table[0]["probability"]) > float(table[1]["probability"])
    for place in ("out.json", "out.csv"):
        assert tickets(f"predict {model} {photographs}/red --out {tmp_path}/{place}").code == 0
        assert tickets(f"predict {model} {photographs}/red --out {tmp_path}/{place}").code == 0  # over its own
    rows = json.loads((tmp_path / "out.json").read_text())
    assert len(rows) == 11
    assert rows[0]["predictions"][0].keys() == {"class", "index", "probability"}
    assert json.loads(tickets(f"predict {model} {photographs}/red --format json").out) == rows
    (tmp_path / "mine.csv").write_text("a,b\n1,2\n")
    assert "did not write" in tickets(f"predict {model} {photographs} --out {tmp_path}/mine.csv").complaint


def test_unreadable_images_end_it_or_are_counted(tickets, files, photographs, tmp_path) -> None:
    folder = Path(shutil.copytree(photographs / "red", tmp_path / "red"))
    (folder / "broken.png").write_bytes(b"no image")
    model = files["runtime"]
    complaint = tickets(f"predict {model} {folder} --out {tmp_path}/x.csv").complaint
    assert "broken.png: unreadable image" in complaint
    assert not (tmp_path / "x.csv").exists()
    told = tickets(f"predict {model} {folder} --on-unreadable skip")
    assert told.code == 0
    assert len(told.out.splitlines()) == 12
    assert told.err.splitlines()[-1] == "1 of 12 images left out"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("predict nowhere.rtk {photographs}", "nowhere.rtk: no such file or folder"),
        ("predict {model} nowhere", "nowhere: no such file or folder"),
        ("predict {model} {empty}", "contains no images"),
        ("predict {empty} {photographs}", "contains nothing that predicts"),
        ("predict {photographs}/red/wide.jpg {photographs}", "is not an ONNX file"),
        ("predict {model} {photographs} --out table.xls", "its suffix does not say which format to write"),
    ],
)
def test_mistakes_are_one_line(tickets, files, photographs, tmp_path, line, message) -> None:
    line = line.format(model=files["runtime"], photographs=photographs, empty=tmp_path)
    assert message in tickets(line).complaint


def test_a_network_is_shipped_with_the_geometry_of_its_data(tmp_path) -> None:
    """The data's own size wins, and arrays are resized whole: what is shipped prepares images so."""
    result = rt.transfer(
        SOURCE, rt.DataSettings(name="digits", channels=3, size=(20, 20)), seeds=(0,), training={"epochs": 0.1}
    )
    said = result.best.network.interface
    assert (said.size, said.crop_fraction, said.interpolation) == ((20, 20), 1.0, "bicubic")
