"""Tickets of a search: drawn, kept, bound, shrunk, on labels of images and of pixels; and what cannot be searched."""

from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import robust_tickets as rt
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_json
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.ranking import exact_count
from robust_tickets.training.job import Job
from robust_tickets.training.loop import OnTicket, TrainingLoop, fit
from robust_tickets.training.result import TrainingResult
from robust_tickets.verbs.controls import control
from tests.shapes import VOID, shapes_folder
from tests.verbs.small import PARTS, SmallNet

TRAINING = {"batch_size": 15, "precision": "fp32", "optimiser": {"kind": "sgd", "lr": 0.05}, "checkpoint_seconds": 0}
SEARCH: dict[str, Any] = {
    "sparsity": 0.7,
    "parametrisation": {"kind": "gains", "penalty": 0.001, "warmup": 0},
    "timeline": {"kind": "search", "threshold": 0.2, "remove_every": 0.5, "frees": 0, "prune_every": 1, "ladder": 0.2}
    | {"final": 2.5, "epochs": 3},
    "rewind": "none",
    "training": TRAINING,
}
"""Twelve steps on 60 images."""

IDLE = {"features.1": (1, 4, 6), "features.4": (0, 2, 3, 15)}
"""Channels whose gains are next to nothing, by their norms."""

PIXELS = {"kind": "segmentation", "head": "fcn"}


def source(norm: bool = True) -> rt.Source:
    torch.manual_seed(0)
    body = SmallNet()
    for path, channels in IDLE.items():
        with torch.no_grad():
            body.get_parameter(f"{path}.weight")[list(channels)] = 0.01
        if not norm:
            body.features[int(path[-1])] = nn.Identity()
    return rt.load_source(body, preprocessing=rt.Pixels(mean=(0.5,) * 3, std=(0.25,) * 3, size=(8, 8)))


def images() -> Tensor:
    return torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def gone(masks: Masks) -> dict[str, tuple[int, ...]]:
    """Return the channels whose norms a ticket masks."""
    return {path: tuple((~masks[f"{path}.weight"]).nonzero().flatten().tolist()) for path in IDLE}


def assert_searched(ticket: rt.Ticket) -> None:
    """Assert that a ticket has the exact count, the source's names, and masks of all that went with a channel."""
    assert set(ticket.prunable) == {"features.0.weight", "features.3.weight"}
    assert set(ticket.masks) == {*ticket.prunable, *(f"{path}.{leaf}" for path in IDLE for leaf in ("weight", "bias"))}
    total = sum(ticket.masks[name].numel() for name in ticket.prunable)
    assert sum(int((~ticket.masks[name]).sum()) for name in ticket.prunable) == exact_count(0.7, total)
    assert gone(ticket.masks) == IDLE
    first, second = (list(channels) for channels in IDLE.values())
    assert not bool(ticket.masks["features.0.weight"][first].any())
    assert not bool(ticket.masks["features.3.weight"][:, first].any())
    assert not bool(ticket.masks["features.3.weight"][second].any())


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, rt.Ticket, rt.Network]:
    """Return the folder of a search, its ticket, and the network as its training left it."""
    seen: list[Job] = []

    def watched(job: Job, on_ticket: OnTicket | None = None) -> TrainingResult:
        seen.append(job)
        return fit(job, on_ticket)

    folder = tmp_path_factory.mktemp("drawn") / "ticket"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("robust_tickets.verbs.draw.fit", watched)
        ticket = rt.draw(source(), data=PARTS, folder=folder, **SEARCH)
    network = seen[0].trainable.network
    assert isinstance(network, rt.Network)
    return folder, ticket, network.eval()


def test_the_ticket_is_the_network_at_the_end_of_the_search(drawn: tuple[Path, rt.Ticket, rt.Network]) -> None:
    """Drawn, and saved, loaded and bound."""
    folder, ticket, network = drawn
    assert_searched(ticket)
    assert ticket.init == "stored"
    loaded = rt.Ticket.load(folder).with_network(source())
    assert loaded.digest == ticket.digest
    with torch.no_grad():
        expected = network(images())
        assert not torch.allclose(expected, source().network.eval()(images()), atol=0.01)
        for one in (ticket.subnetwork(), loaded.subnetwork()):
            assert torch.equal(one.eval()(images()), expected)


def test_what_was_left_each_time_is_recorded(drawn: tuple[Path, rt.Ticket, rt.Network]) -> None:
    (removal,) = read_json(drawn[0] / "result.json")["removals"]
    work = (27 * 5 * 64 + 5 * 9 * 12 * 16) / (27 * 8 * 64 + 8 * 9 * 16 * 16)
    assert removal == [2, pytest.approx(17 / 24), pytest.approx(work)]


def test_shrink_removes_the_channels_that_went(drawn: tuple[Path, rt.Ticket, rt.Network], tmp_path: Path) -> None:
    options: dict[str, Any] = {"seeds": (0,), "training": {**TRAINING, "epochs": 1}, "head": "keep"}
    result = rt.transfer(drawn[1], PARTS, **options)
    dense = rt.transfer(source(), PARTS, **options)
    network = result.runs[0].network
    assert all(not bool(network.plain_state()[name][~mask].any()) for name, mask in drawn[1].masks.items())
    report = rt.shrink(result, tmp_path / "small.onnx", dense=dense, rounds=3, round_to=1)
    assert report.removal.channels_before == 24
    assert report.removal.channels_removed == sum(map(len, IDLE.values()))
    # Two convolutions, two norms and the head of 5 and 12 channels.
    assert report.removal.parameters_after == 27 * 5 + 5 * 9 * 12 + 2 * (5 + 12) + 12 * 3 + 3
    session = onnxruntime.InferenceSession(tmp_path / "small.onnx", providers=["CPUExecutionProvider"])
    logits = torch.from_numpy(session.run(None, {"images": images().numpy()})[0])
    with torch.no_grad():
        torch.testing.assert_close(logits, network.eval()(images()), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["random", "shuffled", "reinitialised"])
def test_controls_of_a_search_are_as_sparse(drawn: tuple[Path, rt.Ticket, rt.Network], kind: Any) -> None:
    ticket = drawn[1]
    made = control(kind, ticket, source(), rt.DrawSettings.model_validate(SEARCH), seed=0)
    assert made.sparsity == ticket.sparsity
    assert made.digest != ticket.digest
    made.subnetwork(source())


def test_a_search_under_a_head_for_pixels_has_the_sources_names(tmp_path: Path) -> None:
    """The head has read channels that are gone; the ticket is one of the source, for any task."""
    data = rt.DataSettings(name=str(shapes_folder(tmp_path / "shapes")), ignore=(VOID,))
    settings = {**SEARCH, "head": "fresh", "task": PIXELS, "training": {**TRAINING, "batch_size": 8}}
    ticket = rt.draw(source(), data=data, folder=tmp_path / "ticket", **settings)
    assert_searched(ticket)
    assert ticket.stored is not None
    start = source().network.plain_state()
    assert ticket.stored.keys() == start.keys()
    assert all(value.shape == start[name].shape for name, value in ticket.stored.items())
    loaded = rt.Ticket.load(tmp_path / "ticket").with_network(source())
    once: dict[str, Any] = {"training": {**TRAINING, "epochs": 1}, "seeds": (0,)}
    pixels = rt.transfer(loaded, data, task=PIXELS, **once).runs[0].network.plain_state()
    labels = rt.transfer(loaded, PARTS, **once).runs[0].network.plain_state()
    for name, mask in ticket.masks.items():
        assert not bool(pixels[f"backbone.{name}"][~mask].any())
        assert not bool(labels[name][~mask].any())


def test_other_classes_may_be_searched_for_than_the_source_has(tmp_path: Path) -> None:
    ticket = rt.draw(source(), data=rt.DataSettings(name="digits", per_class=6, channels=3), head="fresh", **SEARCH)
    assert_searched(ticket)
    ticket.subnetwork(source())


def test_a_killed_search_gives_the_same_ticket(
    drawn: tuple[Path, rt.Ticket, rt.Network], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_step = TrainingLoop.train_step

    def killed(loop: TrainingLoop, batch: Batch) -> None:
        if loop.trainee.step == 5:
            raise KeyboardInterrupt
        train_step(loop, batch)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingLoop, "train_step", killed)
        with pytest.raises(KeyboardInterrupt):
            rt.draw(source(), data=PARTS, folder=tmp_path, **SEARCH)
    assert (tmp_path / "checkpoint.pt").exists()
    ticket = rt.draw(source(), data=PARTS, folder=tmp_path, **SEARCH)
    assert ticket.digest == drawn[1].digest
    assert read_json(tmp_path / "result.json") == read_json(drawn[0] / "result.json")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no gains": ({"parametrisation": "fixed"}, "use parametrisation 'gains', not 'fixed'"),
    "another timeline": ({"timeline": {"kind": "gradual", "end": 2, "epochs": 3}}, "'gains' needs score 'learned'"),
    "learned score": ({"score": "learned"}, "score 'learned' would be the gain of a whole channel"),
    "channels": ({"group": "channel"}, "use group 'element', not 'channel'"),
    "repelled": ({"training": {**TRAINING, "objective": "repellence"}}, "takes channels out of the network"),
    "hidden states": (
        {"training": {**TRAINING, "objective": {"kind": "distillation", "hidden": 1}}},
        "compares layers with those of a whole network, and this timeline takes channels out of the network",
    ),
    "norms themselves": (
        {"prunable": {"include_all": True}},
        "exempt it from pruning, or leave out what counts multiply",
    ),
    "no such end": (
        {"sparsity": 0.9, "timeline": {"kind": "search", "final": 5, "epochs": 4}},
        "needs final <= epochs",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_searched_is_one_line_and_leaves_nothing_behind(case: str, tmp_path: Path) -> None:
    changes, complaint = REFUSED[case]
    with pytest.raises(UserError, match=complaint) as caught:
        rt.draw(source(), data=PARTS, folder=tmp_path / "ticket", **{**SEARCH, **changes})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ticket").exists()


def test_a_network_without_norms_is_refused_and_so_is_a_run_of_it_before_it_trains(tmp_path: Path) -> None:
    complaint = "no channel has a norm behind it.*use a network with batch norm"
    with pytest.raises(UserError, match=complaint) as caught:
        rt.draw(source(norm=False), data=PARTS, folder=tmp_path / "ticket", **SEARCH)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.rglob("*.*"))
    plain = {"source": {"name": "torchvision/alexnet", "weights": "random", "num_classes": 10}}
    data = {"name": "digits", "per_class": 6, "channels": 3, "size": (64, 64), "validation": 0.25}
    recipe = {
        "sources": {"plain": {**plain, "pretrain": {"data": data, "training": {**TRAINING, "epochs": 1}}}},
        "data": data,
        "draw": {**SEARCH, "data": data},
        "transfers": {"full": {"seeds": [0]}},
    }
    with pytest.raises(UserError, match=complaint):
        rt.run(rt.Recipe.model_validate(recipe), tmp_path / "run")
    assert not (tmp_path / "run").exists()
