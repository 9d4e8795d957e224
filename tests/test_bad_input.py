"""A user's mistake: one line that names it, exit code 2, and nothing written."""

import json
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import robust_tickets as rt
from robust_tickets.foundation.files import read_json, write_json
from robust_tickets.recipe import load_recipe
from robust_tickets.training.checkpoints import load_checkpoint
from tests.commands import Outcome, Tickets, colours, contents, tickets_process

NET = "-s demo/resnet4 --weights random"
QUICK = "--set training.epochs=1 --set seeds=[0]"
RECIPE = """
name: quick
sources: {net: {source: {name: demo/resnet4, weights: random}}}
data: {name: images}
draw: {sparsity: 0.5}
transfers: {full: {seeds: [0, 1], training: {epochs: 1}}}
shrink: null
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make, once, a folder with data, a network, a ticket, a transfer and a run."""
    folder = tmp_path_factory.mktemp("prepared")
    before = Path.cwd()
    os.chdir(folder)
    try:
        colours(Path("images"))
        Path("recipe.yaml").write_text(RECIPE)
        source = rt.load_source(rt.SourceSettings(name="demo/resnet4", weights="random"))
        ticket = rt.draw(source, sparsity=0.8, folder="ticket")
        rt.transfer(ticket, "images", training={"epochs": 1}, seeds=(0, 1), folder="runs")
        rt.run(load_recipe("recipe.yaml"), "run")
        save_file(source.network.plain_state(), "whole.safetensors")
        Path("file").write_text("not a folder")
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def place(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder, which is the current one."""
    folder = tmp_path / "place"
    shutil.copytree(prepared, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def tickets(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Tickets:
    return Tickets(capsys, monkeypatch)


def refused(tickets: Callable[[str], Outcome], line: str, *words: str) -> None:
    """Assert that a command is refused in one line with these words, and changes nothing."""
    before = contents(Path.cwd())
    complaint = tickets(line).complaint
    missing = [word for word in words if word not in complaint]
    assert not missing, complaint
    assert contents(Path.cwd()) == before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        # what there is not
        ("draw -s timm/resnet81 -o new", ["timm/resnet81", "timm/resnet18"]),
        ("draw -s demo/resnet4 -o new", ["without weights", "random"]),
        ("draw -s nothing:here -o new", ["nothing:here", "no module"]),
        ("run nothing -o new", ["nothing: no such recipe", "demo"]),
        ("run -o new", ["--source and --data", "tickets demo"]),
        (f"pretrain {NET} -d nowhere -o new", ["nowhere: no such folder or file", "glyphs"]),
        (f"pretrain {NET} -d torchvision/CIFAR11 -o new", ["CIFAR11", "CIFAR10"]),
        (f"run {NET} -d nowhere -o new", ["nowhere: no such folder or file"]),
        (f"find {NET} -d nowhere -o new", ["nowhere: no such folder or file"]),
        # found before the sources are pretrained
        ("run demo -d nowhere -o new", ["nowhere: no such folder or file"]),
        ("run demo -o new --set transfers.full.head=keep", ["head: keep", "26 classes", "digits has 10"]),
        (
            "run demo -o new --set variants.n.group=block --set variants.n.group.out=7",
            ["conv1.weight", "does not divide", "other weights", "prunable.exempt: [conv1.weight, layer1."],
        ),
        ("transfer tikcet -d images -o new", ["tikcet: is not a ticket's folder", "unknown network"]),
        ("transfer images -d images -o new", ["images: is a folder without source.json"]),
        ("verify nowhere", ["nowhere: no such folder", "a run or of a transfer"]),
        (
            "shrink ticket -o new.onnx",
            ["ticket: is a ticket that has not been transferred yet; train it with tickets transfer ticket"],
        ),
        ("report runs", ["runs: contains no finished run", "tickets run"]),
        ("report nowhere", ["nowhere: contains no finished run"]),
        (f"draw {NET} -o new --set timeline=iterative", ["draw.data is missing", "iterative"]),
        # keys and values
        ("run demo -o new --set draw.sparsty=0.5", ["draw.sparsty: no such setting", "did you mean draw.sparsity?"]),
        (
            "run demo -o new --set transfers.full.training.optimizer.lr=1",
            ["transfers.full.training.optimizer", "did you mean transfers.full.training.optimiser?"],
        ),
        (
            "run demo -o new --set variants.channel.grup=row",
            ["variants.channel.grup", "did you mean variants.channel.group?"],
        ),
        (f"draw {NET} -o new --set timelin=one-shot", ["timelin", "did you mean timeline?"]),
        (
            f"draw {NET} -o new --set timeline.every=1",
            ["timeline.every: no such setting; it belongs to timeline.kind gradual or drop-and-grow"],
        ),
        (f"find {NET} -d images -o new --set rungs=3", ["--set rungs", "find"]),
        (
            f"find {NET} -d images -o new --recipe fast --set draw.timeline.min_step=3",
            ["did you mean draw.timeline.min_steps?"],
        ),
        (f"find {NET} -d images -o new --set find.rung=3", ["find.rung", "did you mean find.rungs?"]),
        (f"pretrain {NET} -d images -o new --set seed=3", ["seed: no such setting"]),
        ("verify runs --set margins=1", ["margins", "did you mean margin?"]),
        ("verify runs --set margin=1", ["margin: is a fraction", "write 0.01 if you meant 1 points"]),
        ("shrink runs -o new.onnx --set thread=2", ["thread", "did you mean threads?"]),
        ("run demo -o new --set verify.margin=1", ["margin: is a fraction", "write 0.01 if you meant 1 points"]),
        (f"find {NET} -d images -o new --set verify.margin=2", ["margin: is a fraction", "write 0.02"]),
        ("run demo -o new --set draw.sparsity", ["--set draw.sparsity", "key=value"]),
        ("run demo -o new --set .sparsity=1", ["--set .sparsity=1", "key=value"]),
        ("run demo -o new --set 'draw.sparsity=[0.5'", ["--set draw.sparsity", "not YAML"]),
        (f"draw {NET} -o new --set data.fraction=0.5", ["--data"]),
        (f"pretrain {NET} -d images -o new --set data=glyphs", ["--set data=glyphs", "data.fraction"]),
        (f"draw {NET} -o new --preprocessing '{{mean: [0.5'", ["--preprocessing", "not YAML"]),
        (
            f"draw {NET} -o new --preprocessing '{{men: [0.5]}}'",
            ["preprocessing.men", "you mean source.preprocessing.mean?"],
        ),
        ("run demo --weights random -o new", ["--weights", "--source"]),
        ("transfer ticket --weights random -d images -o new", ["a ticket brings its own weights"]),
        ("transfer demo/resnet4 --weights random --source demo/resnet4 -d images -o new", ["source: only a ticket"]),
        (f"draw {NET} -o new --sparsity 1", ["sparsity: should be less than 1"]),
        (f"draw {NET} -o new --sparsity 90", ["sparsity: should be less than 1 (got 90.0)"]),
        (f"draw {NET} -o new --sparsity=-0.1", ["sparsity: should be greater than or equal to 0"]),
        ("run demo -o new --set draw.sparsity=[0.5,1.5]", ["draw.sparsity[1]: should be less than 1"]),
        (f"draw {NET} -o new --group chanel", ["group: 'chanel' is not known", "did you mean channel?"]),
        (f"draw {NET} -o new --group n-m --set scope=global", ["'n-m' works with scope 'layer'"]),
        (
            f"draw {NET} -o new --group n-m --set scope=layer --sparsity 0.9",
            ["fixes sparsity at 0.5", "set sparsity: 0.5"],
        ),
        (
            f"draw {NET} -o new --set 'group={{kind: n-m, n: 2, m: 5}}' --set scope=layer --sparsity 0.6",
            ["does not divide"],
        ),
        (
            "run demo -o new --set verify.robustness.threat.epsilon=8",
            ["verify.robustness.threat", "[0,1]", "8/255"],
        ),
        (f"pretrain {NET} -d images -o new --set objective=pgd --set objective.threat.epsilon=8", ["8/255"]),
        (f"pretrain {NET} -d images -o new --set epochs=many", ["epochs", "number", "'many'"]),
        # what does not fit
        (f"transfer ticket -d images -o new {QUICK} --set head=keep", ["head: keep", "10 classes", "has 3"]),
        (
            f"draw {NET} -d images -o new --set timeline=iterative --set training.epochs=1",
            ["draw.head: keep", "10 classes", "draw.head: fresh"],
        ),
        (f"transfer ticket -d images -o new {QUICK} --set data.channels=1", ["1 channel", "takes 3", "channels: 3"]),
        (f"transfer ticket -d images -o new --source cifar/resnet20 {QUICK}", ["drawn from demo/resnet4", "resnet20"]),
        (f"transfer ticket -d images -o runs {QUICK} --set mode=linear", ["runs/seed-0", "mode", "full", "linear"]),
        (f"transfer ticket -d images -o ticket {QUICK}", ["ticket: contains work", '"draw"']),
        (f"draw {NET} -o ticket --sparsity 0.5", ["ticket: contains work", "sparsity", "0.8", "0.5"]),
        (
            "run recipe.yaml -o run --set seed=1",
            ["run/tickets/net/draw: contains work", "seed = 0, now 1", "another folder"],
        ),
        ("run demo -o runs", ["runs: contains work", '"transfers"']),
        ("verify runs --exported file", ["file: is not an ONNX file"]),
        ("verify runs --exported gone.onnx", ["gone.onnx: no such file"]),
        ("verify runs --set measures=[robustnes]", ["measures[0]", "did you mean robustness?"]),
        ("verify runs --set 'measures=[{kind: robustness-curve, epsilons: [8]}]'", ["measures[0]", "8/255"]),
        # where nothing can be written
        (f"draw {NET} -o file", ["file: is a file"]),
        (f"draw {NET} -o file/below", ["file/below", "cannot be written"]),
        (f"draw {NET} -o /proc/new", ["/proc/new", "cannot be written"]),
        ("run recipe.yaml -o /dev/null/new", ["/dev/null/new", "cannot be written"]),
        ("convert whole.safetensors new.bin", ["new.bin", ".safetensors"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mistakes(tickets: Tickets, place: Path, line: str, words: list[str]) -> None:
    refused(tickets, line, *words)


@pytest.mark.parametrize("change", ["missing", "unexpected"])
def test_weights_must_be_all_there_and_no_more(tickets: Tickets, place: Path, change: str) -> None:
    state = load_file("whole.safetensors")
    if change == "missing":
        del state["conv1.weight"]
    else:
        state["extra.weight"] = torch.zeros(1)
    save_file(state, "wrong.safetensors")
    words = "conv1 is missing" if change == "missing" else "1 unexpected: extra.weight"
    refused(tickets, "draw -s demo/resnet4 --weights wrong.safetensors -o new", words)


def test_a_checkpoint_of_another_architecture(tickets: Tickets, place: Path) -> None:
    refused(
        tickets,
        "draw -s cifar/resnet20 --weights whole.safetensors -o new",
        "whole.safetensors: does not fit cifar/resnet20",
        "demo/resnet4",
    )


class Command:
    """Unpickling this runs a command."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch executed",)


def test_a_pickle_with_code_is_not_executed(tickets: Tickets, place: Path) -> None:
    torch.save({"state_dict": {"conv1.weight": torch.zeros(1)}, "callback": Command()}, "legacy.pt")
    refused(tickets, "draw -s demo/resnet4 --weights legacy.pt -o new", "legacy.pt", "system", "convert")
    refused(tickets, "convert legacy.pt new.safetensors", "legacy.pt", "system", "--allow-pickle")
    assert tickets("convert legacy.pt new.safetensors --allow-pickle").code == 0
    assert not Path("executed").exists()


def test_an_empty_class(tickets: Tickets, place: Path) -> None:
    Path("images/violet").mkdir()
    refused(tickets, f"transfer ticket -d images -o new {QUICK}", "violet")


def test_one_class(tickets: Tickets, place: Path) -> None:
    shutil.rmtree("images/red")
    shutil.rmtree("images/blue")
    refused(tickets, f"transfer ticket -d images -o new {QUICK}", "images", "class")


def test_a_truncated_image(tickets: Tickets, place: Path) -> None:
    file = Path("images/red/3.png")
    file.write_bytes(file.read_bytes()[:200])
    refused(tickets, f"transfer ticket -d images -o new {QUICK}", "images/red/3.png")


def test_a_folder_that_holds_no_images(tickets: Tickets, place: Path) -> None:
    Path("empty").mkdir()
    refused(tickets, f"transfer ticket -d empty -o new {QUICK}", "empty")


def test_images_of_another_channel_count(tickets: Tickets, place: Path) -> None:
    for file in Path("images").glob("*/1*.png"):
        Image.fromarray(np.zeros((16, 16), np.uint8)).save(file)
    grey, every = len(list(Path("images").glob("*/1*.png"))), len(list(Path("images").glob("*/*.png")))
    said = f"images: {grey} of {every} images are grey and become RGB, as in torchvision's ImageFolder"
    assert said in tickets(f"transfer ticket -d images -o new {QUICK}").out


def test_finished_work_is_not_taken_for_that_of_other_pixels(tickets: Tickets, place: Path) -> None:
    file = Path("images/red/3.png")
    pixels = np.array(Image.open(file))
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(file)
    refused(tickets, "verify runs", "runs/seed-", "contains work with data = ", "now ")


def test_recipes_that_are_not_recipes(tickets: Tickets, place: Path) -> None:
    Path("broken.yaml").write_text("draw: [0.5\ndata: {")
    refused(tickets, "run broken.yaml -o new", "broken.yaml: is not YAML", "line 2")
    Path("list.yaml").write_text("- draw")
    refused(tickets, "run list.yaml -o new", "list.yaml: a recipe is a mapping")
    Path("binary.yaml").write_bytes(b"\xff\xfe\x00name")
    refused(tickets, "run binary.yaml -o new", "binary.yaml")
    Path("half.yaml").write_text("name: half")
    refused(tickets, "run half.yaml -o new", "sources: is missing")
    Path("path.yaml").write_text(RECIPE.replace("net:", "../net:"))
    refused(tickets, "run path.yaml -o new", "'../net' cannot be a folder's name")


def test_a_loss_that_is_not_finite(tickets: Tickets, place: Path) -> None:
    steep = "--set training.optimiser.lr=1e30 --set seeds=[0] --set training.epochs=3 --set training.batch_size=8"
    refused(tickets, f"transfer ticket -d images -o new {steep}", "the loss became", "at step", "optimiser.lr")
    outcome = tickets(f"transfer ticket -d images -o new {steep} --set training.checkpoint_seconds=0")
    assert "the last good checkpoint is new/seed-0/checkpoint.pt" in outcome.complaint
    kept = load_checkpoint(Path("new/seed-0/checkpoint.pt"))
    assert kept is not None
    assert not Path("new/seed-0/result.json").exists()


def flip_a_byte() -> None:
    content = bytearray(Path("ticket/masks.safetensors").read_bytes())
    content[-1] ^= 1
    Path("ticket/masks.safetensors").write_bytes(content)


def cut_the_masks() -> None:
    content = Path("ticket/masks.safetensors").read_bytes()
    Path("ticket/masks.safetensors").write_bytes(content[:-10])


def edit(**changes: object) -> Callable[[], None]:
    return lambda: write_json("ticket/ticket.json", {**read_json("ticket/ticket.json"), **changes})


def reshape(shape: list[int]) -> Callable[[], None]:
    def change() -> None:
        content = read_json("ticket/ticket.json")
        content["shapes"]["conv1.weight"] = shape
        write_json("ticket/ticket.json", content)

    return change


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (flip_a_byte, ["ticket", "damaged"]),
        (cut_the_masks, ["ticket/masks.safetensors"]),
        (lambda: Path("ticket/masks.safetensors").unlink(), ["ticket/masks.safetensors: no such file"]),
        (lambda: Path("ticket/ticket.json").write_text("{"), ["ticket/ticket.json: is not valid JSON"]),
        (edit(sparsity=0.5), ["ticket", "damaged"]),
        (edit(digest="sha256:0"), ["ticket", "damaged"]),
        (edit(format=2), ["format 2", "reads 1"]),
        (edit(colour="red"), ["ticket.json.colour: no such setting"]),
        (edit(prunable=["../../../etc/passwd"]), ["no mask for ../../../etc/passwd"]),
        (edit(recipe={}), ["recipe.source"]),
        (edit(init="stored"), ["ticket/init.safetensors: no such file"]),
        (reshape([10**9, 10**9]), ["conv1.weight", "cannot encode shape"]),
        (reshape([-16, -3, 3, 3]), ["ticket", "do not belong together"]),
        (reshape([16, 3, 9]), ["ticket", "damaged"]),
    ],
    ids=[
        *("a byte flipped", "masks cut", "no masks", "not JSON", "sparsity edited", "digest edited", "newer format"),
        *(
            "unknown field",
            "path as a name",
            "no source",
            "no weights",
            "absurd shape",
            "negative shape",
            "other shape",
        ),
    ],
)
def test_a_damaged_ticket(tickets: Tickets, place: Path, damage: Callable[[], None], words: list[str]) -> None:
    damage()
    refused(tickets, f"transfer ticket -d images -o new {QUICK}", *words)


def test_a_users_function_is_not_called_by_a_ticket_alone(tickets: Tickets, place: Path) -> None:
    Path("own_code.py").write_text(
        "from pathlib import Path\n"
        "Path('executed').touch()\n"
        "from robust_tickets.models.named import load_named\n"
        "from robust_tickets import SourceSettings\n"
        "def net():\n"
        "    return load_named(SourceSettings(name='demo/resnet4', weights='random')).body\n"
    )
    content = read_json("ticket/ticket.json")
    content["recipe"]["source"] |= {"name": "own_code:net", "weights": "default"}
    content["recipe"]["source"]["preprocessing"] = {"mean": [0, 0, 0], "std": [1, 1, 1], "size": [32, 32]}
    write_json("ticket/ticket.json", content)
    refused(tickets, f"transfer ticket -d images -o new {QUICK}", "your own code", "own_code:net")
    assert not Path("executed").exists()
    assert tickets(f"transfer ticket -d images -o new {QUICK} --source own_code:net").code == 0
    assert Path("executed").exists()
    refused(tickets, "verify new", "your own code", "own_code:net")
    assert tickets("verify new --source own_code:net").code == 0


def test_a_full_disk(place: Path) -> None:
    before = contents(place)

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    result = tickets_process(f"draw {NET} -o new", place, preexec_fn=small_disk)
    assert result.returncode == 2, result.stderr
    assert result.stderr.splitlines() == [
        "error: new/masks.safetensors: no space left to write it; free some space and rerun the same command"
    ]
    assert contents(place) == before


def test_a_report_of_something_else(tickets: Tickets, place: Path) -> None:
    Path("run/summary.json").write_text(json.dumps({"title": "x", "rows": [{}]}))
    refused(tickets, "report run", "run/summary.json", "is not the summary of a run")
