"""What the columns of tables of texts mean: the table of all that they may be."""

from collections.abc import Callable, Mapping

from robust_tickets.data.examples import Found
from robust_tickets.data.forms.form import Columns
from robust_tickets.data.forms.labelled_texts import labelled_texts
from robust_tickets.data.forms.questions import questions_in
from robust_tickets.data.forms.tagged_words import tagged_words
from robust_tickets.data.forms.text_table import TextTable
from robust_tickets.data.names import PartName

Tables = Mapping[PartName, TextTable]

READINGS: tuple[Callable[[Tables, Columns, str, str], Found | None], ...] = (questions_in, tagged_words, labelled_texts)
"""Each reads tables, or returns None if their columns are not for it. The last takes any, or says what is missing."""


def read_text_tables(tables: Tables, columns: Columns, place: str, name: str) -> Found:
    """Return the texts in the tables of a set's parts, with their targets.

    Args:
        tables: one for each part.
        columns: those that the user named.
        place: what messages call the data.
        name: what reports call them.

    Raises:
        UserError: a column is missing, or holds something else.
    """
    return next(found for read in READINGS if (found := read(tables, columns, place, name)) is not None)
