"""Transfer: on the user's own data and network, in every mode, once."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision.transforms.v2 as transforms
from torch.utils.data import DataLoader

import robust_tickets as rt
from robust_tickets.foundation.files import read_json
from robust_tickets.verbs.export import export
from tests.verbs.small import PARTS, QUICK, THOROUGH, Bright, SmallNet, parameters, small_source, times


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return small_source()


@pytest.fixture(scope="module")
def ticket(source: rt.Source) -> rt.Ticket:
    return rt.draw(source, sparsity=0.5)


def removed_stay_removed(run: rt.Transfer, ticket: rt.Ticket) -> bool:
    return all(
        not parameters(one.network.body)[name][~mask].any() for one in run.runs for name, mask in ticket.masks.items()
    )


def test_a_ticket_learns_and_its_zeros_stay(source: rt.Source, ticket: rt.Ticket) -> None:
    result = rt.transfer(ticket, PARTS, training=THOROUGH, seeds=(0, 1))
    assert removed_stay_removed(result, ticket)
    assert all(run.validation is not None and run.validation > 0.6 for run in result.runs)
    assert result.best.validation == max(run.validation or 0 for run in result.runs)
    assert [run.seed for run in result.runs] == [0, 1]
    one, two = (run.network.plain_state() for run in result.runs)
    assert not torch.equal(one["classifier.weight"], two["classifier.weight"])
    assert source.identity == small_source().identity, "the source itself must stay as it is"


@pytest.mark.parametrize("changes", [{}, {"rates": (0.01, 0.1)}, {"bn": "batch"}])
def test_what_a_ticket_removed_of_a_kept_head_stays_removed_where_the_head_alone_trains(
    source: rt.Source, changes: dict[str, Any]
) -> None:
    ticket = rt.draw(source, sparsity=0.5, prunable={"include_head": True})
    result = rt.transfer(ticket, PARTS, mode="linear", head="keep", **QUICK, **changes)
    assert removed_stay_removed(result, ticket)
    assert result.runs[0].network.body.get_parameter("classifier.weight")[ticket.masks["classifier.weight"]].all()


@pytest.mark.parametrize("head", ["fresh", "keep"])
def test_dense_and_ticket_start_from_the_same_head(source: rt.Source, ticket: rt.Ticket, head: str) -> None:
    nothing = {"training": {"epochs": 0}, "seeds": (3,), "head": head}
    dense, sparse = (rt.transfer(subject, PARTS, **nothing).runs[0].network for subject in (source, ticket))
    weight = dense.body.classifier.weight
    assert torch.equal(weight, sparse.body.classifier.weight)
    assert torch.equal(weight, source.network.body.classifier.weight) == (head == "keep")


def test_a_data_loader_with_the_users_transforms(ticket: rt.Ticket) -> None:
    class Files(Bright):
        """As a user has it: PIL-sized uint8 images and a transform of their own."""

        def __init__(self, transform: transforms.Transform, **options: int) -> None:
            super().__init__(**options)
            self.transform, self.calls = transform, 0

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            self.calls += 1
            image, label = super().__getitem__(index)
            return self.transform((255 * image).to(torch.uint8)), label

    flip = transforms.Compose([transforms.RandomHorizontalFlip(), transforms.ToDtype(torch.float32, scale=True)])
    train, test = Files(flip), Files(transforms.ToDtype(torch.float32, scale=True), count=30, seed=2)
    loaders = (DataLoader(train, batch_size=7, shuffle=True), DataLoader(test, batch_size=7))
    result = rt.transfer(ticket, loaders, **QUICK)
    assert removed_stay_removed(result, ticket)
    assert train.calls > len(train)
    splits = result.runs[0].data
    assert len(splits.train) + len(splits.validation) == 60
    assert len(splits.test) == 30
    assert 0 <= rt.verify(result).standard.ticket <= 1


def test_grey_input() -> None:
    source = small_source(channels=1)
    ticket = rt.draw(source, sparsity=0.5)
    parts = {name: Bright(30, channels=1, seed=seed) for seed, name in enumerate(PARTS)}
    assert removed_stay_removed(rt.transfer(ticket, parts, **QUICK), ticket)
    colour = rt.transfer(ticket, PARTS, **QUICK).runs[0].data
    assert colour.channels == 1
    assert any("in colour and become grey" in note for note in colour.notes)


def test_a_network_that_says_nothing_of_its_preprocessing() -> None:
    source = rt.load_source(SmallNet())
    assert source.network.interface.mean == (0, 0, 0)
    assert any("224" in note for note in source.identity.notes)
    ticket = rt.draw(SmallNet(), sparsity=0.5)
    assert ticket.sparsity == pytest.approx(0.5, abs=1e-3)


def test_keeping_the_head_of_a_network_that_was_already_fine_tuned(tmp_path: Path) -> None:
    """Someone who only wants to shrink the model they already fine-tuned."""
    tuned = rt.pretrain(small_source(), PARTS, training=rt.Training.model_validate(THOROUGH))
    ticket = rt.draw(tuned, sparsity=0.3, prunable={"include_head": True})
    assert "classifier.weight" in ticket.prunable
    untrained = rt.transfer(ticket, PARTS, head="keep", training={"epochs": 0}, seeds=(0,))
    dense = rt.transfer(tuned, PARTS, head="keep", training={"epochs": 0}, seeds=(0,))
    assert dense.runs[0].network.plain_state().keys() == tuned.network.plain_state().keys()
    verdict = rt.verify(untrained, dense, margin=0.5)
    assert verdict.dense_runs[0].standard > 0.8
    assert verdict.ticket_runs[0].standard > 0.5
    kept = rt.transfer(ticket, PARTS, head="keep", folder=tmp_path, **QUICK)
    assert removed_stay_removed(kept, ticket)


def test_a_backbone_without_a_head_is_transferred_with_a_fresh_one(tmp_path: Path) -> None:
    made = rt.load_source(rt.SourceSettings(name="cifar/resnet8", weights="random"))
    state = made.network.plain_state()
    torch.save({f"encoder.{n}": t for n, t in state.items() if not n.startswith("linear")}, tmp_path / "net.pt")
    source = rt.load_source(rt.SourceSettings(name="cifar/resnet8", weights=str(tmp_path / "net.pt")))
    ticket = rt.draw(source, sparsity=0.5)
    run = rt.transfer(ticket, PARTS, folder=tmp_path / "fresh", **QUICK)
    assert not run.runs[0].network.headless
    with pytest.raises(rt.UserError, match="head: keep: the weights came without a head"):
        rt.transfer(ticket, PARTS, head="keep", folder=tmp_path / "kept", **QUICK)
    with pytest.raises(rt.UserError, match="export cifar/resnet8: the weights came without a head"):
        export(source, tmp_path / "net.onnx")
    assert not (tmp_path / "kept").exists()
    assert not (tmp_path / "net.onnx").exists()


@pytest.mark.parametrize("bn", ["source", "recalibrated", "batch"])
def test_linear_evaluation_and_its_batch_norm(source: rt.Source, ticket: rt.Ticket, bn: str) -> None:
    result = rt.transfer(ticket, PARTS, mode="linear", bn=bn, **QUICK)
    start = ticket.subnetwork(source)
    for run in result.runs:
        before, after = start.plain_state(), run.network.plain_state()
        same = {name: torch.equal(value, after[name]) for name, value in before.items()}
        trained = {name for name, kept in same.items() if not kept}
        statistics = {name for name in same if name.endswith(("running_mean", "running_var", "num_batches_tracked"))}
        assert trained - statistics == {"classifier.weight", "classifier.bias"}
        assert same["features.1.running_mean"] == (bn == "source")
    assert f"bn {bn}" in result.settings.describe()


def test_fractions_are_balanced_and_nested(source: rt.Source, tmp_path: Path) -> None:
    from tests.commands import colours

    folder = colours(tmp_path / "images", images=20, side=8)
    counts = {}
    for fraction in (0.25, 0.5, 1.0):
        data = rt.DataSettings(name=str(folder), fraction=fraction, validation=0.25)
        splits = rt.transfer(source, data, training={"epochs": 0}, seeds=(0,)).runs[0].data
        labels = [int(label) for label in splits.train.labels]
        counts[fraction] = [labels.count(label) for label in range(3)]
        assert len(splits.test) == 12, "the fraction is of the training data, never of the test data"
    assert counts == {0.25: [3, 3, 3], 0.5: [6, 6, 6], 1.0: [12, 12, 12]}


def test_a_second_call_does_nothing_anew(source: rt.Source, ticket: rt.Ticket, tmp_path: Path) -> None:
    first = rt.transfer(ticket, PARTS, folder=tmp_path / "runs", **QUICK)
    written = times(tmp_path)
    second = rt.transfer(ticket, PARTS, folder=tmp_path / "runs", **QUICK)
    assert times(tmp_path) == written
    for one, two in zip(first.runs, second.runs, strict=True):
        state = two.network.plain_state()
        assert all(torch.equal(value, state[name]) for name, value in one.network.plain_state().items())
        assert one.validation == two.validation
    loaded = rt.load_transfer(tmp_path / "runs", source=source, data=PARTS)
    assert loaded.ticket is not None
    assert (loaded.ticket.digest, loaded.settings) == (ticket.digest, first.settings)
    assert times(tmp_path) == written


def test_more_seeds_are_added_to_those_there(ticket: rt.Ticket, tmp_path: Path) -> None:
    rt.transfer(ticket, PARTS, folder=tmp_path, **QUICK)
    written = times(tmp_path)
    rt.transfer(ticket, PARTS, folder=tmp_path, **{**QUICK, "seeds": (0, 1, 2)})
    assert {name: when for name, when in times(tmp_path).items() if name in written} == written
    assert (tmp_path / "seed-2" / "result.json").exists()


def test_refused_settings_leave_the_record_of_the_old_ones(
    source: rt.Source, ticket: rt.Ticket, tmp_path: Path
) -> None:
    rt.transfer(ticket, PARTS, folder=tmp_path, **QUICK)
    before = read_json(tmp_path / "transfer.json")
    with pytest.raises(rt.UserError, match=r"seed-0: contains work with settings\.mode"):
        rt.transfer(ticket, PARTS, folder=tmp_path, mode="linear", **QUICK)
    with pytest.raises(rt.UserError, match="contains work with data"):
        rt.transfer(ticket, {**PARTS, "train": Bright(30)}, folder=tmp_path, **QUICK)
    assert read_json(tmp_path / "transfer.json") == before
    assert rt.load_transfer(tmp_path, source=source, data=PARTS).settings.mode == "full"


def test_objects_in_memory_are_asked_for_when_a_folder_is_taken_up(
    source: rt.Source, ticket: rt.Ticket, tmp_path: Path
) -> None:
    rt.transfer(ticket, PARTS, folder=tmp_path, **QUICK)
    with pytest.raises(rt.UserError, match="give them again as data"):
        rt.load_transfer(tmp_path, source=source)
    with pytest.raises(rt.UserError, match="own code"):
        rt.load_transfer(tmp_path, data=PARTS)
    with pytest.raises(rt.UserError, match="the source given is"):
        rt.load_transfer(tmp_path, source=small_source(seed=1), data=PARTS)


def test_a_moved_source_is_found_by_naming_it(tmp_path: Path) -> None:
    source = rt.SourceSettings(name="demo/resnet4", weights="random")
    rt.pretrain(source, Bright(30), training=rt.Training(epochs=0), folder=tmp_path / "here")
    rt.draw(tmp_path / "here", sparsity=0.5, folder=tmp_path / "ticket")
    (tmp_path / "here").rename(tmp_path / "there")
    with pytest.raises(rt.UserError):
        rt.Ticket.load(tmp_path / "ticket").load_source()
    result = rt.transfer(tmp_path / "ticket", Bright(30), source=tmp_path / "there", training={"epochs": 0}, seeds=(0,))
    assert result.sparsity == pytest.approx(0.5, abs=1e-4)
