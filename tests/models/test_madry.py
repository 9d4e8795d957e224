"""Madry's ImageNet networks by short name: through the Hub's cache, from a server, and refused where they changed."""

import hashlib
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from torch import Tensor, nn
from torchvision import models

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.convert import convert
from robust_tickets.models.families.family import ArchitectureOptions
from robust_tickets.models.families.madry_models import FILES, REPOSITORY
from robust_tickets.models.registry import available, resolve
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, load_source
from robust_tickets.ticket.ticket import Ticket
from tests.commands import Tickets

COMMIT, OTHER = "0123456789abcdef" * 2 + "01234567", "f" * 40
SHUFFLENET = "shufflenet_l2_eps3.ckpt"


class Normaliser(nn.Module):
    """The robustness library's `InputNormalize`."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("new_mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("new_std", torch.tensor([0.229, 0.224, 0.225])[:, None, None])


class Wrapper(nn.Module):
    """Its `DummyModel`, around architectures that are not its own."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


class Attacker(nn.Module):
    """Its `Attacker`, which holds the network again."""

    def __init__(self, model: nn.Module, normaliser: nn.Module) -> None:
        super().__init__()
        self.normalize = normaliser
        self.model = model


class AttackerModel(nn.Module):
    """Its `AttackerModel`."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.normalizer = Normaliser()
        self.model = model
        self.attacker = Attacker(model, self.normalizer)


def checkpoint(network: nn.Module, *, wrapped: bool) -> dict[str, Any]:
    """Return what the library's trainer saves of a network under DataParallel."""
    whole = nn.DataParallel(AttackerModel(Wrapper(network) if wrapped else network))
    optimiser = torch.optim.SGD(whole.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, step_size=30)
    return {
        "model": whole.state_dict(),
        "optimizer": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
        "epoch": 90,
        "amp": None,
        "nat_prec1": torch.tensor(53.1),
        "adv_prec1": torch.tensor(31.0),
    }


@pytest.fixture(scope="module")
def shufflenet() -> nn.Module:
    torch.manual_seed(0)
    return models.shufflenet_v2_x1_0()


@pytest.fixture(scope="module")
def published(shufflenet: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository's file of a ShuffleNet, made in its format: before PyTorch's zip files."""
    file = tmp_path_factory.mktemp("published") / SHUFFLENET
    torch.save(checkpoint(shufflenet, wrapped=True), file, _use_new_zipfile_serialization=False)
    return file


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Hugging Face home of its own, without a network."""
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home" / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "home"


def put(file: Path, cache: Path, name: str = "", commit: str = COMMIT) -> Path:
    """Lay a file into a Hub cache as a download leaves it: content by hash, and a link from the commit."""
    repository = cache / f"models--{REPOSITORY.replace('/', '--')}"
    blob = repository / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
    link = repository / "snapshots" / commit / (name or file.name)
    for folder in (blob.parent, link.parent, repository / "refs"):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, blob)
    link.symlink_to(os.path.relpath(blob, link.parent))
    (repository / "refs" / "main").write_text(commit)
    return link


def load(name: str, **settings: Any) -> Source:
    return load_source(SourceSettings.model_validate({"name": name, **settings}))


def same(found: Source, network: nn.Module) -> bool:
    state: dict[str, Tensor] = found.network.plain_state()
    expected = network.state_dict()
    return state.keys() == expected.keys() and all(torch.equal(state[name], expected[name]) for name in state)


@pytest.mark.parametrize("spelling", ["shufflenet-l2-3.0", "shufflenet-l2-3", "shufflenet_v2_x1_0-l2-3", SHUFFLENET])
def test_a_short_name_loads_the_cached_file(published: Path, shufflenet: nn.Module, home: Path, spelling: str) -> None:
    put(published, home / "hub")
    source = load(f"madry/{spelling}")
    assert same(source, shufflenet)
    identity = source.identity
    assert identity.name == "madry/shufflenet-l2-3.0"
    assert identity.weights == SHUFFLENET
    assert identity.format == "Madry robustness (module.model.model.*)"
    assert identity.preprocessing.mean == (0.485, 0.456, 0.406)
    assert identity.preprocessing.size == (224, 224)
    assert any(hashlib.sha256(published.read_bytes()).hexdigest() in note and COMMIT in note for note in identity.notes)
    assert load_source(source.settings).identity == identity


def test_the_librarys_own_architectures_have_one_wrapper_less(tmp_path: Path, home: Path) -> None:
    torch.manual_seed(0)
    network = models.resnet18()
    torch.save(checkpoint(network, wrapped=False), tmp_path / "file", _use_new_zipfile_serialization=False)
    put(tmp_path / "file", home / "hub", "resnet18_linf_eps4.0.ckpt")
    source = load("madry/resnet18-linf-4")
    assert same(source, network)
    assert source.identity.format == "Madry robustness (module.model.*)"


def test_every_file_has_a_name_and_an_architecture() -> None:
    names = available("madry/")
    assert len(names) == len(set(FILES.values())) == 4 * 10 + 6 * 2 + 3 * 5
    for name in names:
        family, inner = resolve(name)
        assert family.prefix == "madry/"
        assert family.knows(inner)
    family, inner = resolve("madry/wide_resnet50_4-l2-1.0")
    with torch.device("meta"):
        widest = family.build(inner, ArchitectureOptions())
    assert widest.get_parameter("layer4.2.conv2.weight").shape == (2048, 2048, 3, 3)
    assert widest.get_parameter("fc.weight").shape == (1000, 2048)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("resnet18-l2-2", "madry/resnet18-l2-R with R = 0.0, 0.01, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 5.0, and "),
        ("resnet18-linf-3", "madry/resnet18-linf-R with R = 0.5, 1.0, 2.0, 4.0, 8.0"),
        ("mobilenet_v2-linf-4", "known: madry/mobilenet-l2-R with R = 0.0, 3.0"),
        ("resnet34-l2-3", "known: densenet, mnasnet, mobilenet, resnet18, .* as in madry/resnet18-l2-3.0"),
    ],
)
def test_an_unknown_name_is_told_what_there_is(name: str, told: str) -> None:
    with pytest.raises(UserError, match=told) as refused:
        load(f"madry/{name}")
    assert "\n" not in str(refused.value)


def test_what_is_not_cached_offline_says_how_to_bring_it(home: Path, published: Path, shufflenet: nn.Module) -> None:
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set") as refused:
        load("madry/shufflenet-l2-3")
    assert f"hf download {REPOSITORY} {SHUFFLENET}" in str(refused.value)
    assert "weights: path/to/" in str(refused.value)
    assert same(load("madry/shufflenet-l2-3", weights=str(published)), shufflenet)
    put(published, home / "hub")
    assert same(load("madry/shufflenet-l2-3"), shufflenet)


def test_the_settings_name_a_cache_and_forbid_downloads(
    tmp_path: Path, published: Path, shufflenet: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"source\.offline is set"):
        load("madry/shufflenet-l2-3", cache=str(tmp_path / "own"), offline=True)
    put(published, tmp_path / "own")
    source = load("madry/shufflenet-l2-3", cache=str(tmp_path / "own"), offline=True)
    assert same(source, shufflenet)
    assert source.settings.cache == str(tmp_path / "own")
    with pytest.raises(UserError, match=r"source\.offline is set, no checkpoints/resnet18-\w+\.pth in the cache"):
        load("torchvision/resnet18", cache=str(tmp_path / "own"), offline=True)
    with pytest.raises(UserError, match="neither cached nor reachable"):
        load("timm/resnet18", cache=str(tmp_path / "own"), offline=True)


def test_a_file_that_changed_since_its_first_load_is_refused(home: Path, published: Path, tmp_path: Path) -> None:
    link = put(published, home / "hub")
    load("madry/shufflenet-l2-3")
    recorded = hashlib.sha256(published.read_bytes()).hexdigest()
    torch.manual_seed(1)
    other = tmp_path / SHUFFLENET
    torch.save(checkpoint(models.shufflenet_v2_x1_0(), wrapped=True), other)
    shutil.rmtree(home / "hub")
    put(other, home / "hub", commit=OTHER)
    with pytest.raises(UserError) as refused:
        load("madry/shufflenet-l2-3")
    told = str(refused.value)
    assert recorded in told
    assert hashlib.sha256(other.read_bytes()).hexdigest() in told
    record = home / "robust-tickets" / "madrylab--robust-imagenet-models" / f"{SHUFFLENET}.json"
    assert f"delete {record} if you trust" in told
    assert "\n" not in told
    record.unlink()
    load("madry/shufflenet-l2-3")
    assert OTHER in record.read_text()
    assert not link.exists()


def test_a_file_that_is_not_what_the_hub_named_is_refused_at_once(home: Path, published: Path) -> None:
    link = put(published, home / "hub")
    content = bytearray(published.read_bytes())
    content[-100] ^= 1
    link.resolve().write_bytes(content)
    with pytest.raises(UserError, match=r"is sha256:\w{64}, but the Hub names sha256:\w{64}; delete it"):
        load("madry/shufflenet-l2-3")
    assert not (home / "robust-tickets").exists()


def test_a_file_of_another_network_does_not_fit(home: Path, published: Path) -> None:
    put(published, home / "hub", "resnet18_l2_eps3.ckpt")
    with pytest.raises(UserError, match=r"does not fit madry/resnet18-l2-3 \(read as Madry robustness .*missing"):
        load("madry/resnet18-l2-3")


def test_a_pickle_with_code_names_the_command_that_converts_it(
    tmp_path: Path, home: Path, shufflenet: nn.Module
) -> None:
    dill = pytest.importorskip("dill", reason="needs the dev extra (dill)")
    home_of_class = type("Schedule", (), {"__module__": "__main__", "step": lambda self: 1})
    content = checkpoint(shufflenet, wrapped=True) | {"schedule": home_of_class()}
    torch.save(content, tmp_path / SHUFFLENET, pickle_module=dill, _use_new_zipfile_serialization=False)
    link = put(tmp_path / SHUFFLENET, home / "hub")
    with pytest.raises(UserError) as refused:
        load("madry/shufflenet-l2-3")
    assert f"tickets convert {link} shufflenet_l2_eps3.safetensors --allow-pickle" in str(refused.value)
    convert(link, tmp_path / "shufflenet_l2_eps3.safetensors", allow_pickle=True)
    source = load("madry/shufflenet-l2-3", weights=str(tmp_path / "shufflenet_l2_eps3.safetensors"))
    assert same(source, shufflenet)
    assert source.identity.preprocessing.std == (0.229, 0.224, 0.225)


class Hub(http.server.BaseHTTPRequestHandler):
    """What the Hugging Face Hub answers for one file."""

    file: Path
    asked: list[str]

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.wfile.write(self.answer())

    def answer(self) -> bytes:
        if "/resolve/" in self.path:
            self.asked.append(f"{self.command} {self.path}")
        known = self.path in {f"/{REPOSITORY}/resolve/{revision}/{SHUFFLENET}" for revision in ("main", COMMIT)}
        content = self.file.read_bytes() if known else b""
        self.send_response(200 if known else 404)
        self.send_header("X-Repo-Commit", COMMIT)
        if known:
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        else:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return content

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hub(published: Path) -> Iterator[str]:
    Hub.file, Hub.asked = published, []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_command_line_downloads_once_and_refuses_what_changed(
    tmp_path: Path,
    home: Path,
    hub: str,
    published: Path,
    shufflenet: nn.Module,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for proxy in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(proxy, raising=False)
        monkeypatch.delenv(proxy.upper(), raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", hub)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{hub}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    )
    monkeypatch.chdir(tmp_path)
    tickets = Tickets(capsys, monkeypatch)
    drawn = tickets("draw -s madry/shufflenet-l2-3.0 --sparsity 0.5 -o ticket")
    assert drawn.code == 0, drawn.err
    assert Hub.asked == [f"{method} /{REPOSITORY}/resolve/main/{SHUFFLENET}" for method in ("HEAD", "GET")]
    Hub.asked.clear()
    source = load("madry/shufflenet-l2-3")
    assert same(source, shufflenet)
    assert Ticket.load(tmp_path / "ticket").source.digest == source.identity.digest
    assert "madry/shufflenet-l2-3.0 in the Hugging Face cache; others are downloaded" in tickets("doctor").out
    assert not Hub.asked, "what is cached is not asked for again"
    shutil.rmtree(home / "hub")
    Hub.file = tmp_path / "changed"
    Hub.file.write_bytes(published.read_bytes() + b" ")
    told = tickets("draw -s madry/shufflenet-l2-3.0 --sparsity 0.5 -o again").complaint
    assert f"sha256:{hashlib.sha256(published.read_bytes()).hexdigest()} was recorded at its first download" in told
    assert Hub.asked == [f"{method} /{REPOSITORY}/resolve/{COMMIT}/{SHUFFLENET}" for method in ("HEAD", "GET")]
    Hub.file = tmp_path / "absent"
    shutil.rmtree(home / "hub")
    assert "neither in" in tickets("draw -s madry/resnet18-l2-3 -o again").complaint
