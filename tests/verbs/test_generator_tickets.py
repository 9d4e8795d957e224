"""Tickets of generators: drawn at random weights, which their seed makes again, and taken to other pictures."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

import robust_tickets as rt
from robust_tickets.foundation.digests import tensors_digest
from robust_tickets.models.latent import Latent
from robust_tickets.pruning.masks import full
from tests.forked import started
from tests.pictures import ramp, written

SIDE = 16
LEARNING = {
    "epochs": 6,
    "batch_size": 1,
    "precision": "fp32",
    "optimiser": {"kind": "adamw", "lr": 0.02, "weight_decay": 0},
    "warmup": 0,
}
SURGERY: dict[str, Any] = {
    "sparsity": 0.4,
    "prunable": {"include_all": True},
    "score": "learned",
    "parametrisation": {"kind": "bernoulli", "penalty": 1e-4, "temperature": 1},
    "timeline": {"kind": "one-shot", "epochs": 5},
    "head": "keep",
    "training": LEARNING,
}


def picture(folder: Path, height: int = SIDE, width: int = SIDE, **restoration: Any) -> rt.DataSettings:
    """Write a ramp into a folder, and return it as data."""
    path = written(ramp(height, width), folder / f"ramp-{height}-{width}.png")
    return rt.DataSettings.model_validate({"name": path, "restoration": restoration or {"noise": 0.1}})


def generator(seed: int = 0) -> rt.Source:
    return rt.load_source("prior/unet2-x0.25", weights="random", seed=seed)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[rt.Ticket, Path]:
    """A ticket of random weights of another seed than the usual one, and the folder that it is in."""
    folder = tmp_path_factory.mktemp("drawn")
    ticket = rt.draw(generator(3), **SURGERY, data=picture(folder), folder=folder / "ticket")
    return ticket, folder / "ticket"


def learned(ticket: rt.Ticket | Path, data: rt.DataSettings, **changes: Any) -> rt.Transfer:
    return rt.transfer(ticket, data, **{"training": LEARNING, "seeds": (0,), "head": "keep", **changes})


def tell(folder: Path, data: rt.DataSettings, out: Path) -> None:
    """Load a ticket in this process, let it learn a picture, and write down what came of it."""
    ticket = rt.Ticket.load(folder)
    state = learned(ticket, data).runs[0].network.plain_state()
    masks = dict(ticket.masks)
    out.write_text(json.dumps([ticket.digest, tensors_digest(masks), tensors_digest(state)]))


def test_a_ticket_of_random_weights_holds_masks_and_no_weights(drawn: tuple[rt.Ticket, Path]) -> None:
    ticket, folder = drawn
    assert ticket.stored is None
    assert {path.name for path in folder.glob("*.safetensors")} == {"masks.safetensors"}
    total = sum(mask.numel() for mask in ticket.masks.values())
    assert total == sum(parameter.numel() for parameter in generator().network.body.parameters())
    assert sum(int(mask.sum()) for mask in ticket.masks.values()) == total - round(0.4 * total)
    # A bit for each parameter, and the names.
    assert (folder / "masks.safetensors").stat().st_size < total / 8 + 200 * len(ticket.masks)


def test_a_fresh_process_needs_nothing_but_the_folder(drawn: tuple[rt.Ticket, Path], tmp_path: Path) -> None:
    ticket, folder = drawn
    data, place = picture(tmp_path), tmp_path / "elsewhere"
    shutil.copytree(folder, place)
    process = started(tmp_path / "errors", {}, tell, place, data, tmp_path / "told")
    tell(folder, data, tmp_path / "here")
    process.join(60)
    assert process.exitcode == 0, (tmp_path / "errors").read_text()
    digest, masks, state = json.loads((tmp_path / "told").read_text())
    assert digest == ticket.digest
    assert masks == tensors_digest(dict(ticket.masks))
    assert [digest, masks, state] == json.loads((tmp_path / "here").read_text())


def test_its_weights_are_those_of_the_seed_it_was_drawn_with(drawn: tuple[rt.Ticket, Path]) -> None:
    again = rt.Ticket.load(drawn[1]).subnetwork().body
    source = generator(3).network.body
    for name, parameter in source.named_parameters():
        assert torch.equal(again.get_parameter(name), parameter * drawn[0].masks[name]), name
    with pytest.raises(rt.UserError, match=r"drawn from prior/unet2-x0\.25 with weights \w+, the source given"):
        rt.Ticket.load(drawn[1]).subnetwork(generator(4))


def test_drawing_again_gives_the_same_ticket_and_another_seed_another(
    drawn: tuple[rt.Ticket, Path], tmp_path: Path
) -> None:
    data = picture(tmp_path)
    assert rt.draw(generator(3), **SURGERY, data=data).digest == drawn[0].digest
    assert rt.draw(generator(3), **SURGERY, data=data, seed=1).digest != drawn[0].digest
    before = (drawn[1] / "masks.safetensors").stat().st_mtime_ns
    assert rt.draw(generator(3), **SURGERY, data=data, folder=drawn[1]).digest == drawn[0].digest
    assert (drawn[1] / "masks.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize("problem", [{"noise": 0.1}, {"lost": 0.4}, {"factor": 2}])
def test_masks_of_one_picture_are_taken_to_another_and_to_another_problem(
    drawn: tuple[rt.Ticket, Path], tmp_path: Path, problem: dict[str, float]
) -> None:
    data = picture(tmp_path, 18, 22, **problem)
    first, last = (learned(drawn[0], data, training={**LEARNING, "epochs": epochs}) for epochs in (1, 40))
    for found in (first, last):
        body = found.runs[0].network.body
        for name, mask in drawn[0].masks.items():
            assert not bool(body.get_parameter(name)[~mask].any()), name
    assert first.runs[0].validation is not None
    assert last.runs[0].validation is not None
    assert last.runs[0].validation > first.runs[0].validation
    interface = last.runs[0].network.interface
    assert isinstance(interface, Latent)
    assert interface.size == (18, 22), "it is shipped with the size of its picture"


def test_what_was_learned_is_stored_and_measured_again(drawn: tuple[rt.Ticket, Path], tmp_path: Path) -> None:
    data = picture(tmp_path)
    found = learned(drawn[0], data, folder=tmp_path / "run")
    again = rt.load_transfer(tmp_path / "run")
    assert again.ticket is not None
    assert again.ticket.digest == drawn[0].digest
    measured = rt.evaluate(tmp_path / "run" / "seed-0", data)
    assert measured.score == "PSNR"
    assert measured.runs[0].standard == pytest.approx(found.runs[0].validation)


def test_a_seed_of_a_transfer_has_its_own_noise_and_the_same_generator(tmp_path: Path) -> None:
    zero, one = learned(drawn_at_once(), picture(tmp_path), seeds=(0, 1)).runs
    seen = [run.data.train[0][1]["seen"] for run in (zero, one)]
    assert not torch.equal(*seen)
    assert torch.equal(zero.data.train[0][0], one.data.train[0][0])


def drawn_at_once(**changes: Any) -> rt.Ticket:
    """Return a ticket of a generator for which nothing trains."""
    return rt.draw(generator(), **{"sparsity": 0.3, "prunable": {"include_all": True}, **changes})


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_counts_are_exact_over_all_parameters(scope: str) -> None:
    ticket = drawn_at_once(scope=scope, score="random")
    sizes = {name: mask.numel() for name, mask in full(dict(generator().network.body.named_parameters())).items()}
    assert {name: mask.numel() for name, mask in ticket.masks.items()} == sizes
    gone = {name: int((~mask).sum()) for name, mask in ticket.masks.items()}
    if scope == "global":
        assert sum(gone.values()) == round(0.3 * sum(sizes.values()))
    else:
        assert all(abs(gone[name] - 0.3 * size) <= 1 for name, size in sizes.items())


def test_a_bias_without_any_weight_is_no_empty_layer() -> None:
    """Shifts of norms begin at 0, and are the first to go."""
    ticket = drawn_at_once(sparsity=0.05)
    shifts = [name for name in ticket.masks if name.endswith("norm.bias")]
    assert shifts
    assert not any(bool(ticket.masks[name].any()) for name in shifts)
    assert ticket.emptied == ()


LARGE = {**LEARNING, "batch_size": 8}
IN_LARGER_BATCHES: dict[str, Callable[..., object]] = {
    "transfer": partial(rt.transfer, training=LARGE, seeds=(0,)),
    "draw": partial(rt.draw, **{**SURGERY, "training": LARGE}),
    "finetune": partial(rt.draw, sparsity=0.5, head="keep", finetune=LARGE),
}


@pytest.mark.parametrize("verb", IN_LARGER_BATCHES)
def test_a_picture_in_larger_batches_is_told_so_before_anything_trains(verb: str, tmp_path: Path) -> None:
    with pytest.raises(rt.UserError, match=r"^training needs data: a single picture is a batch; set batch_size: 1$"):
        IN_LARGER_BATCHES[verb](generator(), data=picture(tmp_path), folder=tmp_path / "work")
    assert not (tmp_path / "work").exists()


IMPOSSIBLE: dict[str, tuple[dict[str, Any], str]] = {
    "pgd": ({"objective": "pgd"}, r"^training\.objective: PGD.* needs loss, which image-prior does not have; use st"),
    "trades": ({"objective": "trades"}, r"^training\.objective: TRADES.* which image-prior does not have; use st"),
    "smoothing": ({"objective": "smoothing"}, "needs pixel-inputs, which image-prior does not have; use standard$"),
    "mixup": ({"mixup": 0.2}, r"^training\.mixup: mixes images, but these data are a single picture; set it to 0$"),
    "label smoothing": ({"label_smoothing": 0.1}, r"^training\.label_smoothing: 0\.1 has no meaning for pixels; leave"),
    "best": ({"keep": "best"}, r"^training\.keep: best: would select by the clean picture that judges in the end; use"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", IMPOSSIBLE)
def test_trainings_of_classifiers_are_refused_in_one_line(mistake: str, tmp_path: Path) -> None:
    changes, said = IMPOSSIBLE[mistake]
    with pytest.raises(rt.UserError, match=said) as caught:
        learned(drawn_at_once(), picture(tmp_path), training={**LEARNING, **changes}, folder=tmp_path / "work")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "work").exists()


def test_a_generator_has_no_head_that_trains_alone(tmp_path: Path) -> None:
    with pytest.raises(rt.UserError, match=r"^mode: linear: a generator has no head that could train alone; use mode"):
        learned(drawn_at_once(), picture(tmp_path), mode="linear")


def test_nobody_attacks_or_asks_a_generator(tmp_path: Path) -> None:
    found = learned(drawn_at_once(), picture(tmp_path))
    with pytest.raises(rt.UserError, match=r"has no pixels, which pgd moves; leave it out$"):
        rt.verify(found, robustness={"threat": {"epsilon": 0.1}})
    with pytest.raises(rt.UserError, match=r"makes one picture of fixed noise, and has no answers; use tickets rest"):
        rt.predict(found, [tmp_path / f"ramp-{SIDE}-{SIDE}.png"])
    with pytest.raises(rt.UserError, match="measures need one label per picture"):
        rt.verify(found, measures=["calibration"])


def test_nothing_is_chosen_by_the_clean_picture(tmp_path: Path) -> None:
    found = learned(drawn_at_once(), picture(tmp_path), seeds=(0, 1, 2))
    assert found.best is found.runs[0], "whichever came nearest"
    with pytest.raises(rt.UserError, match="find selects on validation, which is the clean picture that judges"):
        rt.find(generator(), picture(tmp_path), folder=tmp_path / "found")


def test_layers_of_all_parameters_are_counted() -> None:
    """Biases and norms too, of which each is a row of one weight."""
    ticket = drawn_at_once(score="random")
    (layers,) = rt.analyse({"one": ticket}).layers.values()
    for name, mask in ticket.masks.items():
        rows = mask.reshape(len(mask), -1)
        assert (layers[name].weights, layers[name].kept) == (mask.numel(), int(mask.sum()))
        assert (layers[name].outputs, layers[name].zero_outputs) == (len(rows), int((~rows.any(1)).sum()))


def test_nothing_is_measured_where_nobody_knows_the_clean_picture(tmp_path: Path) -> None:
    found = learned(drawn_at_once(), picture(tmp_path, degraded=True))
    assert found.runs[0].validation is None
    with pytest.raises(rt.UserError, match="has no clean picture to judge by; give one as"):
        rt.verify(found)
