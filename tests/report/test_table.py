"""The same cells in the terminal, in Markdown and in HTML."""

import io
import re
from html import unescape

import pytest
from rich.console import Console

from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.report.cells import Cells, Column, accuracy_cells, shrink_cells, verdict_cells
from robust_tickets.report.notation import magnitude, signed_points, told_apart
from robust_tickets.report.table import html_table, markdown_table, terminal_table
from tests.report.examples import decided, row, study

HOSTILE = Cells(
    "a [bold]title[/bold]",
    (Column("name"), Column("value", numeric=True)),
    (("<script>alert(1)</script>", "1 | 2"), ("[red]x[/red]", "a\nb")),
    "caption & more",
)


def terminal(cells: Cells) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(terminal_table(cells))
    return console.export_text()


@pytest.fixture(params=["accuracy", "verdict", "shrink"])
def cells(request: pytest.FixtureRequest) -> Cells:
    summary = study()
    return {
        "accuracy": lambda: accuracy_cells(summary.rows),
        "verdict": lambda: verdict_cells(summary.verdicts),
        "shrink": lambda: shrink_cells(summary.shrink),
    }[request.param]()


def test_every_form_shows_every_cell_in_order(cells: Cells) -> None:
    markdown = [
        tuple(part.strip() for part in line.strip("|").split("|"))
        for line in markdown_table(cells).splitlines()
        if line.startswith("|")
    ]
    html = [
        tuple(map(unescape, re.findall(r"<t[dh][^>]*>([^<]*)<", line)))
        for line in re.findall(r"<tr>(.*?)</tr>", html_table(cells))
    ]
    assert markdown[2:] == html[1:] == list(cells.rows)
    text = terminal(cells)
    for line in cells.rows:
        assert re.search(r"\s*│\s*".join(map(re.escape, line)), text)


def test_labels_that_begin_alike_are_not_cut_short() -> None:
    labels = [f"ood/{score}/{figure}" for score in ("msp", "energy") for figure in ("auroc", "aupr", "aupr_out")]
    wide = Cells("wide", tuple(map(Column, labels)), (("0.9557 ± 0.0045",) * 6,))
    console = Console(width=60, record=True, file=io.StringIO())
    console.print(terminal_table(wide))
    text = console.export_text()
    assert "…" not in text


def test_a_cell_is_mean_and_deviation_over_seeds_in_per_cent() -> None:
    rows = [row(seed=seed, standard_accuracy=0.9 + 0.01 * seed) for seed in range(3)]
    table = accuracy_cells([*rows, row(sparsity=0.5, standard_accuracy=0.95)])
    values = [dict(zip((c.label for c in table.columns), line, strict=True)) for line in table.rows]
    assert [(v["sparsity (%)"], v["accuracy (%)"], v["seeds"]) for v in values] == [
        ("50", "95.0", "1"),
        ("90", "91.0 ± 1.0", "3"),
    ]


def test_dense_stands_first_and_tickets_by_sparsity() -> None:
    rows = [row(sparsity=0.9), row(ticket="random"), row(sparsity=0.5), row(ticket="dense", sparsity=0.0)]
    table = accuracy_cells(rows)
    at = [column.label for column in table.columns].index("ticket")
    assert [line[at] for line in table.rows] == ["dense", "drawn", "drawn", "random mask"]


def test_sources_of_one_transfer_stand_together() -> None:
    table = accuracy_cells(study().rows)
    pairs = list(dict.fromkeys(line[:2] for line in table.rows))
    assert pairs == [("linear", "robust"), ("linear", "natural"), ("full", "robust"), ("full", "natural")]


def test_what_every_line_shares_is_told_once() -> None:
    table = accuracy_cells(study().rows)
    assert "target CIFAR-10" in table.caption
    assert "seeds 3" in table.caption
    assert "target" not in [column.label for column in table.columns]
    agreeing = verdict_cells([decided("a", "full", 0.5, 0.0)] * 2)
    assert "verdict" in [column.label for column in agreeing.columns]


def test_what_was_not_measured_is_not_a_number() -> None:
    table = shrink_cells(study().shrink)
    last = dict(zip((column.label for column in table.columns), table.rows[-1], strict=True))
    assert [last[label] for label in ("latency (ms)", "speed against dense", "largest difference")] == [
        "not measured",
        "–",
        "–",
    ]
    assert {"accuracy (%)", "verdict", "smaller"}.isdisjoint(last)
    assert any("no latency is given" in note for note in table.notes)


def test_hostile_text_stays_text() -> None:
    assert "<script" not in html_table(HOSTILE)
    assert "<script" not in markdown_table(HOSTILE)
    lines = [line for line in markdown_table(HOSTILE).splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in lines] == [3, 3, 3, 3]
    assert "[red]x[/red]" in terminal(HOSTILE)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1_234, "1.23 k"), (999_960, "1.00 M"), (11_173_962, "11.2 M")],
)
def test_counts_have_three_digits(number: int, text: str) -> None:
    assert magnitude(number) == text


def test_figures_keep_the_decimals_that_matter() -> None:
    assert [sparsity_percent(s) for s in (0.0, 0.9, 0.8926, 0.9995)] == ["0", "90", "89.26", "99.95"]
    assert signed_points(-0.0061) == "−0.6"
    assert signed_points(0.012) == "+1.2"


def test_long_names_of_layers_lose_what_all_of_them_share() -> None:
    layers = [f"bert.encoder.layer.{n}.attention.{part}.weight" for n in (0, 1) for part in ("self.query", "self.key")]
    assert told_apart(layers) == [f"{n}.attention.{part}" for n in (0, 1) for part in ("self.query", "self.key")]
    assert told_apart(["layer1.0.conv1.weight", "layer1.0.conv2.weight"]) == [
        "layer1.0.conv1.weight",
        "layer1.0.conv2.weight",
    ]
    assert told_apart(layers[:1]) == ["bert.encoder.laye….self.query.weight"]
