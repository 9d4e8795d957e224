"""The artefact: what is stored, how small it is, and that reading it executes nothing."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torchvision
import yaml

import robust_tickets as rt
from robust_tickets.foundation.digests import file_digest
from robust_tickets.foundation.files import read_json
from robust_tickets.ticket.ticket import Ticket


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return rt.load_source(rt.SourceSettings(name="demo/resnet4", weights="random"))


@pytest.fixture(scope="module")
def ticket(source: rt.Source) -> Ticket:
    return rt.draw(source, sparsity=0.8)


def with_other_weights(ticket: Ticket, source: rt.Source) -> Ticket:
    """A ticket that carries weights of its own, as one drawn by training does."""
    state = {name: value + 1 for name, value in source.network.plain_state().items()}
    return replace(
        ticket, stored={name: value * ticket.masks.get(name, torch.tensor(1)) for name, value in state.items()}
    )


def zeros_are_where_masks_say(body: torch.nn.Module, ticket: Ticket) -> bool:
    parameters = dict(body.named_parameters())
    return all(torch.equal(parameters[name] != 0, mask) for name, mask in ticket.masks.items())


def test_what_is_saved_is_what_is_loaded(ticket: Ticket, tmp_path: Path) -> None:
    ticket.save(tmp_path)
    loaded = Ticket.load(tmp_path)
    assert loaded.masks.keys() == ticket.masks.keys()
    assert all(torch.equal(loaded.masks[name], mask) for name, mask in ticket.masks.items())
    assert (loaded.digest, loaded.prunable, loaded.source) == (ticket.digest, ticket.prunable, ticket.source)
    assert (loaded.recipe, loaded.provenance) == (ticket.recipe, ticket.provenance)
    assert loaded.init == "source"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "masks.safetensors", "ticket.json"]


def test_sparsity_counts_prunable_weights_alone(ticket: Ticket) -> None:
    removed = sum(int((~ticket.masks[name]).sum()) for name in ticket.prunable)
    total = sum(ticket.masks[name].numel() for name in ticket.prunable)
    assert removed == int(0.8 * total + 0.5)
    assert ticket.sparsity == pytest.approx(removed / total)
    assert all(mask.dtype == torch.bool for mask in ticket.masks.values())
    assert list(ticket.layer_sparsity) == list(ticket.prunable)


def test_stored_weights_come_back_bit_for_bit(ticket: Ticket, source: rt.Source, tmp_path: Path) -> None:
    stored = with_other_weights(ticket, source)
    stored.save(tmp_path)
    loaded = Ticket.load(tmp_path)
    assert loaded.init == "stored"
    assert stored.stored is not None
    assert loaded.stored is not None
    assert loaded.stored.keys() == stored.stored.keys()
    assert all(torch.equal(loaded.stored[name], value) for name, value in stored.stored.items())
    assert loaded.digest == stored.digest != ticket.digest
    network = loaded.subnetwork()
    assert zeros_are_where_masks_say(network.body, ticket)
    assert torch.equal(network.plain_state()["bn1.weight"], source.network.plain_state()["bn1.weight"] + 1)


def test_only_surviving_weights_are_stored(ticket: Ticket, source: rt.Source, tmp_path: Path) -> None:
    with_other_weights(ticket, source).save(tmp_path)
    dense = sum(value.numel() * value.element_size() for value in source.network.plain_state().values())
    assert (tmp_path / "init.safetensors").stat().st_size < 0.3 * dense


def test_a_ticket_saved_again_from_the_source_leaves_no_weights(
    ticket: Ticket, source: rt.Source, tmp_path: Path
) -> None:
    with_other_weights(ticket, source).save(tmp_path)
    ticket.save(tmp_path)
    assert not (tmp_path / "init.safetensors").exists()
    assert Ticket.load(tmp_path).init == "source"


def test_the_same_draw_writes_the_same_bytes(source: rt.Source, tmp_path: Path) -> None:
    for name in ("one", "two"):
        rt.draw(source, sparsity=0.8).save(tmp_path / name)
    for file in ("ticket.json", "masks.safetensors", "README.md"):
        assert file_digest(tmp_path / "one" / file) == file_digest(tmp_path / "two" / file)


def test_a_resnet50_ticket_is_at_most_a_bit_a_weight(tmp_path: Path) -> None:
    rt.draw(rt.SourceSettings(name="torchvision/resnet50", weights="random"), sparsity=0.8, folder=tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 3.2e6


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("executed"),)  # pyright: ignore


def test_loading_executes_nothing(ticket: Ticket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("payload.py").write_text("from pathlib import Path\nPath('executed').touch()\ndef net(): ...\n")
    recipe = {**ticket.recipe, "source": {"name": "payload:net"}}
    replace(ticket, recipe=recipe).save("ticket")
    for name in ("pytorch_model.bin", "checkpoint.pt", "init.pt"):
        Path("ticket", name).write_bytes(pickle.dumps(Bomb()))
    loaded = Ticket.load("ticket")
    with pytest.raises(rt.UserError, match="own code"):
        loaded.load_source()
    assert not Path("executed").exists()


def test_names_in_a_ticket_are_never_paths(ticket: Ticket, source: rt.Source, tmp_path: Path) -> None:
    name = "../../outside"
    masks = {name: torch.ones(4, dtype=torch.bool)}
    replace(ticket, masks=masks, prunable=(name,)).save(tmp_path / "deep" / "ticket")
    loaded = Ticket.load(tmp_path / "deep" / "ticket")
    with pytest.raises(rt.UserError, match=r"contains \.\./\.\./outside"):
        loaded.subnetwork(source)
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]


@pytest.fixture(scope="module")
def plain() -> torch.nn.Module:
    torch.manual_seed(0)
    return torchvision.models.squeezenet1_1(num_classes=10)


def test_apply_to_a_plain_module_and_to_a_classifier(plain: torch.nn.Module) -> None:
    ticket = rt.draw(plain, sparsity=0.9)
    assert not zeros_are_where_masks_say(plain, ticket), "drawing must leave the network as it is"
    torch.manual_seed(0)
    again = torchvision.models.squeezenet1_1(num_classes=10)
    ticket.apply(again)
    assert zeros_are_where_masks_say(again, ticket)
    classifier = rt.load_source(plain).network
    ticket.apply(classifier)
    assert zeros_are_where_masks_say(classifier.body, ticket)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in classifier.plain_state().items())


def test_apply_refuses_other_weights_and_other_networks(ticket: Ticket, source: rt.Source) -> None:
    other = rt.load_source(rt.SourceSettings(name="demo/resnet4", weights="random", seed=1))
    before = {name: value.clone() for name, value in other.network.plain_state().items()}
    with pytest.raises(rt.UserError, match="drawn from demo/resnet4 with weights"):
        ticket.apply(other.network)
    assert all(torch.equal(value, before[name]) for name, value in other.network.plain_state().items())
    ticket.apply(other.network, check=False)
    assert zeros_are_where_masks_say(other.network.body, ticket)
    with pytest.raises(rt.UserError, match="the network has"):
        ticket.apply(torchvision.models.squeezenet1_1())
    with pytest.raises(rt.UserError, match="the source given is demo/resnet4"):
        ticket.with_network(other)


def test_stored_weights_of_another_head_need_a_classifier(ticket: Ticket, source: rt.Source) -> None:
    target = rt.load_source(rt.SourceSettings(name="demo/resnet4", weights="random"))
    target.network.reset_head(3, seed=0)
    stored = replace(ticket, stored=target.network.plain_state())
    classifier = rt.load_source(rt.SourceSettings(name="demo/resnet4", weights="random")).network
    with pytest.raises(rt.UserError, match="pass the Network"):
        stored.apply(classifier.body)
    stored.apply(classifier)
    assert classifier.num_classes == 3


def test_the_card_has_hugging_face_front_matter(ticket: Ticket, tmp_path: Path) -> None:
    ticket.save(tmp_path)
    _, matter, body = (tmp_path / "README.md").read_text().split("---\n", 2)
    facts = yaml.safe_load(matter)
    assert facts["library_name"] == "robust-tickets"
    assert "pruning" in facts["tags"]
    assert "80.00 % of the prunable weights" in body
    assert ticket.digest in body
    assert ticket.source.digest in body
    for name in ticket.prunable:
        assert f"`{name}`" in body


def test_ticket_json_is_enough_to_draw_it_again(ticket: Ticket, tmp_path: Path) -> None:
    ticket.save(tmp_path)
    recipe = read_json(tmp_path / "ticket.json")["recipe"]
    settings = rt.DrawSettings.model_validate(recipe["draw"])
    again = rt.draw(rt.SourceSettings.model_validate(recipe["source"]), settings=settings)
    assert again.digest == ticket.digest


def test_edited_preprocessing_is_found(ticket: Ticket, tmp_path: Path) -> None:
    ticket.save(tmp_path / "t")
    file = tmp_path / "t" / "ticket.json"
    content = json.loads(file.read_text())
    content["source"]["preprocessing"]["mean"] = [0.9] * len(content["source"]["preprocessing"]["mean"])
    file.write_text(json.dumps(content))
    with pytest.raises(rt.UserError, match="damaged"):
        Ticket.load(tmp_path / "t")
