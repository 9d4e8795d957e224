"""Sections reach the page, the figures' files and the terminal, with every text escaped."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from robust_tickets.report.cells import table_cells
from robust_tickets.report.html import to_html, write_report
from robust_tickets.report.sections import Chart, Line, Map, Section, Table
from robust_tickets.report.summary import Summary, load_summary, save_summary
from robust_tickets.report.terminal import show
from tests.report.examples import study

FOUND = Section(
    title="Overlap <of> tickets",
    text="Robust & natural tickets share more than chance would give.",
    tables=(
        Table(
            title="Jaccard by layer",
            columns=("layer", "kept by both", "Jaccard", "spread"),
            rows=(("layer1.conv", 120, 0.51234567, "0.3 ± 0.1"), ("fc <b>", 7, None, "0.2")),
            note="Chance in brackets.",
        ),
    ),
    charts=(
        Chart(
            title="Accuracy against epsilon",
            x_label="epsilon (1/255)",
            y_label="accuracy (%)",
            lines=(
                Line(name="dense", x=(0, 2, 4), y=(90, 50, 20), std=(1, 1, 2)),
                Line(name="ticket", x=(0, 2, 4), y=(88, 49, 21)),
            ),
        ),
    ),
    maps=(
        Map(title="Overlap", x=("a", "b"), y=("a", "b"), values=((1, 0.4), (0.4, 1)), value_label="Jaccard"),
        Map(
            title="Landscape",
            x=(-1, 0, 1),
            y=(-1, 0, 1),
            values=((3, 2, 3), (2, 1, 2), (3, 2, 3)),
            value_label="loss",
            marks=((0, 0, "ticket"),),
        ),
    ),
)
SUMMARY = Summary(title="Analyses", sections=[FOUND])


def test_a_summary_of_sections_alone_makes_a_page_with_a_file_for_every_figure(tmp_path: Path) -> None:
    save_summary(SUMMARY, tmp_path / "summary.json")
    page = write_report(load_summary(tmp_path / "summary.json"), tmp_path).read_text()
    assert page == to_html(SUMMARY)
    names = {file.name for file in (tmp_path / "figures").glob("*.svg")}
    assert names == {
        "overlap-of-tickets-accuracy-against-epsilon.svg",
        "overlap-of-tickets-overlap.svg",
        "overlap-of-tickets-landscape.svg",
    }
    assert page.count("<svg") == 3
    assert "0.5123<" in page
    assert "Chance in brackets." in page


def test_texts_are_escaped() -> None:
    page = to_html(SUMMARY)
    assert "<b>" not in page
    assert "Overlap &lt;of&gt; tickets" in page


def test_columns_of_numbers_are_set_right() -> None:
    cells = table_cells(FOUND.tables[0])
    assert [column.numeric for column in cells.columns] == [False, True, True, True]
    assert cells.rows[1] == ("fc <b>", "7", "–", "0.2")


def test_a_table_with_a_ragged_row_is_refused() -> None:
    with pytest.raises(ValidationError, match="every row needs 2 values"):
        Table(title="t", columns=("a", "b"), rows=((1,),))


def test_the_terminal_shows_the_tables(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    show(SUMMARY, tmp_path)
    assert "layer1.conv" in capsys.readouterr().out


def test_markdown_has_every_table_and_links_to_figures_that_are_there(tmp_path: Path) -> None:
    write_report(study().model_copy(update={"sections": [FOUND]}), tmp_path)
    text = (tmp_path / "report.md").read_text()
    links = re.findall(r"\]\((figures/[^)]+)\)", text)
    assert len(links) == 4
    assert all((tmp_path / link).is_file() for link in links)
    for title in ("Does the ticket match dense?", "Accuracy on the test data", "Accuracy of the controls"):
        assert f"**{title}**" in text
    assert "| layer1.conv | 120 | 0.5123 | 0.3 ± 0.1 |" in text
    assert "<b>" not in text


def test_figures_of_equal_titles_keep_files_of_their_own(tmp_path: Path) -> None:
    write_report(Summary(title="t", sections=[FOUND, FOUND]), tmp_path)
    assert len(list((tmp_path / "figures").glob("*.svg"))) == 6
    links = re.findall(r"figures/([^)]+)\)", (tmp_path / "report.md").read_text())
    assert len(set(links)) == 6


def test_a_runs_terminal_tells_what_decides_and_names_the_rest(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    decided = FOUND.model_copy(update={"title": "Double win", "is_verdict": True, "text": "None of 9 is."})
    show(study().model_copy(update={"sections": [FOUND, decided]}), tmp_path)
    told = capsys.readouterr().out
    assert "Double win: None of 9 is." in told
    assert told.count("layer1.conv") == 1
    assert "in the report, too: overlap <of> tickets" in told
