"""One table drawn three ways: for the terminal, as Markdown, as HTML."""

from html import escape

from rich.console import Group
from rich.table import Table as TerminalTable
from rich.text import Text

from robust_tickets.report.cells import Cells, table_cells
from robust_tickets.report.sections import Table


def terminal_table(cells: Cells) -> Group:
    """Return a rich table and the sentences below it; user text is shown as it is, never read as markup."""
    table = TerminalTable(title=Text(cells.title, style="bold"), title_justify="left")
    for column in cells.columns:
        # Folded: cut short, labels that begin alike cannot be distinguished.
        table.add_column(Text(column.label), justify="right" if column.numeric else "left", overflow="fold")
    for row in cells.rows:
        table.add_row(*map(Text, row))
    return Group(table, *map(Text, _below(cells)), Text())


def markdown_table(cells: Cells) -> str:
    """Return a GitHub-flavoured table with its title above and its caption below."""

    def line(values: list[str]) -> str:
        return "| " + " | ".join(values) + " |"

    def text(value: str) -> str:
        return escape(" ".join(value.split()), quote=False).replace("|", "\\|")

    lines = [
        f"**{text(cells.title)}**",
        "",
        line([text(column.label) for column in cells.columns]),
        line(["---:" if column.numeric else "---" for column in cells.columns]),
        *(line([text(cell) for cell in row]) for row in cells.rows),
    ]
    for sentence in _below(cells):
        lines += ["", text(sentence)]
    return "\n".join(lines) + "\n"


def html_table(cells: Cells) -> str:
    """Return a table in its own scrolling container, so that a narrow page does not."""

    def cell(tag: str, text: str, numeric: bool) -> str:
        kind = ' class="number"' if numeric else ""
        return f"<{tag}{kind}>{escape(text)}</{tag.split()[0]}>"

    head = "".join(cell('th scope="col"', column.label, column.numeric) for column in cells.columns)
    body = "\n".join(
        "<tr>"
        + "".join(cell("td", text, column.numeric) for text, column in zip(row, cells.columns, strict=True))
        + "</tr>"
        for row in cells.rows
    )
    below = "".join(f'<p class="small">{escape(sentence)}</p>\n' for sentence in _below(cells))
    return (
        f'<div class="scroll" role="region" aria-label="{escape(cells.title)}" tabindex="0"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>\n{below}"
    )


def notebook(text: str, *tables: Table) -> str:
    """Return what a notebook shows of an object: a line, and tables; everything is escaped."""
    shown = [f"<p><strong>{escape(table.title)}</strong></p>\n{html_table(table_cells(table))}" for table in tables]
    return "\n".join((f"<p>{escape(text)}</p>", *shown))


def _below(cells: Cells) -> list[str]:
    return [*([cells.caption] if cells.caption else []), *cells.notes]
