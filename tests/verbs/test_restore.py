"""One picture restored: what stays as it was given, what is learned, and what is not done twice."""

import base64
import io
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import robust_tickets as rt
from robust_tickets.findings.restored_picture import restored_summary
from robust_tickets.verbs.restore import Seldom
from tests.commands import contents
from tests.pictures import floats, ramp, work_in, written

SIDE = 24
QUICK: dict[str, Any] = {
    "network": "prior/unet2-x0.25",
    "kept": 0.5,
    "mask_side": 16,
    "mask_steps": 4,
    "steps": 4,
}


def restored(picture: Any = None, **changes: Any) -> rt.Restored:
    return rt.restore(ramp() if picture is None else picture, **{**QUICK, **changes})


def test_a_picture_has_its_shape_and_lies_between_black_and_white() -> None:
    found = restored(ramp(17, 23))
    assert found.picture.shape == (3, 17, 23)
    assert torch.equal(found.seen, floats(ramp(17, 23)))
    assert (found.done, found.tiles, found.psnr) == (1, 1, None)
    assert 0 <= float(found.picture.min()) <= float(found.picture.max()) <= 1
    assert repr(found).startswith("Restored(23 x 17 pixels, 1 of 1 tiles, ")


def test_every_kind_of_picture_is_taken_alike(tmp_path: Path) -> None:
    path = written(ramp(), tmp_path / "ramp.png")
    expected = restored(path).picture
    for given in (Path(path), ramp(), ramp() / 255, Image.fromarray(ramp()), torch.from_numpy(ramp())):
        assert torch.equal(restored(given).picture, expected), type(given)


@pytest.mark.parametrize("factor", [1, 2])
def test_grey_stays_grey_and_is_enlarged(tmp_path: Path, factor: int) -> None:
    found = restored(ramp()[:, :, 0], factor=factor)
    assert found.picture.shape == (1, factor * SIDE, factor * SIDE)
    with Image.open(found.save(tmp_path / "out.png")) as image:
        assert (image.mode, image.size) == ("L", (factor * SIDE, factor * SIDE))


def test_colours_are_enlarged_too() -> None:
    found = restored(factor=2)
    assert found.picture.shape == (3, 2 * SIDE, 2 * SIDE)
    assert found.seen.shape == (3, SIDE, SIDE)


def test_what_is_saved_is_the_picture(tmp_path: Path) -> None:
    found = restored()
    with Image.open(found.save(tmp_path / "out.png")) as image:
        values = np.asarray(image)
    assert np.abs(values - found.picture.permute(1, 2, 0).numpy() * 255).max() <= 0.5001
    found.save(tmp_path / "out.png")
    with pytest.raises(rt.UserError, match=r"pictures are written as PNG files; end the name in \.png"):
        found.save(tmp_path / "out.jpg")
    theirs = Path(written(ramp(), tmp_path / "theirs.png"))
    before = theirs.read_bytes()
    with pytest.raises(rt.UserError, match="is a file that robust-tickets did not write and that would be lost"):
        found.save(theirs)
    assert theirs.read_bytes() == before


@pytest.mark.parametrize("factor", [1, 2])
def test_psnr_is_that_to_the_reference(tmp_path: Path, factor: int) -> None:
    clean = ramp(factor * SIDE, factor * SIDE)
    found = restored(reference=written(clean, tmp_path / "clean.png"), factor=factor)
    mean = (found.picture - floats(clean)).square().mean().item()
    assert found.psnr == pytest.approx(10 * math.log10(1 / mean), abs=1e-3)
    without = restored(factor=factor)
    assert torch.equal(without.picture, found.picture), "the reference judges, and nothing is chosen by it"


def test_it_comes_near_the_picture_where_everything_is_kept() -> None:
    """A plain deep image prior, which learns an easy picture in some steps."""
    found = restored(kept=1, steps=150)
    before = restored(kept=1, steps=1)
    errors = [(one.picture - one.seen).square().mean().item() for one in (before, found)]
    assert errors[1] < 0.2 * errors[0]
    total = sum(
        parameter.numel() for parameter in rt.load_source(QUICK["network"], weights="random").network.parameters()
    )
    assert found.parameters == total


@pytest.mark.parametrize("kept", [0.2, 0.5])
def test_the_ticket_keeps_its_share_of_all_parameters(kept: float, tmp_path: Path) -> None:
    found = restored(kept=kept, folder=tmp_path / "work")
    ticket = rt.Ticket.load(tmp_path / "work" / "ticket")
    counted = {name: mask.numel() for name, mask in ticket.masks.items()}
    source = rt.load_source(QUICK["network"], weights="random")
    assert counted == {name: one.numel() for name, one in source.network.body.named_parameters()}
    assert found.parameters == sum(int(mask.sum()) for mask in ticket.masks.values())
    assert found.parameters == pytest.approx(kept * sum(counted.values()), abs=1)
    (run,) = (tmp_path / "work" / "tiles").rglob("seed-0")
    trained = rt.load_source(run).network.body
    for name, mask in ticket.masks.items():
        assert not bool(trained.get_parameter(name)[~mask].any())


def test_a_seed_decides_weights_and_draw() -> None:
    first, again, other = (restored(seed=seed).picture for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_it_stops_where_as_much_is_left_as_there_is_noise(tmp_path: Path) -> None:
    restored(folder=tmp_path / "work", kept=1, steps=400, noise=0.15)
    (log,) = (tmp_path / "work").rglob("metrics.jsonl")
    rows = [float(loss) for loss in re.findall(r'"loss": ([\d.e-]+)', log.read_text())]
    assert len(rows) < 40
    assert rows[-1] <= 0.15**2 < min(rows[:-1])


def test_what_is_lost_is_painted(tmp_path: Path) -> None:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[8:13, 9:15] = 255
    lost = torch.from_numpy(mask > 0)
    holes = ramp()
    holes[mask > 0] = 0
    path = written(mask, tmp_path / "mask.png")
    found, other = (restored(one, lost=path, kept=1, steps=120) for one in (holes, ramp()))
    assert bool((found.picture[:, lost] > 0.01).all())
    expected = floats(ramp())[:, lost]
    assert (found.picture[:, lost] - expected).abs().mean() < 0.5 * expected.abs().mean()
    assert torch.equal(found.picture, other.picture), "what is under the mask is not looked at"


def test_a_hole_in_the_middle_leaves_a_piece_to_draw_on(tmp_path: Path) -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 255
    found = restored(ramp(40, 40), lost=written(mask, tmp_path / "mask.png"), folder=tmp_path / "work")
    with Image.open(tmp_path / "work" / "piece" / "lost.png") as image:
        values = np.asarray(image)
    assert values.shape == (16, 16)
    assert (values > 0).sum() == 6 * 6, "a corner, which has the fewest"
    assert found.done == 1


WIDE = {"tile": 32, "overlap": 6}


def test_a_large_picture_is_learned_in_tiles(tmp_path: Path) -> None:
    picture = ramp(20, 50)
    found = restored(picture, **WIDE, folder=tmp_path / "work")
    assert (found.tiles, found.done) == (2, 2)
    assert found.picture.shape == (3, 20, 50)
    given = []
    for number in (0, 1):
        with Image.open(tmp_path / "work" / "tiles" / str(number) / "picture.png") as image:
            given.append(np.asarray(image))
    assert [one.shape[:2] for one in given] == [(20, 28), (20, 28)]
    assert np.array_equal(given[0], picture[:, :28])
    assert np.array_equal(given[1], picture[:, 22:])
    alone = restored(picture[:, :28], tile=32, overlap=6, kept=1)
    whole = restored(picture, **WIDE, kept=1)
    torch.testing.assert_close(whole.picture[:, :, :22], alone.picture[:, :, :22], msg="a tile is a picture")


def test_tiles_of_an_enlarged_picture_are_no_larger_than_asked() -> None:
    found = restored(ramp(12, 40), factor=2, **WIDE)
    assert found.tiles == 3
    assert found.picture.shape == (3, 24, 80)


def test_a_second_call_repeats_nothing(tmp_path: Path) -> None:
    first = restored(ramp(20, 50), **WIDE, folder=tmp_path)
    before = work_in(tmp_path)
    assert len([one for one in before if one.endswith("metrics.jsonl")]) == 3, "of the draw and of two tiles"
    second = restored(ramp(20, 50), **WIDE, folder=tmp_path)
    assert work_in(tmp_path) == before
    assert torch.equal(second.picture, first.picture)
    assert torch.equal(restored(ramp(20, 50), **WIDE).picture, first.picture), "without a folder it is the same"


def test_an_interrupted_call_goes_on_where_it_stopped(tmp_path: Path) -> None:
    def stop(found: rt.Restored) -> None:
        if found.done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restored(ramp(20, 50), **WIDE, folder=tmp_path, tell=stop)
    before = work_in(tmp_path)
    assert before
    assert not list((tmp_path / "tiles" / "1").rglob("*.json"))
    resumed = restored(ramp(20, 50), **WIDE, folder=tmp_path)
    after = work_in(tmp_path)
    assert {path: after[path] for path in before} == before
    assert torch.equal(resumed.picture, restored(ramp(20, 50), **WIDE).picture)


def test_another_picture_or_another_setting_is_refused_in_the_same_folder(tmp_path: Path) -> None:
    restored(folder=tmp_path)
    before = contents(tmp_path)
    for picture, changes, said in (
        (ramp()[::-1].copy(), {}, "contains work with picture = "),
        (ramp(), {"steps": 5}, r"contains work with settings\.steps = 4, now 5"),
        (ramp(), {"seed": 1}, "contains work with seed = 0, now 1"),
    ):
        with pytest.raises(rt.UserError, match=said) as caught:
            restored(picture, **changes, folder=tmp_path)
        assert "\n" not in str(caught.value)
        assert contents(tmp_path) == before


def test_a_reference_that_has_moved_is_the_same_work(tmp_path: Path) -> None:
    first = restored(reference=written(ramp(), tmp_path / "one.png"), folder=tmp_path / "work")
    before = work_in(tmp_path / "work")
    again = restored(reference=written(ramp(), tmp_path / "other.png"), folder=tmp_path / "work")
    assert (work_in(tmp_path / "work"), again.psnr) == (before, first.psnr)


def test_whoever_asks_is_told_before_the_first_tile_and_after_each() -> None:
    told: list[rt.Restored] = []
    found = restored(ramp(20, 50), **WIDE, tell=told.append)
    assert [one.done for one in told] == [0, 1, 2]
    assert torch.allclose(told[0].picture, told[0].seen, atol=1e-6), "as it was given"
    assert torch.allclose(told[1].picture[:, :, 28:], told[1].seen[:, :, 28:], atol=1e-6)
    assert not torch.allclose(told[1].picture[:, :, :22], told[1].seen[:, :, :22], atol=1e-3)
    assert torch.equal(told[2].picture, found.picture)


def test_who_watches_a_tile_is_shown_it_seldom() -> None:
    shown: list[torch.Tensor] = []
    seldom = Seldom(shown.append)
    for _ in range(100):
        seldom(torch.zeros(1))
    assert shown == [], "a hundred looks in a moment are none"
    seldom.next = 0
    seldom(torch.zeros(1))
    seldom(torch.zeros(1))
    assert len(shown) == 1


def test_a_decoder_draws_on_a_piece_that_it_can_make() -> None:
    for factor, changes in ((1, {"mask_side": 17}), (3, {})):
        found = restored(ramp(24, 32), network="prior/decoder3-x0.1", factor=factor, **changes)
        assert found.picture.shape == (3, 24 * factor, 32 * factor)


IMPOSSIBLE: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no picture": ({"train": 1}, {}, r"^picture: should be an image file, .* \(got dict\)$"),
    "no file": ("nowhere.png", {}, r"^nowhere\.png: no such file; give an image file$"),
    "too small": (ramp(24, 8), {}, "^ndarray: is 8 x 24 pixels, but .* levels need 9 to a side; use a larger picture"),
    "no generator": (ramp(), {"network": "demo/resnet4"}, "^network: demo/resnet4 is no generator; name one, such as"),
    "unknown": (ramp(), {"network": "prior/unet9"}, "^unknown network 'prior/unet9'"),
    "nothing kept": (ramp(), {"kept": 0}, r"^kept: should be greater than 0 \(got 0\)$"),
    "large overlap": (ramp(), {"tile": 32, "overlap": 11}, "^overlap: 11 is too large for tiles of 32 pixels$"),
    "large factor": (ramp(), {"factor": 17}, r"^factor: should be less than or equal to 16 \(got 17\)$"),
    "no setting": (ramp(), {"keep": 0.1}, "^keep: no such setting; did you mean kept"),
    "multiples": (
        ramp(23, 24),
        {"network": "prior/decoder3-x0.1"},
        "^ndarray: is 24 x 23 pixels, but .* multiples of 8; use one for any size: prior/unet4",
    ),
    "tiles": (
        ramp(24, 48),
        {"network": "prior/decoder3-x0.1", "tile": 32, "overlap": 4},
        "^ndarray: a tile is 26 x 24 pixels, but .* multiples of 8; use one for any size: prior/unet4",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", IMPOSSIBLE)
def test_a_mistake_is_told_in_one_line_and_leaves_nothing(mistake: str, tmp_path: Path) -> None:
    picture, changes, said = IMPOSSIBLE[mistake]
    with pytest.raises(rt.UserError, match=said) as caught:
        restored(picture, **changes, folder=tmp_path / "work")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("name", ["a*b", "a$HOME", "${HOME}", "x{1,2}", "[a]", "~"])
def test_names_are_taken_as_they_are(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that would mean something else where nothing is called so."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "elsewhere")
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[4:8, 4:8] = 255
    picture, lost = written(ramp(), Path(f"{name}.png")), written(mask, Path(f"{name}-lost.png"))
    found = restored(picture, lost=lost, reference=picture, folder=name)
    assert torch.equal(found.picture, restored(ramp(), lost=lost).picture)
    assert work_in(tmp_path / name)


@pytest.mark.parametrize("setting", ["lost", "reference"])
def test_a_mask_or_a_reference_of_another_size_is_told_both_sizes(setting: str, tmp_path: Path) -> None:
    other = written(ramp(SIDE, 30), tmp_path / "other.png")
    with pytest.raises(rt.UserError, match=rf"^{setting}: .*other\.png is 30 x 24 pixels, but ndarray needs 24 x 24$"):
        restored(**{setting: other})
    with pytest.raises(rt.UserError, match=r"is 30 x 24 pixels, but ndarray needs (24 x 24|48 x 48)$"):
        restored(**{setting: other}, factor=2)


def test_a_tile_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    mask = np.zeros((20, 60), np.uint8)
    mask[:, 30:] = 255
    path = written(mask, tmp_path / "mask.png")
    with pytest.raises(rt.UserError, match=r"^lost: of a tile of 24 x 20 pixels none is left; make less of the mask"):
        restored(ramp(20, 60), lost=path, **WIDE, folder=tmp_path / "work")
    assert not (tmp_path / "work").exists()
    assert restored(ramp(20, 60), lost=path, tile=64, overlap=6).done == 1


@pytest.mark.parametrize("factor", [1, 2])
def test_the_page_shows_what_it_was_what_it_is_and_what_it_should_be(tmp_path: Path, factor: int) -> None:
    clean = ramp(factor * SIDE, factor * SIDE)
    found = restored(reference=written(clean, tmp_path / "clean.png"), factor=factor)
    summary = restored_summary(found, "ramp", "tickets restore ramp")
    (section,) = summary.sections
    shown = {}
    for one in section.galleries[0].pictures:
        with Image.open(io.BytesIO(base64.b64decode(one.png))) as image:
            shown[one.name] = np.asarray(image)
    assert list(shown) == ["as it was given", "restored", "as it should be"]
    assert np.array_equal(shown["as it was given"], ramp().repeat(factor, 0).repeat(factor, 1))
    assert np.array_equal(shown["as it should be"], clean)
    assert np.abs(shown["restored"] - found.picture.permute(1, 2, 0).numpy() * 255).max() <= 0.5001
    assert f"{found.psnr:.2f} dB" in section.text
