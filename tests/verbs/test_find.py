"""Find: selected on validation from the sparsest down, confirmed once on test."""

from pathlib import Path
from typing import Any

import pytest

import robust_tickets as rt
from robust_tickets.foundation.files import read_json
from robust_tickets.pruning.scores import Random
from robust_tickets.tasks.target import target_data
from robust_tickets.verbs.contenders import Contenders
from robust_tickets.verbs.find import FindResult, kept_apart
from tests.verbs.small import PARTS, THOROUGH, small_source, times


@pytest.fixture(scope="module")
def source() -> rt.Source:
    return small_source()


def find(
    source: rt.Source, folder: Path, sparsities: tuple[float, ...], draw: rt.DrawSettings | None = None
) -> FindResult:
    thorough = rt.TransferSettings.model_validate({"training": THOROUGH, "seeds": (0, 1, 2)})
    wide = rt.VerifySettings(margin=0.4)
    return rt.find(
        source, PARTS, draw=draw, sparsities=sparsities, transfer_settings=thorough, verify_settings=wide, folder=folder
    )


def measured_on(folder: Path, part: str) -> set[str]:
    return {path.parent.parent.name for path in folder.rglob(f"{part}-*") if path.is_dir()}


def test_only_the_ticket_found_meets_the_test_part(source: rt.Source, tmp_path: Path) -> None:
    found = find(source, tmp_path, (0.2, 0.5, 0.999))
    assert found.ticket is not None
    assert found.ticket.sparsity == pytest.approx(0.5, abs=1e-3)
    assert [(verdict.part, verdict.matches) for verdict in found.tried] == [("validation", False), ("validation", True)]
    assert found.verdict is not None
    assert found.verdict.part == "test"
    assert found.verdict.matches
    assert measured_on(tmp_path, "validation") == {"dense", "sparsity-0.999", "sparsity-0.5"}
    assert measured_on(tmp_path, "test") == {"dense", "sparsity-0.5"}
    assert measured_on(tmp_path / "confirmed", "test") == {"dense", "sparsity-0.5"}
    assert not [path for path in tmp_path.glob("*/seed-*") if list(path.glob("test-*"))], "chosen by these seeds"
    assert (
        [run.seed for run in found.verdict.ticket_runs] == [run.seed for run in found.verdict.dense_runs] == [3, 4, 5]
    )
    assert rt.load_transfer(tmp_path, source=source, data=PARTS).folder == tmp_path / "confirmed" / "sparsity-0.5"
    assert not (tmp_path / "sparsity-0.2").exists(), "nothing below the ticket found is trained"
    assert found.sentence().startswith(
        "Sparsest ticket that matches on validation: 50 %; confirmed on test, with fresh seeds."
    )
    written = times(tmp_path)
    assert find(source, tmp_path, (0.2, 0.5, 0.999)).sentence() == found.sentence()
    assert times(tmp_path) == written
    wrecks = find(source, tmp_path, (0.995, 0.999))
    assert (wrecks.ticket, wrecks.result, wrecks.verdict) == (None, None, None)
    assert wrecks.sentence() == "No ticket matches on validation; 2 were tried."
    assert measured_on(tmp_path, "test") == {"dense", "sparsity-0.5"}


def test_a_single_candidate_is_confirmed_as_it_was_trained(source: rt.Source, tmp_path: Path) -> None:
    """There was nothing to choose, so that its seeds are no luckier than others."""
    found = find(source, tmp_path, (0.3,))
    assert found.verdict is not None
    assert [run.seed for run in found.verdict.ticket_runs] == [0, 1, 2]
    assert not (tmp_path / "confirmed").exists()


def test_a_ticket_of_a_second_search_in_a_folder_is_one_of_several(source: rt.Source, tmp_path: Path) -> None:
    find(source, tmp_path, (0.999,))
    found = find(source, tmp_path, (0.3,))
    assert found.verdict is not None
    assert [run.seed for run in found.verdict.ticket_runs] == [3, 4, 5]
    assert "confirmed on test, with fresh seeds." in found.sentence()


def test_the_ladder_is_that_of_iterative_pruning() -> None:
    assert rt.FindSettings(rungs=3).candidates((0.9,)) == pytest.approx((0.2, 0.36, 0.488))
    assert rt.FindSettings().candidates(())[-1] == pytest.approx(0.982, abs=1e-3)


def test_sparsities_that_ways_of_drawing_state_are_tried_unless_others_are_given() -> None:
    assert rt.FindSettings().candidates((0.9, 0.8, 0.9)) == (0.8, 0.9)
    assert rt.FindSettings(sparsities=(0.9, 0.1)).candidates((0.5,)) == (0.1, 0.9)


def test_validation_is_needed_before_anything_is_drawn(source: rt.Source, tmp_path: Path) -> None:
    data = rt.DataSettings(name="digits", validation=0, per_class=3)
    grey = small_source(channels=1, classes=10)
    with pytest.raises(rt.UserError, match=r"none; set data\.validation above 0"):
        rt.find(grey, data, sparsities=(0.5,), folder=tmp_path / "found")
    assert not (tmp_path / "found").exists()


def test_a_folder_of_another_search_is_refused_before_anything_is_drawn(source: rt.Source, tmp_path: Path) -> None:
    find(source, tmp_path, (0.2,))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    drawing = rt.DrawSettings.model_validate({"score": "random"})
    with pytest.raises(rt.UserError, match=r"contains work with draw\.score\.kind = \"magnitude\", now \"random\""):
        find(source, tmp_path, (0.3,), drawing)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


GRADUAL = {
    "timeline": {"kind": "gradual", "initial": 0.1, "start": 0.5, "end": 1.5, "every": 0.5, "epochs": 2},
    "rewind": "none",
    "head": "fresh",
    "training": {"batch_size": 32},
}


def test_several_ways_compete_and_the_one_that_gains_most_is_confirmed(source: rt.Source, tmp_path: Path) -> None:
    thorough = rt.TransferSettings.model_validate({"training": THOROUGH, "seeds": (0, 1)})
    ways = {"magnitude": rt.DrawSettings(), "random": rt.DrawSettings.model_validate({"score": "random"})}

    def search() -> FindResult:
        return rt.find(
            source,
            PARTS,
            draw=ways,
            sparsities=(0.3, 0.999),
            transfer_settings=thorough,
            verify_settings=rt.VerifySettings(margin=0.6),
            folder=tmp_path,
        )

    found = search()
    assert found.ticket is not None
    assert found.ticket.sparsity == pytest.approx(0.3, abs=1e-3)
    assert found.ways == ("magnitude", "random") * 2
    gains = {way: verdict.standard.gain for way, verdict in zip(ways, found.tried[2:], strict=True)}  # pyright: ignore
    assert found.way == max(gains, key=lambda way: gains[way])
    assert f"29.97 %, drawn by {found.way}; " in found.sentence()
    written = read_json(tmp_path / "found.json")
    assert (written["drawing"], written["drawings"]) == (found.way, ["magnitude", "random"] * 2)
    assert measured_on(tmp_path, "test") == {"dense", "sparsity-0.3"}
    (measured,) = [path for path in (tmp_path / "confirmed").iterdir() if path.name in ways]
    assert measured.name == found.way
    assert sorted(path.parent.name for path in measured.rglob("test-*")) == ["seed-2", "seed-3"]
    assert rt.load_transfer(tmp_path, source=source, data=PARTS).folder == measured / "sparsity-0.3"
    written = times(tmp_path)
    assert search().sentence() == found.sentence()
    assert times(tmp_path) == written


def test_a_way_is_tried_where_it_says_and_a_search_may_go_on_elsewhere(source: rt.Source, tmp_path: Path) -> None:
    """A folder takes further sparsities; what it has is not drawn again."""
    ways = {"few": rt.DrawSettings(sparsity=0.5), "more": rt.DrawSettings(sparsity=(0.3, 0.999), score=Random())}
    short = rt.TransferSettings.model_validate({"training": {**THOROUGH, "epochs": 1}, "seeds": (0, 1)})
    strict = rt.VerifySettings(margin=0.01)

    def search(**changes: Any) -> FindResult:
        return rt.find(
            source, PARTS, draw=ways, transfer_settings=short, verify_settings=strict, folder=tmp_path, **changes
        )

    assert search().ways == ("more", "few", "more")
    before = times(tmp_path / "tickets")
    assert search(sparsities=(0.7,)).ways == ("few", "more")
    assert {path: times(tmp_path / "tickets")[path] for path in before} == before
    assert {path.name for path in (tmp_path / "tickets" / "few").iterdir()} == {"sparsity-0.5", "sparsity-0.7"}


def test_a_sparsity_that_cannot_be_drawn_is_refused_before_others_train(source: rt.Source, tmp_path: Path) -> None:
    gradual = rt.DrawSettings.model_validate({**GRADUAL, "data": {"name": "digits", "per_class": 4, "channels": 3}})
    with pytest.raises(rt.UserError, match=r"initial 0\.1, above its target 0\.01"):
        rt.find(source, PARTS, draw=gradual, sparsities=(0.01, 0.5), folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_way_of_drawing_is_refused(source: rt.Source, tmp_path: Path) -> None:
    with pytest.raises(rt.UserError, match="draw: names no way of drawing; give at least one, or leave it out"):
        rt.find(source, PARTS, draw={}, sparsities=(0.3,), folder=tmp_path / "found")
    assert not (tmp_path / "found").exists()


def test_a_way_that_cannot_be_drawn_is_refused_before_others_train(source: rt.Source, tmp_path: Path) -> None:
    ways = {"magnitude": rt.DrawSettings(), "gmp": rt.DrawSettings.model_validate(GRADUAL)}
    with pytest.raises(rt.UserError, match=r"^gmp: draw\.data is missing: the timeline gradual trains"):
        rt.find(source, PARTS, draw=ways, sparsities=(0.3, 0.5), folder=tmp_path / "found")
    assert not (tmp_path / "found").exists()


def test_a_ticket_whose_draw_trains_is_drawn_only_when_its_turn_comes(source: rt.Source, tmp_path: Path) -> None:
    gradual = rt.DrawSettings.model_validate({**GRADUAL, "data": {"name": "digits", "per_class": 4, "channels": 3}})
    assert not gradual.draws_together(0.9)
    assert rt.DrawSettings().draws_together(0.9)
    assert rt.DrawSettings.model_validate({"timeline": {"kind": "iterative", "epochs": 1}}).draws_together(0.9)
    candidates = Contenders(source, "", gradual, (0.2, 0.5, 0.8), 0, tmp_path)
    assert candidates.ticket(0.5).sparsity == pytest.approx(0.5, abs=1e-3)
    assert {path.name for path in (tmp_path / "tickets").iterdir()} == {"sparsity-0.5"}


def test_no_ticket_is_selected_on_what_its_draw_has_trained_on(tmp_path: Path) -> None:
    grey = small_source(channels=1, classes=10)
    data = rt.DataSettings(name="digits", validation=0.25)
    on_target = rt.DrawSettings.model_validate({**GRADUAL, "data": data.model_dump()})
    chosen, ways = kept_apart(data, {"": on_target, "other": rt.DrawSettings()}, 3)
    assert isinstance(chosen, rt.DataSettings)
    drawn = ways[""].data
    assert drawn is not None
    assert ways["other"].data is None
    trained = set(target_data(drawn, grey, 3).train.indices.tolist())
    for seed in (0, 1, 2):
        splits = target_data(chosen, grey, seed)
        assert not trained & set(splits.validation.indices.tolist())
        assert trained & set(target_data(data, grey, seed).validation.indices.tolist()), "its own would overlap"
    with pytest.raises(rt.UserError, match=r"draw\.data\.validation is 0 and data\.validation 0\.25"):
        rt.find(
            grey, data, draw=rt.DrawSettings.model_validate({**GRADUAL, "data": {"name": "digits", "validation": 0}})
        )


def test_the_recipe_fast_has_two_ways_that_leave_blocks_of_eight_outputs(tmp_path: Path) -> None:
    data = {"name": "digits", "per_class": 8, "validation": 0.25}
    quick: dict[str, float] = {"epochs": 2, "min_steps": 0}
    values: dict[str, Any] = {
        "sources": {"small": {"source": {"name": "demo/resnet4", "weights": "random", "in_channels": 1}}},
        "data": data,
        "draw": {"timeline": {**quick, "end": 1}, "finetune": {"epochs": 1}},
        "variants": {"ac-dc": {"timeline": {"warm_up": 0.5, "compressed": 0.5, "dense": 0.5, "final": 1.5, **quick}}},
    }
    ways = rt.load_recipe("fast", values=values).draws()
    found = rt.find(
        small_source(channels=1, classes=10),
        rt.DataSettings.model_validate(data),
        draw=ways,
        transfer_settings=rt.TransferSettings.model_validate({"training": {"epochs": 1}, "seeds": (0,)}),
        folder=tmp_path,
    )
    assert found.ways == ("draw", "ac-dc")
    for way in found.ways:
        ticket = rt.Ticket.load(tmp_path / "tickets" / way / "sparsity-0.8")
        assert ticket.sparsity == pytest.approx(0.8, abs=1e-2)
        for mask in ticket.masks.values():
            blocks = mask.unflatten(0, (-1, 8))
            assert (blocks == blocks[:, :1]).all()


def test_ways_are_called_as_folders_can_be(source: rt.Source) -> None:
    with pytest.raises(rt.UserError, match="cannot be a folder's name"):
        rt.find(source, PARTS, draw={"../elsewhere": rt.DrawSettings()}, sparsities=(0.5,))


def test_other_data_and_other_targets_keep_their_seeds() -> None:
    data = rt.DataSettings(name="digits")
    assert kept_apart(data, {"": rt.DrawSettings()}, 3)[0] == data
    assert kept_apart(PARTS, {"": rt.DrawSettings()}, 3)[0] is PARTS
