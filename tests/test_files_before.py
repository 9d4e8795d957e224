"""Files that an earlier version wrote still open, say what they said, and are not worked on anew.

How they came about is in `files_before/make.py`.
"""

import json
import operator
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import robust_tickets as rt
from tests.behaviour.comparing import RENAMED, with_names_of_now
from tests.behaviour.recording import flat
from tests.commands import Outcome, Tickets, contents
from tests.files_before.make import PREDICTED, SOURCE

FILES = Path(__file__).parent / "files_before" / "files"
TICKETS = ("run/tickets/small/draw", "run/trained", "run/channels", "labelled/tickets/small/draw", "small")
TRANSFER = "transfers/data/small/full/draw/drawn-sparsity-0.5"
RECORDS = {
    "transfer.json",
    "verdict.json",
    "evaluation.json",
    "recipe.yaml",
    "summary.json",
    "report.html",
    "report.md",
}
WIDENED = {
    "low": operator.le,
    "lower": operator.le,
    "high": operator.ge,
    "upper": operator.ge,
    "seeds_needed": operator.ge,
}
"""Of decisions, which were over seeds alone: how ends of intervals and numbers of seeds are now to what they were."""
OF_RUNS = {Path("run/result.json"), Path("labelled/result.json")}
"""Files that are written anew, from what is kept."""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the files, which is the working directory."""
    shutil.copytree(FILES, tmp_path / "before")
    monkeypatch.chdir(tmp_path / "before")
    return Path()


@pytest.fixture
def tickets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tickets:
    return Tickets(capsys, monkeypatch)


def works(told: Outcome) -> str:
    assert told.code == 0, told.err
    return told.out


def worked_on(before: dict[str, tuple[int, int]]) -> list[str]:
    """Return which files were written or are new since, but for those that are written from what is kept."""
    changed = [Path(name) for name, state in contents(Path()).items() if before.get(name) != state]
    return sorted(
        str(path)
        for path in changed
        if path.is_file() and path.parent.name != "figures" and not path.match("*.tuning.json")
        if path.name not in RECORDS and path not in OF_RUNS
    )


def read(path: str) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def assert_still_says(file: str, before: Any) -> None:
    """Compare a JSON file with what it held: that is there, whatever was added; words may be others, figures not."""
    found = dict(flat({key: read(file)[key] for key in before}))
    for place, value in with_names_of_now({file: dict(flat(before))}, RENAMED)[file].items():
        assert place in found
        *_, key = place.rpartition(".")
        if key in WIDENED and value is not None:
            # It may be now that no number of seeds is enough.
            assert (key == "seeds_needed" and found[place] is None) or WIDENED[key](found[place], value), place
        else:
            assert found[place] == (pytest.approx(value, rel=1e-5) if isinstance(value, float) else value), place


@pytest.mark.parametrize("run", ["run", "labelled"])
def test_a_run_is_finished_and_stays_as_it_is(tickets: Tickets, files: Path, run: str) -> None:
    before, summary = contents(files), read(f"{run}/summary.json")
    figures = {key: summary[key] for key in ("rows", "verdicts", "shrink", "layer_sparsity")}
    works(tickets(f"run {run}.yaml --out {run}"))
    assert worked_on(before) == []
    assert_still_says(f"{run}/summary.json", figures)
    works(tickets(f"report {run}"))
    assert (files / run / "report.html").is_file()


@pytest.mark.parametrize(("run", "exported"), [("run", "--exported run/draw.rtk"), ("labelled", "")])
def test_a_verdict_comes_out_of_what_was_measured(tickets: Tickets, files: Path, run: str, exported: str) -> None:
    before, verdict = contents(files), read(f"{run}/{TRANSFER}/verdict.json")
    works(tickets(f"verify {run} {exported}"))
    assert worked_on(before) == []
    assert_still_says(f"{run}/{TRANSFER}/verdict.json", verdict)


def test_an_evaluation_is_kept(tickets: Tickets, files: Path) -> None:
    before, evaluation = contents(files), read("evaluated/evaluation.json")
    works(tickets(f"evaluate {SOURCE} --data digits --set measures=[calibration] --out evaluated"))
    assert worked_on(before) == []
    assert_still_says("evaluated/evaluation.json", evaluation)


def test_networks_do_what_was_measured_of_them(tickets: Tickets, files: Path) -> None:
    """Measure anew, elsewhere: one image of 719 may be on the edge."""
    evaluation = read("evaluated/evaluation.json")["runs"][0]
    works(tickets(f"evaluate {SOURCE} --data digits --set measures=[calibration] --out anew"))
    anew = read("anew/evaluation.json")["runs"][0]
    assert anew["standard"] == pytest.approx(evaluation["standard"], abs=2 / 719)
    (now,), (then,) = anew["measures"].values(), evaluation["measures"].values()
    assert now == pytest.approx(then, abs=0.01)
    for result in files.glob(f"run/{TRANSFER}/seed-*/test-*"):
        shutil.rmtree(result)
    verdict = read(f"run/{TRANSFER}/verdict.json")
    works(tickets("verify run"))
    for now, then in zip(read(f"run/{TRANSFER}/verdict.json")["ticket_runs"], verdict["ticket_runs"], strict=True):
        assert now["standard"] == pytest.approx(then["standard"], abs=2 / 719)
        assert now["robust"] == pytest.approx(then["robust"], abs=1 / 50)


@pytest.mark.parametrize("name", PREDICTED)
def test_predictions_are_the_same(tickets: Tickets, files: Path, name: str) -> None:
    works(tickets(f"predict {PREDICTED[name]} scenes/test/images --top 3 --out now.json"))
    for now, then in zip(read("now.json"), read(f"predicted/{name}.json"), strict=True):
        assert now["path"] == then["path"]
        assert [one["class"] for one in now["predictions"]] == [one["class"] for one in then["predictions"]]
        probabilities = [one["probability"] for one in then["predictions"]]
        assert [one["probability"] for one in now["predictions"]] == pytest.approx(probabilities, abs=1e-4)


@pytest.mark.parametrize("place", TICKETS)
def test_a_ticket_opens_with_its_source(files: Path, place: str) -> None:
    record, ticket = read(f"{place}/ticket.json"), rt.Ticket.load(place)
    assert (ticket.digest, ticket.init, ticket.sparsity) == (record["digest"], record["init"], record["sparsity"])
    assert ticket.load_source().identity.digest == record["source"]["digest"]


def test_runtime_files_compute_what_their_networks_do(files: Path) -> None:
    transfer = rt.load_transfer("run")
    assert [one.seed for one in transfer.runs] == [0, 1]
    assert transfer.best.folder is not None
    channels = rt.load(SOURCE)
    rt.Ticket.load("run/channels").apply(channels)
    images = torch.rand((4, 1, 16, 16), generator=torch.Generator().manual_seed(0))

    def logits(network: torch.nn.Module) -> torch.Tensor:
        with torch.no_grad():
            return network.eval()(images)

    for file, network in (("run/draw.rtk", rt.load(transfer.best.folder)), ("channels.rtk", channels)):
        torch.testing.assert_close(rt.load_runtime(file)(images), logits(network), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(logits(rt.load("small")), logits(channels), atol=1e-4, rtol=1e-4)


def test_runtime_files_are_checked(tickets: Tickets, files: Path) -> None:
    for line in ("check run/draw.rtk --against run", "check channels.rtk"):
        assert "computes what the other engines compute" in works(tickets(line))


def test_the_verbs_go_on_from_them(tickets: Tickets, files: Path) -> None:
    works(tickets("shrink run --out model.rtk --set rounds=3"))
    assert rt.load_runtime("model.rtk").classes == rt.load_runtime("run/draw.rtk").classes
    works(tickets("export run/trained --out trained.rtk --set rounds=3"))
    works(tickets("transfer run/channels --data digits --out further --set seeds=[0] --set training.epochs=0"))
    works(tickets("transfer small --data digits --out smaller --set seeds=[0] --set training.epochs=0"))


def test_settings_of_data_that_came_later_do_not_rename_what_was_measured() -> None:
    """Results are stored by the values of settings; new settings must not change those of old recipes."""
    plain = rt.DataSettings(name="digits")
    known = {
        *("name", "root", "size", "channels", "fraction", "per_class", "validation", "test", "ignore", "glyphs"),
        *("augmentation", "on_unreadable", "workers"),
    }
    assert set(plain.model_dump()) == set(json.loads(plain.model_dump_json())) == known
    chosen = rt.DataSettings(name="glyph-scenes", scenes={"count": 8}, label="kind")  # pyright: ignore[reportArgumentType]
    assert set(chosen.model_dump()) == known | {"scenes", "label"}
    assert rt.DataSettings.model_validate(chosen.model_dump(mode="json")) == chosen
