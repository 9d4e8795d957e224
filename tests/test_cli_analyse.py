"""`tickets analyse`, and the analyses of a run, as a user calls them."""

import shlex
import sys
from pathlib import Path

import pytest

from robust_tickets import cli
from robust_tickets.report.summary import load_summary
from tests.commands import Tickets, colours

RUN = (
    "run one-shot -s demo/resnet4 --weights random -d images -o run --set draw.sparsity=[0.5,0.8] --set shrink=null "
    "--set controls=[complement,flipped] --set flip=0.2 --set transfers.full.seeds=[0,1] --set "
    "transfers.full.training.epochs=1 --set verify.robustness=null --set analyse='{images: 6, landscape: {points: 3, "
    "most: 2}, interpolation: {points: 3}}'"
)
FINDINGS = [
    "Layers of the tickets",
    "Overlap of the tickets",
    "Loss landscapes",
    "Between two transfers of one ticket",
    "Angles between trained networks",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images and a finished run."""
    folder = tmp_path_factory.mktemp("analysed")
    colours(folder / "images")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["tickets", *shlex.split(RUN)])
        with pytest.raises(SystemExit) as leaving:
            cli.main()
    assert leaving.value.code == 0
    return folder


@pytest.fixture
def tickets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, place: Path) -> Tickets:
    monkeypatch.chdir(place)
    return Tickets(capsys, monkeypatch)


@pytest.mark.usefixtures("tickets")
def test_a_run_tells_its_analyses_and_its_opposite_controls() -> None:
    summary = load_summary("run/summary.json")
    assert [section.title for section in summary.sections if section.title in FINDINGS] == FINDINGS
    sparsity = {(row.ticket, round(row.sparsity, 2)) for row in summary.rows}
    assert {("complement", 0.5), ("complement", 0.2), ("flipped", 0.5), ("flipped", 0.8)} <= sparsity
    layers = next(section for section in summary.sections if section.title == FINDINGS[0])
    assert [row[0] for row in layers.tables[0].rows] == ["50 %", "80 %"]
    around = next(section for section in summary.sections if section.title == FINDINGS[2])
    assert [row[0] for row in around.tables[0].rows] == ["dense", "80 %"]
    between = next(section for section in summary.sections if section.title == FINDINGS[3])
    assert "complement of 80 %, seeds 0 and 1" in [row[0] for row in between.tables[0].rows]
    page = Path("run/report.html").read_text()
    assert "complementary mask" in page
    assert "bit-flipped mask" in page
    assert all(f"<h2>{title}</h2>" in page for title in FINDINGS)
    assert len(list(Path("run").rglob("landscape-*/result.json"))) == 2


def test_folders_are_analysed_and_the_page_is_written(tickets: Tickets) -> None:
    outcome = tickets("analyse run -o inside --set images=6 --set landscape.points=3 --set interpolation.points=3")
    assert outcome.code == 0, outcome.err
    for words in ("All-zero kernels by layer", "Overall overlap", "Angle, distance and barrier", "inside/report.html"):
        assert words in outcome.out
    sections = load_summary("inside/summary.json").sections
    assert [section.title for section in sections] == FINDINGS
    assert [row[0] for row in sections[0].tables[0].rows] == ["sparsity-0.5", "sparsity-0.8"]
    assert "dense, seeds 0 and 1" in [row[0] for row in sections[3].tables[0].rows]
    assert "Loss around" in Path("inside/report.html").read_text()
    assert list(Path("inside/figures").glob("*.png"))
    assert tickets("report inside").out == outcome.out


def test_two_tickets_are_compared_by_the_part_of_their_paths_that_differs(tickets: Tickets) -> None:
    below = "run/tickets/resnet4/draw"
    folders = [f"{below}/sparsity-0.5", f"{Path.cwd()}/{below}/sparsity-0.8"]
    outcome = tickets(f"analyse {' '.join(folders)} -o two")
    assert outcome.code == 0, outcome.err
    sections = load_summary("two/summary.json").sections
    assert [section.title for section in sections] == FINDINGS[:2]
    assert sections[1].tables[0].rows[0][:2] == ("sparsity-0.5", "sparsity-0.8")


def test_a_folder_without_tickets_is_named(tickets: Tickets) -> None:
    complaint = tickets("analyse images").complaint
    assert complaint.startswith("error: images: contains no ticket and no finished transfer")


def test_a_control_that_cannot_be_is_refused_before_anything_is_trained(tickets: Tickets) -> None:
    line = (
        "run -s demo/resnet4 --weights random -d images -o refused --set draw.group=channel --set draw.scope=layer "
        "--set controls=[flipped]"
    )
    assert "flipped: exchanging single groups of kind 'channel'" in tickets(line).complaint
    assert not Path("refused").exists()


def test_a_run_is_analysed_as_its_recipe_says(tickets: Tickets) -> None:
    outcome = tickets("analyse run -o again")
    assert outcome.code == 0, outcome.err
    assert "at most 6 test images" in " ".join(outcome.out.split())


def test_instability_without_a_shared_start_is_refused(tickets: Tickets) -> None:
    complaint = tickets("analyse run -o refused --set instability={}").complaint
    assert complaint.startswith("error: instability: ")
    assert complaint.endswith("its seeds do not share their start; transfer with head: keep")
    line = "run one-shot -s demo/resnet4 --weights random -d images -o refused --set analyse.instability={}"
    told = "error: analyse.instability: transfers.full has a fresh head for every seed, so that its seeds do not share"
    assert tickets(line).complaint.startswith(told)
    assert not Path("refused").exists()
