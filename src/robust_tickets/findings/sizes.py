"""How large and fast the forms of a shrunken network are, as a table."""

from robust_tickets.report.sections import Table
from robust_tickets.shrinking.shrink import ShrinkReport


def size_table(report: ShrinkReport) -> Table:
    """Return dense, ticket and the written forms side by side."""
    rows = tuple(
        (
            name,
            form.parameters,
            form.nonzero_parameters,
            form.multiply_adds,
            f"{form.file_bytes / 1e6:.3f}",
            f"{form.latency.median_ms:.3f}",
        )
        for name, form in report.forms.items()
    )
    columns = ("form", "parameters", "not zero", "multiply-adds", "file (MB)", "median (ms)")
    return Table(title="Size and speed", columns=columns, rows=rows)
