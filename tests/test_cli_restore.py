"""`tickets restore` as a user calls it: the picture, the page, and one line for each mistake."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import robust_tickets as rt
from robust_tickets.foundation.files import read_json
from tests.commands import Outcome, Tickets, contents
from tests.pictures import ramp, work_in, written

SIDE = 24


@pytest.fixture
def tickets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Tickets:
    monkeypatch.chdir(tmp_path)
    written(ramp(), tmp_path / "ramp.png")
    written(ramp(8, 24), tmp_path / "low.png")
    return Tickets(capsys, monkeypatch)


SETTINGS = "--set network=prior/unet2-x0.25 --set mask_side=16 --set mask_steps=3 --steps 3 --kept 0.5"


def command(tickets: Tickets, line: str) -> Outcome:
    return tickets(f"restore {line} {SETTINGS}")


def test_the_command_writes_a_picture_and_a_page(tickets: Tickets, tmp_path: Path) -> None:
    done = command(tickets, "ramp.png --out clean.png --reference ramp.png")
    assert done.code == 0, done.err
    assert "report, filled while it works: clean/report.html" in done.out
    assert re.search(r"^clean\.png: 24 x 24 pixels, PSNR to the reference \d+\.\d\d dB$", done.out, re.MULTILINE)
    with Image.open(tmp_path / "clean.png") as image:
        assert (image.size, image.mode) == ((SIDE, SIDE), "RGB")
    page = (tmp_path / "clean" / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") >= 3
    assert not re.search(r'(src|href)="(?!data:|#)', page), "it is one file"
    assert "tickets restore ramp.png --out clean.png" in page
    assert read_json(tmp_path / "clean" / "settings.json")["verb"] == "restore"


def test_the_command_goes_on_and_writes_over_its_own_picture(tickets: Tickets, tmp_path: Path) -> None:
    command(tickets, "ramp.png --out clean.png --work kept")
    before, picture = work_in(tmp_path / "kept"), (tmp_path / "clean.png").read_bytes()
    assert before
    assert not (tmp_path / "clean").exists()
    assert command(tickets, "ramp.png --out clean.png --work kept").code == 0
    assert work_in(tmp_path / "kept") == before
    assert (tmp_path / "clean.png").read_bytes() == picture


def test_the_options_are_those_of_python(tickets: Tickets, tmp_path: Path) -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[3:6, 3:6] = 255
    written(mask, tmp_path / "mask.png")
    done = command(tickets, "ramp.png --out large.png --factor 2 --lost mask.png --noise 0.2 --seed 3")
    assert done.code == 0, done.err
    changes: dict[str, Any] = {
        "network": "prior/unet2-x0.25",
        "mask_side": 16,
        "mask_steps": 3,
        "steps": 3,
        "kept": 0.5,
    }
    found = rt.restore("ramp.png", **changes, factor=2, lost="mask.png", noise=0.2, seed=3)
    found.save("python.png")
    with Image.open("large.png") as one, Image.open("python.png") as other:
        assert np.array_equal(np.asarray(one), np.asarray(other))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nowhere.png --out out.png", "nowhere.png: no such file; give an image file"),
        ("ramp.png --out out.png --lost nowhere.png", "nowhere.png: no such file; give an image file"),
        ("ramp.png --out out.png --reference nowhere.png", "nowhere.png: no such file; give an image file"),
        ("ramp.png --out out.jpg", "out.jpg: pictures are written as PNG files; end the name in .png"),
        ("ramp.png --out low.png", "low.png: is a file that robust-tickets did not write and that would be lost"),
        ("ramp.png --out out.png --work .", "contains files that robust-tickets did not write (low.png)"),
        ("ramp.png --out out.png --set network=demo/resnet4", "network: demo/resnet4 is no generator; name one"),
        ("low.png --out out.png", "is 24 x 8 pixels, but the generator's levels need 9 to a side"),
        ("ramp.png --out out.png --set kept=0", "kept: should be greater than 0 (got 0"),
        ("ramp.png --out out.png --set overlap=100", "overlap: 100 is too large for tiles of 256 pixels"),
        ("ramp.png --out out.png --set width=3", "width: no such setting"),
        ("ramp.png", "missing option '--out'"),
    ],
)
def test_a_mistake_at_the_command_is_one_line(tickets: Tickets, tmp_path: Path, line: str, said: str) -> None:
    before = contents(tmp_path)
    # Later options win, so that the mistake stands.
    assert said in tickets(f"restore {SETTINGS} {line}").complaint
    assert contents(tmp_path) == before
