"""To be as good as dense."""

from typing import ClassVar

from robust_tickets.foundation.errors import UserError
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.criteria.contest import Contest
from robust_tickets.verbs.criteria.criterion import Attempt, FindCriterion
from robust_tickets.verbs.find_settings import CriterionName
from robust_tickets.verbs.transfer_settings import TransferSettings
from robust_tickets.verbs.verify import verify
from robust_tickets.verbs.verify_settings import VerifySettings


class Matching(FindCriterion):
    """As good as dense, in accuracy and, if an attack is given, under attack."""

    name: ClassVar[CriterionName] = "match"
    met: ClassVar[str] = "matches"
    sparsest: ClassVar[str] = "Sparsest ticket that matches"

    def __init__(self, verify: VerifySettings, adversarial: TransferSettings | None) -> None:
        """Refuse adversarial settings, which would have no effect.

        Raises:
            UserError: they are given.
        """
        if adversarial is not None:
            raise UserError(
                "find: adversarial settings apply only to criterion: double-win; set that, or leave them out"
            )
        super().__init__(verify, adversarial)

    def require(self, transfer: TransferSettings) -> None:
        """Refuse nothing: any transfer will do."""

    def attempt(self, ticket: Ticket, contest: Contest) -> Attempt:
        """Transfer the ticket, and verify it."""
        pair = contest.pair(ticket)
        return Attempt(ticket, verify(*pair, settings=self.verify, part="validation"), pair)

    def confirm(self, attempt: Attempt, contest: Contest | None) -> Attempt:
        """Verify it on test data."""
        pair = attempt.standard if contest is None else contest.with_fresh_seeds().pair(attempt.ticket)
        return Attempt(attempt.ticket, verify(*pair, settings=self.verify), pair)
