"""`tickets search` as a user calls it: a folder to ship, a page to send, and one line for each mistake."""

import re
from pathlib import Path

import pytest
import torch

import robust_tickets as rt
from robust_tickets.foundation.files import read_json
from tests.commands import Outcome, Tickets, colours, contents
from tests.verbs.small import times

NET = "-s cifar/resnet8 --weights random --preprocessing '{size: [16, 16]}'"
LINE = (
    f"search {NET} -d images -o out --epochs 8 --sparsity 0.8 --set min_steps=0 --set pull=8 --set threshold=0.1 "
    "--set training.batch_size=8 --set training.warmup=0 --set shrink.rounds=3"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search")
    colours(folder / "images")
    return folder


@pytest.fixture
def tickets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, place: Path) -> Tickets:
    monkeypatch.chdir(place)
    return Tickets(capsys, monkeypatch)


@pytest.fixture
def done(tickets: Tickets) -> Outcome:
    return tickets(LINE)


@pytest.fixture
def made(tickets: Tickets, place: Path) -> Path:
    """The folder of a finished search."""
    if not (place / "out" / "report.html").exists():
        assert tickets(LINE).code == 0
    return place / "out"


def test_it_prints_what_was_found_and_where_it_is(done: Outcome, place: Path) -> None:
    assert done.code == 0, done.err
    first, second, third, *rest = done.out.splitlines()
    assert re.fullmatch(
        r"A training of \d+ steps removed [1-9]\d* of 128 channels, and with them [\d.]+ % of the multiply-adds\. "
        r"In all, 80(\.\d+)? % of the weights are removed\.",
        first,
    )
    assert re.match(r"[\d.]+ % accuracy \(95 % interval [\d.]+ to [\d.]+\) on \d+ test images of images, ", second)
    assert "times fewer multiply-adds" in third
    assert rest[0].startswith("Not compared with the dense network trained on the same data: ")
    assert rest[-2:] == [
        "out/network: the smaller network, which rt.load opens; out/ticket: its ticket",
        "report: out/report.html",
    ]
    network = rt.load(place / "out" / "network")
    assert network(torch.rand(2, 3, 16, 16)).shape == (2, 3)
    assert read_json(place / "out" / "network" / "origin.json")["classes"] == ["blue", "green", "red"]


def test_the_commands_that_it_names_work(tickets: Tickets, done: Outcome, place: Path) -> None:
    said = re.search(r"(tickets export .* --out model\.rtk) writes it without them", done.out)
    assert said is not None
    exported = tickets(said[1].removeprefix("tickets "))
    assert (exported.code, exported.err) == (0, "")
    assert (place / "model.rtk").stat().st_size > 0
    said = re.search(r"(tickets transfer .*) --data DATA --out RUNS, and (tickets verify) RUNS", done.out)
    assert said is not None
    trained = tickets(
        f"{said[1].removeprefix('tickets ')} --data images --out runs --set seeds=[0] --set training.epochs=1"
    )
    assert trained.code == 0, trained.err
    verified = tickets(f"{said[2].removeprefix('tickets ')} runs")
    assert "dense" in verified.out, verified.err


def test_the_page_is_one_file_that_tells_all(tickets: Tickets, done: Outcome, place: Path) -> None:
    page = (place / "out" / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:|#)', page), "it is one file"
    assert "<h1>A smaller cifar/resnet8 for images</h1>" in page
    for words in (
        "Size and speed",
        "What is left of the network",
        "Channels of every layer",
        "layer3.0.conv1",
        "Not compared with the dense network",
        "3 classes",
        "tickets search -s cifar/resnet8",
    ):
        assert words in page, words
    table = page[page.index("<h3>Channels</h3>") :]
    assert table.index("layer1.0.conv1") < table.index("layer3.0.conv1")


def test_the_same_command_goes_on_and_says_the_same(tickets: Tickets, done: Outcome, place: Path) -> None:
    before, page = times(place / "out"), (place / "out" / "report.html").read_text(encoding="utf-8")
    assert tickets(LINE).out == done.out
    assert times(place / "out") == before
    assert (place / "out" / "report.html").read_text(encoding="utf-8") == page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("--sparsity 0.5", "out: contains work with settings.sparsity = 0.8, now 0.5; choose another folder"),
        ("-d nowhere", "nowhere: no such folder or file"),
        ("-s cnn-a -o new", "cnn-a: has no batch norm, whose scales are the gains of channels"),
        ("-s timm/vit_tiny_patch16_224 -o new --preprocessing '{}'", "timm/vit_tiny_patch16_224: has no batch norm"),
        ("-s tiny/bert -o new", "tiny/bert: reads texts, and a network for images is needed"),
        ("-s prior/unet2-x0.25 -o new --preprocessing '{}'", "prior/unet2-x0.25: takes fixed noise; a search needs"),
        ("-s cifar/resnet9 -o new", "cifar/resnet9"),
        ("-d tales -o new", "tales: contains texts, which need a network that takes texts"),
        ("-o new --set pul=2", "pul: no such setting; did you mean pull?"),
        ("-o new --set robustness.threat.epsilon=8/255", "robustness: no such setting"),
        ("-o new --set training.objective=pgd --set training.objective.threat.epsilon=8", "write 8/255 if you meant"),
        ("-o new --set training.optimiser=adamw", "penalty: is missing; under adamw it cannot be derived"),
        ("-o new --set shrink.half=true", "shrink.half: is of files, and a search writes a folder"),
        ("-o new --epochs 0", "epochs: should be greater than 0"),
        ("-o new --epochs 0.01", "epochs: 0.01 epochs are too few training steps to search in"),
        ("-o images/new", "images/new: is inside the data folder images"),
        ("-o images", "images: contains files that robust-tickets did not write"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(
    tickets: Tickets, made: Path, place: Path, change: str, said: str
) -> None:
    before = contents(place)
    # Later options win, so that the mistake stands.
    assert said in tickets(f"{LINE} {change}").complaint
    assert contents(place) == before


def test_the_options_are_those_of_python(made: Path) -> None:
    found = rt.search(
        "cifar/resnet8",
        "images",
        weights="random",
        preprocessing={"size": [16, 16]},
        epochs=8,
        sparsity=0.8,
        min_steps=0,
        pull=8,
        threshold=0.1,
        training={"batch_size": 8, "warmup": 0},
        shrink={"rounds": 3},
    )
    assert found.ticket.digest == rt.Ticket.load(made / "ticket").digest
