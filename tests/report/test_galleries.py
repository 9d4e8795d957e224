"""Pictures on a page: pixel by pixel, in rows, with their names above and in words."""

import re
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from robust_tickets.report.galleries import COLUMNS, decoded, encoded, gallery_figure, gallery_in_words
from robust_tickets.report.html import write_report
from robust_tickets.report.sections import Gallery, Picture, Section
from robust_tickets.report.summary import Summary, load_summary, save_summary


def values(number: int = 0, height: int = 7, width: int = 9) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


def floats(pixels: np.ndarray) -> np.ndarray:
    """Return uint8 pixels (H, W, 3) as floats (3, H, W) in [0, 1]."""
    return pixels.transpose(2, 0, 1).astype(np.float32) / 255


def gallery(count: int) -> Gallery:
    pictures = tuple(Picture(name=f"number {index}", png=encoded(floats(values(index)))) for index in range(count))
    return Gallery(title="Some <numbers>", pictures=pictures, note="From left to right.")


def test_a_picture_survives_its_file_level_by_level_and_equal_ones_are_equal_text() -> None:
    assert np.array_equal(decoded(encoded(floats(values()))), values())
    assert encoded(floats(values())) == encoded(floats(values()).copy())
    assert encoded(floats(values())) != encoded(floats(values(1)))


def test_grey_becomes_colour_and_what_lies_outside_is_cut() -> None:
    grey = floats(values())[:1]
    assert np.array_equal(decoded(encoded(grey)), values()[:, :, :1].repeat(3, 2))
    wild = np.array([[[-1.0, 0.5, 2.0]]])
    assert decoded(encoded(wild))[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("count", [1, 3, COLUMNS, COLUMNS + 1, 2 * COLUMNS + 3])
def test_pictures_are_drawn_in_rows_with_their_names_above(count: int) -> None:
    axes = gallery_figure(gallery(count)).axes
    assert [one.get_title() for one in axes] == [f"number {index}" for index in range(count)]
    for index, one in enumerate(axes):
        (image,) = one.get_images()
        assert np.array_equal(np.asarray(image.get_array()), values(index))
        assert image.get_interpolation() == "nearest"
    tops = [round(one.get_position().y1, 3) for one in axes]
    assert [len([top for top in tops if top == row]) for row in sorted(set(tops), reverse=True)] == [
        min(COLUMNS, count - start) for start in range(0, count, COLUMNS)
    ]


def test_it_is_said_in_words_for_who_cannot_see_it() -> None:
    assert gallery_in_words(gallery(2)) == "Some <numbers>: number 0, number 1."


def test_there_is_no_empty_gallery() -> None:
    with pytest.raises(ValidationError):
        Gallery(title="nothing", pictures=())


def test_the_page_holds_its_pictures_and_escapes_their_names(tmp_path: Path) -> None:
    section = Section(title="Restoration", galleries=(gallery(3),))
    summary = Summary(title="Pictures", sections=[section])
    page = write_report(summary, tmp_path / "report").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    assert "Some &lt;numbers&gt;: number 0, number 1, number 2." in page
    assert "Some <numbers>" not in page
    assert "From left to right." in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    names = {path.name for path in (tmp_path / "report" / "figures").iterdir()}
    assert names == {"restoration-some-numbers.png", "restoration-some-numbers.svg"}


def test_a_summary_keeps_them(tmp_path: Path) -> None:
    summary = Summary(title="Pictures", sections=[Section(title="Restoration", galleries=(gallery(2),))])
    save_summary(summary, tmp_path / "summary.json")
    assert load_summary(tmp_path / "summary.json").sections == summary.sections
