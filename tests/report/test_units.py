"""Metrics that are no fractions: perplexity, of which less is better, and a signal-to-noise ratio in dB."""

import pytest

from robust_tickets.foundation.unit import DECIBEL, NATS, PERCENT, PLAIN, Unit
from robust_tickets.report.cells import accuracy_cells, shrink_cells, verdict_cells
from robust_tickets.report.headline import headlines
from robust_tickets.report.html import to_html
from robust_tickets.report.markdown import to_markdown
from robust_tickets.report.summary import Summary
from tests.report.examples import decided, row, study

PERPLEXITY = {"score": "perplexity", "unit": Unit(decimals=2)}
PSNR = {"score": "PSNR", "unit": DECIBEL}


def texts() -> Summary:
    """Dense at a perplexity of 20; one ticket is better, one worse by less than the margin, one by more."""
    tickets = {0.5: 19.5, 0.8: 20.3, 0.9: 22.0}
    rows = [row(ticket="dense", sparsity=0.0, standard_accuracy=20.0, **PERPLEXITY)]
    rows += [row(sparsity=sparsity, standard_accuracy=value, **PERPLEXITY) for sparsity, value in tickets.items()]
    verdicts = [
        decided(
            "robust",
            "full",
            sparsity,
            value - 20,
            low=value - 20.1,
            high=value - 19.9,
            margin=0.5,
            verdict="matches" if value < 20.4 else "does not match",
            higher_is_better=False,
            **PERPLEXITY,
        )
        for sparsity, value in tickets.items()
    ]
    return Summary(title="texts", rows=rows, verdicts=verdicts)


@pytest.mark.parametrize(
    ("unit", "value", "told", "difference"),
    [
        (PERCENT, 0.9434, "94.34 %", "+94.34 points"),
        (DECIBEL, 31.25, "31.250 dB", "+31.250 dB"),
        (NATS, 0.693147, "0.6931 nats", "+0.6931 nats"),
        (PLAIN, 0.853, "0.853", "+0.853"),
        (Unit(decimals=2), 20.3, "20.300", "+20.300"),
    ],
)
def test_values_and_differences_carry_their_unit(unit: Unit, value: float, told: str, difference: str) -> None:
    assert (unit.told(value), unit.difference(value)) == (told, difference)


def test_tables_are_headed_by_the_unit() -> None:
    summary = texts()
    cells = accuracy_cells(summary.rows)
    assert cells.title == "Perplexity on the test data"
    assert [column.label for column in cells.columns] == ["ticket", "sparsity (%)", "perplexity"]
    assert [line[-1] for line in cells.rows] == ["20.00", "19.50", "20.30", "22.00"]
    cells = verdict_cells(summary.verdicts)
    assert cells.columns[2].label == "difference, interval"
    assert cells.rows[1][2] == "+0.30 (+0.20 to +0.40)"
    assert "margin 0.50" in cells.caption


def test_metrics_of_two_units_share_a_table() -> None:
    cells = accuracy_cells([row(), row(target="noise", standard_accuracy=31.25, robust_accuracy=12.5, **PSNR)])
    assert [column.label for column in cells.columns][-3:] == ["score", "accuracy or PSNR", "robust accuracy or PSNR"]
    assert [line[-2:] for line in cells.rows] == [("90.0 %", "–"), ("31.25 dB", "12.50 dB")]
    verdicts = [decided("robust", "full", 0.9, -0.002), decided("robust", "full", 0.8, -0.25, margin=0.3, **PSNR)]
    assert verdict_cells(verdicts).columns[2].label == "difference, interval"


def test_where_lower_is_better_the_worst_comparison_is_the_highest() -> None:
    first = headlines(texts())[0]
    assert first.claim == "The robust ticket at 80 % sparsity matches dense with full transfer."
    assert first.evidence == ("At 80 %: +0.30 in standard perplexity (interval +0.20 to +0.40), margin 0.50, 3 seeds.")
    robust = decided("robust", "full", 0.8, 0.45, low=0.43, high=0.47, margin=0.5, measure="robust", **PERPLEXITY)
    lower = robust.model_copy(update={"higher_is_better": False, "verdict": "matches"})
    summary = texts()
    summary = summary.model_copy(update={"verdicts": [summary.verdicts[1], lower]})
    assert "+0.45 in robust perplexity" in headlines(summary)[0].evidence, "the one with the least room to spare"


def test_the_page_of_a_perplexity_knows_no_per_cent_of_it() -> None:
    page = to_html(texts())
    assert "Where lower is better" in page
    assert "Where lower is better" not in to_html(study())
    assert "Standard perplexity" in page
    assert "20.3 %" not in page
    assert "![Perplexity against sparsity]" in to_markdown(texts())


def test_exports_are_told_in_the_metrics_unit() -> None:
    exported = [one.model_copy(update={"accuracy": 31.25, **PSNR}) for one in study().shrink]
    cells = shrink_cells(exported)
    assert cells.title.startswith("PSNR, size and speed")
    assert "PSNR (dB)" in [column.label for column in cells.columns]
    assert "31.25" in cells.rows[0]
