"""One self-contained page: the verdict, the curves, the tables, what was exported, how to run it again."""

import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from matplotlib.figure import Figure

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import write_bytes, write_text
from robust_tickets.foundation.ownership import GENERATOR, require_ours
from robust_tickets.foundation.unit import sparsity_percent
from robust_tickets.report.caveats import warnings
from robust_tickets.report.cells import accuracy_cells, shrink_cells, table_cells, verdict_cells
from robust_tickets.report.charts import figures_of
from robust_tickets.report.figures import curves, layer_bars, to_png, to_svg
from robust_tickets.report.headline import headlines
from robust_tickets.report.looks import INK, PALETTE, Looks
from robust_tickets.report.markdown import to_markdown
from robust_tickets.report.notation import capitalised, scores_of
from robust_tickets.report.points import CONTROL_NAMES, Panel, panels
from robust_tickets.report.sections import Section, figure_names
from robust_tickets.report.summary import Summary
from robust_tickets.report.table import html_table

# Nothing may be fetched or run, whatever the texts inside say.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def write_report(summary: Summary, folder: Path | str) -> Path:
    """Write `report.html`, `report.md` and `figures/*.png|svg` into the folder and return the page's path.

    Every file is written atomically; equal summaries give equal bytes.

    Raises:
        UserError: the summary holds nothing to report, or the folder holds another's files or cannot be written.
    """
    folder = Path(folder)
    require_ours(folder)
    told = (summary.rows, summary.verdicts, summary.shrink, summary.layer_sparsity, summary.sections)
    if not any(told):
        raise UserError(
            f"{folder}: nothing to report; the summary has no rows, verdicts, exports or sections; finish a run first"
        )
    drawn: dict[str, Figure] = {}
    if summary.rows:
        shown = panels(summary.rows)
        drawn["curves"] = curves(shown, Looks.of(shown))
    if summary.layer_sparsity:
        drawn["layers"] = layer_bars(summary.layer_sparsity)
    for section, names in zip(summary.sections, figure_names(summary.sections), strict=True):
        for name, (_, _, figure) in zip(names, figures_of(section), strict=True):
            drawn[name] = figure
    for name, figure in drawn.items():
        write_bytes(folder / "figures" / f"{name}.png", to_png(figure))
        write_text(folder / "figures" / f"{name}.svg", to_svg(figure))
    write_text(folder / "report.md", to_markdown(summary))
    page = folder / "report.html"
    write_text(page, to_html(summary))
    return page


def to_html(summary: Summary) -> str:
    """Return the page as text. It loads nothing, runs nothing, and every text in it is escaped."""
    style = files("robust_tickets.report").joinpath("page.css").read_text(encoding="utf-8")
    lead, others = headlines(summary)[:1], headlines(summary)[1:]
    sections = [
        f"<header>\n<h1>{escape(summary.title)}</h1>",
        *(f'<p class="lead">{_text(claim)}</p>\n<p>{_text(evidence)}</p>' for claim, evidence in lead),
        _list([f"{other.claim} {other.evidence}" for other in others], "others"),
        _list([f"Warning: {warning}" for warning in warnings(summary)], "others"),
        "</header>",
    ]
    if summary.rows:
        sections += [
            _heading(f"{capitalised(scores_of(row.score for row in summary.rows))} against sparsity"),
            _curves(panels(summary.rows)),
        ]
    if summary.verdicts:
        table = verdict_cells(summary.verdicts)
        note = VERDICT_NOTE if all(row.higher_is_better for row in summary.verdicts) else f"{VERDICT_NOTE} {REVERSED}"
        sections += [_heading(table.title), _coloured(html_table(table)), _small(note)]
    if summary.rows:
        sections += [_accuracies(summary)]
    sections += [_section(*pair) for pair in zip(summary.sections, figure_names(summary.sections), strict=True)]
    if summary.shrink:
        table = shrink_cells(summary.shrink)
        sections += [_heading(table.title), html_table(table)]
    if summary.layer_sparsity:
        sections += [_heading("Sparsity by layer"), _layers(summary)]
    if summary.notes:
        sections += [_heading("Notes"), _list(summary.notes, "others")]
    if summary.facts:
        facts = "\n".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in summary.facts)
        sections += [_heading("Settings and provenance"), f"<dl>\n{facts}\n</dl>"]
    if summary.command:
        sections += [_heading("Run it again"), f"<pre><code>{escape(summary.command)}</code></pre>"]
    body = "\n".join(section for section in sections if section)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="generator" content="{GENERATOR}">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<title>{escape(summary.title)}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        "<footer>Sparsity is the fraction of prunable weights removed.</footer>\n</body>\n</html>\n"
    )


VERDICT_NOTE = (
    "A ticket matches if the whole interval of its difference to dense lies above minus the margin; it does not match "
    "if the whole interval lies below that; otherwise there is too little to tell. The interval is over other seeds "
    "and, where test examples are counted, other examples. The papers' rule requires only that the mean reach the "
    "dense mean minus one standard deviation."
)
REVERSED = "Where lower is better, the reverse holds: a ticket matches if the interval lies below the margin."
ACCURACY_NOTE = "Mean ± one standard deviation over seeds."
CURVE_NOTE = "Mean of {seeds}; bars and bands are one standard deviation; dashed lines are dense."


def inline_svg(figure: Figure, name: str, label: str) -> str:
    """Return the figure as an SVG element in the page's own colours, its identifiers starting with `name`.

    A screen reader says `label` instead.
    """
    text = to_svg(figure, background="none")
    text = text[text.index("<svg") :]
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    text = text.replace(INK, "currentColor")
    for index, colour in enumerate(PALETTE):
        text = text.replace(colour, f"var(--series-{index})")
    size = re.compile(r'<svg ([^>]*?)(?: width="[^"]*"| height="[^"]*")+')
    opening = f'<svg role="img" aria-label="{escape(label)}" '
    return size.sub(lambda found: opening + found[1], text, count=1).strip()


def _accuracies(summary: Summary) -> str:
    """Return the table of tickets and dense, and the table of controls in a fold."""
    controls = [row for row in summary.rows if row.ticket in CONTROL_NAMES]
    table = accuracy_cells(row for row in summary.rows if row.ticket not in CONTROL_NAMES)
    text = _heading(table.title) + html_table(table) + _small(ACCURACY_NOTE)
    if controls:
        folded = html_table(accuracy_cells(controls, "{score} of the controls"))
        names = dict.fromkeys(CONTROL_NAMES[row.ticket] for row in controls)
        text += f"<details>\n<summary>Controls: {', '.join(names)}</summary>\n{folded}</details>"
    return text


def _curves(shown: Sequence[Panel]) -> str:
    looks = Looks.of(shown)
    figures = [
        f"<figure>\n{inline_svg(curves([panel], looks), f'curve-{index}', _in_words(panel))}\n"
        f"<figcaption>{escape(CURVE_NOTE.format(seeds=panel.seeds))}</figcaption>\n</figure>"
        for index, panel in enumerate(shown)
    ]
    return '<div class="panels">\n' + "\n".join(figures) + "\n</div>"


def _in_words(panel: Panel) -> str:
    """Say what a panel shows, for readers who cannot see it."""
    said = [f"{panel.measure.capitalize()} {panel.score} against sparsity, {panel.title.lower()}, {panel.target}."]
    for point in panel.points:
        spread = point.spread(panel.measure)
        if point.row.ticket in ("dense", "drawn") and spread:
            what = "dense" if point.row.ticket == "dense" else f"{sparsity_percent(point.sparsity)} % sparsity"
            said.append(f"{point.row.series}, {what}: {panel.unit.table(spread.mean)}.")
    return " ".join(said)


def _section(section: Section, names: Sequence[str]) -> str:
    """Return a section with its tables and figures."""
    figures = [
        f"<figure>\n{inline_svg(figure, name, words)}\n<figcaption>{escape(note)}</figcaption>\n</figure>"
        for name, (words, note, figure) in zip(names, figures_of(section), strict=True)
    ]
    return "\n".join(
        (
            _heading(section.title),
            f"<p>{_text(section.text)}</p>" if section.text else "",
            *(f"<h3>{escape(table.title)}</h3>\n{html_table(table_cells(table))}" for table in section.tables),
            '<div class="panels">\n' + "\n".join(figures) + "\n</div>" if figures else "",
        )
    )


def _layers(summary: Summary) -> str:
    values = summary.layer_sparsity
    least, most = min(values, key=values.__getitem__), max(values, key=values.__getitem__)
    label = (
        f"Sparsity of {len(values)} layers, from {sparsity_percent(values[least])} % in {least} to "
        f"{sparsity_percent(values[most])} % in {most}."
    )
    return (
        f"<figure>\n{inline_svg(layer_bars(values), 'layers', label)}\n"
        f"<figcaption>{escape(label)}</figcaption>\n</figure>"
    )


def _coloured(table: str) -> str:
    """Give verdicts their colour; the words alone already say it."""
    return re.sub(
        r"<td>((matches|does not match|cannot tell)[^<]*)</td>",
        lambda found: f'<td class="{found[2].replace(" ", "-")}">{found[1]}</td>',
        table,
    )


def _text(text: str) -> str:
    """Escape, and keep a number and its per cent sign on one line."""
    return escape(text).replace(" %", "&nbsp;%")


def _heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def _small(text: str) -> str:
    return f'<p class="small">{escape(text)}</p>'


def _list(items: Sequence[str], kind: str) -> str:
    if not items:
        return ""
    return f'<ul class="{kind}">\n' + "\n".join(f"<li>{_text(item)}</li>" for item in items) + "\n</ul>"
