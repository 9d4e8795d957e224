"""Figures: the same bytes every time, an honest axis, and colours that mean one thing."""

import subprocess
import sys
from itertools import pairwise

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from robust_tickets.report.axis import readable_ticks, tick_label
from robust_tickets.report.figures import curves, layer_bars, to_png, to_svg
from robust_tickets.report.looks import CONTROL, PALETTE, Looks
from robust_tickets.report.points import panels
from robust_tickets.report.summary import ResultRow
from tests.report.examples import brief, row, study


def drawn(rows: list[ResultRow]) -> Figure:
    shown = panels(rows)
    return curves(shown, Looks.of(shown))


def colours(axes: Axes) -> list[str]:
    return [to_hex(str(line.get_color())) for line in axes.lines if line.get_marker() == "o"]


def test_equal_summaries_give_equal_bytes() -> None:
    rows = brief(study()).rows
    assert to_svg(drawn(rows)) == to_svg(drawn(rows))
    assert to_png(drawn(rows)) == to_png(drawn(rows))


def test_no_date_and_no_version_is_written() -> None:
    svg = to_svg(drawn(brief(study()).rows))
    assert "dc:date" not in svg
    assert mpl.__version__ not in svg


def test_the_users_style_neither_changes_nor_matters() -> None:
    rows = brief(study()).rows
    before = to_svg(drawn(rows))
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.grid": True}):
        assert to_svg(drawn(rows)) == before
        assert mpl.rcParams["font.size"] == 30


def test_no_global_figure_state_is_loaded() -> None:
    code = "import sys, robust_tickets.report.html; print({'torch', 'matplotlib.pyplot'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_points_lie_at_equal_steps_of_log_density_sparser_to_the_right() -> None:
    figure = drawn([row(sparsity=s) for s in (0.0, 0.9, 0.99)])
    (axes,) = figure.axes
    assert axes.get_xlabel() == "Sparsity (% of prunable weights removed)"
    assert axes.get_ylabel() == "Standard accuracy (%)"
    places = [axes.transData.transform((1 - s, 90))[0] for s in (0.0, 0.9, 0.99)]
    assert places[0] < places[1] < places[2]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "90", "99"]


@pytest.mark.parametrize(
    "ladder",
    [
        [1 - 0.8**k for k in range(1, 20)],
        [0.25, 0.5, 0.8, 0.9, 0.95, 0.98],
        [0.5, 0.9, 0.99, 0.999, 0.9995],
        [0.5, 0.89, 0.9, 0.91],
    ],
)
def test_labels_of_ticks_do_not_touch_and_both_ends_have_one(ladder: list[float]) -> None:
    figure = drawn([row(sparsity=s) for s in ladder])
    FigureCanvasAgg(figure).draw()
    labels = figure.axes[0].get_xticklabels()
    assert [labels[0].get_text(), labels[-1].get_text()] == [tick_label(ladder[0]), tick_label(ladder[-1])]
    boxes = [label.get_window_extent() for label in labels]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_every_sparsity_of_a_usual_ladder_has_a_tick() -> None:
    ladder = [0.25, 0.5, 0.8, 0.9, 0.95, 0.98]
    assert readable_ticks(ladder) == ladder


def test_bars_are_one_sample_deviation() -> None:
    figure = drawn([row(seed=seed, standard_accuracy=0.9 + 0.01 * seed) for seed in range(3)])
    (bars,) = figure.axes[0].containers
    (segment,) = bars[2][0].get_segments()  # pyright: ignore[reportIndexIssue]
    assert sorted(segment[:, 1]) == pytest.approx([90.0, 92.0])


def test_a_source_keeps_its_colour_where_the_other_was_not_attacked() -> None:
    rows = [row(series="natural"), row(series="robust", robust_accuracy=0.4)]
    standard, robust = drawn(rows).axes
    assert colours(standard) == list(PALETTE[:2])
    assert colours(robust) == [PALETTE[1]]


def test_controls_are_grey_and_dense_is_a_dashed_level() -> None:
    rows = [row(ticket="dense", sparsity=0.0, standard_accuracy=0.95), row(), row(ticket="random")]
    lines = drawn(rows).axes[0].lines
    level = next(line for line in lines if line.get_linestyle() == "--" and len(set(line.get_ydata())) == 1)  # pyright: ignore[reportArgumentType]
    assert set(level.get_ydata()) == {95.0}  # pyright: ignore[reportArgumentType]
    assert CONTROL in {str(line.get_color()) for line in lines}


def test_the_legend_names_every_line_once() -> None:
    (legend,) = drawn(study().rows).legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names[:2] == ["robust", "robust, dense"]
    assert len(names) == len(set(names)) == 10


def test_layers_stand_in_network_order_from_the_top() -> None:
    (axes,) = layer_bars({"conv1.weight": 0.1, "fc.weight": 0.95}).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["conv1.weight", "fc.weight"]
    bottom, top = axes.get_ylim()
    assert bottom > top
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([10.0, 95.0])  # pyright: ignore[reportAttributeAccessIssue]


def test_long_names_are_shortened_and_stay_inside_the_figure() -> None:
    name = "timm/convnextv2_atto.fcmae_ft_in1k, adversarially pretrained at 4/255"
    figure = drawn([row(series=name), row(series=name, ticket="random"), row(series="natural")])
    to_png(figure)
    (legend,) = figure.legends
    box = legend.get_window_extent().transformed(figure.transFigure.inverted())
    assert box.x0 >= 0
    assert box.x1 <= 1
    assert "timm/convnextv2_a…" in legend.get_texts()[0].get_text()
