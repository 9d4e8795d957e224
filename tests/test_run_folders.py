"""The README's journey: every verb works on the folder that `tickets run` made, wherever it is now."""

import re
import shutil
from pathlib import Path

import pytest

import robust_tickets as rt
from tests.commands import Outcome, Tickets, colours
from tests.verbs.small import times


@pytest.fixture
def tickets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tickets:
    return Tickets(capsys, monkeypatch)


RECIPE = {
    "sources": {
        "small": {
            "source": {"name": "cnn-a", "weights": "random", "num_classes": 3},
            "pretrain": {"data": {"name": "images"}, "training": {"epochs": 1}},
        }
    },
    "data": {"name": "images"},
    "draw": {"sparsity": 0.5},
    "transfers": {"full": {"training": {"epochs": 1}, "seeds": [0, 1]}},
    "shrink": {"rounds": 3},
}
TICKET = "runs/mine/transfers/data/small/full/draw/drawn-sparsity-0.5"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data and a finished run of one ticket, its source pretrained in the run."""
    place = tmp_path_factory.mktemp("journey")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        colours(place / "images")
        rt.run(rt.load_recipe("one-shot", values=RECIPE), "runs/mine")
    return place


@pytest.fixture
def run(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of that folder, which is the working directory."""
    shutil.copytree(made, tmp_path / "job")
    monkeypatch.chdir(tmp_path / "job")
    return tmp_path / "job"


def works(told: Outcome) -> Outcome:
    assert told.code == 0, told.err
    return told


def trained(folder: Path) -> dict[str, int]:
    """Return every trained network in a folder with the time at which it was written."""
    return {name: at for name, at in times(folder).items() if name.endswith("weights.safetensors")}


def test_the_commands_of_the_readme_as_printed(tickets: Tickets, run: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = trained(run)
    told = works(tickets("shrink runs/mine --out model.rtk"))
    assert f"runs/mine: its transfer is {TICKET}" in caplog.text
    assert "model.rtk: " in told.out
    works(tickets("check model.rtk"))
    assert "the network of seed" in works(tickets("check runs/mine")).out
    assert "model.rtk and its network" in works(tickets("verify runs/mine --exported model.rtk")).out
    assert (run / TICKET / "verdict.json").is_file()
    works(tickets("analyse runs/mine --set landscape=null"))
    works(tickets("report runs/mine"))
    assert trained(run) == before, "nothing is trained again"
    assert "trained now" not in caplog.text
    assert rt.load_transfer("runs/mine").folder == Path(TICKET)
    assert f"tickets report {run}/runs/mine" in tickets(f"report {TICKET}").complaint


def test_a_seed_of_a_run(tickets: Tickets, run: Path) -> None:
    result = rt.load_transfer(f"{TICKET}/seed-1")
    assert [one.seed for one in result.runs] == [1]
    assert result.settings.seeds == (1,)
    assert rt.load_transfer(TICKET).settings.seeds == (0, 1), "the record of the transfer is as it was"
    assert "Cannot tell from one seed" in works(tickets(f"verify {TICKET}/seed-1")).out


@pytest.mark.parametrize("absolute", [False, True], ids=["as written now", "as older versions wrote it"])
def test_a_run_that_was_moved_works_with_every_verb(
    tickets: Tickets, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absolute: bool
) -> None:
    mine = run / "runs" / "mine"
    named = [path for path in mine.rglob("*") if path.is_file() and b"/journey" in path.read_bytes()]
    assert named == [], "no file of a run names the folder that it was made in"
    if absolute:
        relative = re.compile(r'"(\.\./)+sources/small"')
        records = [path for path in mine.rglob("t*.json") if relative.search(path.read_text())]
        assert {path.name for path in records} == {"ticket.json", "transfer.json"}
        for path in records:
            path.write_text(relative.sub(f'"{mine}/sources/small"', path.read_text()))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    shutil.move(mine, "sent")
    shutil.move(run / "images", "pictures")
    shutil.rmtree(run)
    before = trained(Path())
    assert "images" in tickets("verify sent").complaint, "the data are asked for"
    works(tickets("verify sent --data pictures"))
    works(tickets("report sent"))
    if not absolute:
        works(tickets("shrink sent --data pictures --out model.rtk"))
        works(tickets("verify sent --data pictures --exported model.rtk"))
    assert trained(Path()) == before
    ticket = rt.Ticket.load("sent/tickets/small/draw")
    assert ticket.load_source().identity.digest == rt.load_source("sent/sources/small").identity.digest
    ticket.save("alone")
    assert "sent/sources/small" in Path("alone/ticket.json").read_text(), "outside the run, where the source is"


def test_the_best_of_several_is_taken_and_ways_of_drawing_are_listed(
    tickets: Tickets, run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    values = {**RECIPE, "shrink": None, "verify": {"margin": 0.9}}
    rt.run(rt.load_recipe("one-shot", values={**values, "draw": {"sparsity": [0.3, 0.6]}}), "runs/ladder")
    caplog.clear()
    told = works(tickets("verify runs/ladder")).out
    assert "runs/ladder: choosing one of 2 tickets on validation" in caplog.text
    base = "runs/ladder/transfers/data/small/full/draw/drawn-sparsity"
    tried = [rt.verify(rt.load_transfer(f"{base}-{each}"), part="validation", margin=0.9) for each in ("0.3", "0.6")]
    matching = [each.sparsity for each in tried if each.matches]
    wanted = max(matching) if matching else max(tried, key=lambda each: each.standard.ticket).sparsity
    assert f"{100 * wanted:.0f} % sparsity" in told
    assert rt.load_transfer("runs/ladder").sparsity == wanted
    assert "margin 90" in told, "what matches means is the recipe's"

    rt.run(rt.load_recipe("one-shot", values={**values, "variants": {"rows": {"group": "row"}}}), "runs/ways")
    told = tickets("shrink runs/ways --out model.rtk").complaint
    base = "runs/ways/transfers/data/small/full"
    assert f"tickets shrink {base}/draw/drawn-sparsity-0.5 --out model.rtk" in told
    assert f"tickets shrink {base}/rows/drawn-sparsity-0.5 --out model.rtk" in told
    works(tickets(f"shrink {base}/rows/drawn-sparsity-0.5 --out model.rtk --set rounds=3"))
    works(tickets("verify runs/ways --exported model.rtk"))
    assert f"model.rtk was made from {base}/rows" in caplog.text, "the file says whose it is"
    with pytest.raises(rt.UserError, match=rf'rt\.load_transfer\("{base}/draw'):
        rt.load_transfer("runs/ways")
    told = tickets("transfer runs/ways -d images -o further").complaint
    assert "runs/ways: contains 2 tickets; give one of them: " in told
    assert f"{base}/rows/drawn-sparsity-0.5/ticket" in told


def test_the_ticket_of_a_run_is_transferred_further(tickets: Tickets, run: Path) -> None:
    works(tickets("transfer runs/mine -d images -o further --set seeds=[0] --set training.epochs=0"))
    ticket = rt.load_transfer("further").ticket
    assert ticket is not None
    assert ticket.digest == rt.Ticket.load(f"{TICKET}/ticket").digest
    told = tickets("export runs/mine -o model.rtk").complaint
    assert "runs/mine: contains transfers; ship the best one with tickets shrink runs/mine -o model.rtk" in told


def test_what_find_found(tickets: Tickets, run: Path) -> None:
    line = (
        "find -s runs/mine/sources/small -d images -o found --set 'find.sparsities=[0.3]' --set verify.margin=0.9 "
        "--set transfer.training.epochs=0 --set 'transfer.seeds=[0,1]'"
    )
    works(tickets(line))
    before = trained(run)
    works(tickets("verify found"))
    assert trained(run) == before
    assert rt.load_transfer("found").sparsity == pytest.approx(0.3, abs=1e-3)


def test_dense_is_found_beside_a_transfer_and_trained_only_where_it_is_not(
    tickets: Tickets, run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    quick = "-d images --set training.epochs=1 --set 'seeds=[0,1]'"
    works(tickets("draw -s runs/mine/sources/small --sparsity 0.4 -o ticket"))
    works(tickets(f"transfer ticket {quick} -o runs/ticket"))
    works(tickets(f"transfer runs/mine/sources/small {quick} -o runs/whole"))
    works(tickets("verify runs/ticket"))
    assert not (run / "runs" / "ticket" / "dense").exists()
    shutil.rmtree(run / "runs" / "whole")
    works(tickets("verify runs/ticket"))
    told = (
        "the dense network has not been transferred yet and is trained now, seeds 0, 1; it will be kept in "
        "runs/ticket/dense"
    )
    assert told in caplog.text
    assert (run / "runs" / "ticket" / "dense" / "seed-1" / "result.json").is_file()
    caplog.clear()
    works(tickets("verify runs/ticket"))
    assert "trained now" not in caplog.text


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nowhere", "nowhere: no such folder; give the folder of a run or of a transfer"),
        (
            "runs/mine/sources/small",
            "is a network, not a transfer; train it with tickets transfer runs/mine/sources/small --data",
        ),
        ("runs/mine/draw.onnx", "runs/mine/draw.onnx: is a file; give the folder of a run or of a transfer"),
        ("images", "images: contains no transfer of a ticket"),
        (
            "runs/mine/tickets/small/draw",
            "is a ticket that has not been transferred yet; train it with tickets transfer "
            "runs/mine/tickets/small/draw --data DATA",
        ),
    ],
)
def test_other_paths_are_told_in_one_line(tickets: Tickets, run: Path, path: str, words: str) -> None:
    for line in (f"verify {path}", f"shrink {path} --out model.rtk"):
        assert words in tickets(line).complaint
    assert not (run / "model.rtk").exists()


def test_unfinished_work_is_named(tickets: Tickets, run: Path) -> None:
    for result in (run / "runs" / "mine" / "transfers").rglob("seed-1/result.json"):
        result.unlink()
    assert "none of its transfers is finished; rerun" in tickets("verify runs/mine").complaint
