"""What notebooks show of results: a sentence, and the tables of their findings."""

from collections.abc import Iterable

from robust_tickets.findings.analyses import analysis_sections
from robust_tickets.findings.searched_network import searched_sections
from robust_tickets.findings.sizes import size_table
from robust_tickets.findings.tickets import ticket_table
from robust_tickets.findings.verdicts import evaluated_sections, runs_table, verdict_sections
from robust_tickets.foundation.notebook import html_of
from robust_tickets.report.sections import Section, Table
from robust_tickets.report.table import notebook
from robust_tickets.shrinking.shrink import ShrinkReport
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.analyse import Analysis
from robust_tickets.verbs.evaluate import Evaluated
from robust_tickets.verbs.search import Searched
from robust_tickets.verbs.verify import Verdict


@html_of.register
def _(shown: Ticket) -> str:
    return notebook(repr(shown), ticket_table(shown))


@html_of.register
def _(shown: ShrinkReport) -> str:
    return notebook(shown.sentence, size_table(shown))


@html_of.register
def _(shown: Verdict) -> str:
    return notebook(shown.sentence(), runs_table(shown), *tables_of(verdict_sections(shown)))


@html_of.register
def _(shown: Evaluated) -> str:
    return notebook(shown.sentence(), *tables_of(evaluated_sections(shown)))


@html_of.register
def _(shown: Analysis) -> str:
    return notebook(repr(shown), *tables_of(analysis_sections(shown)))


@html_of.register
def _(shown: Searched) -> str:
    return notebook(" ".join(shown.sentences()), *tables_of(searched_sections(shown)))


def tables_of(sections: Iterable[Section]) -> list[Table]:
    """Return the tables of sections, one after the other."""
    return [table for section in sections for table in section.tables]
