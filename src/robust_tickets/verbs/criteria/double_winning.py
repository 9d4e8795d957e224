"""To be as good as dense after standard and after adversarial transfer."""

from typing import ClassVar

from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.criteria.contest import Contest
from robust_tickets.verbs.criteria.criterion import Attempt, FindCriterion
from robust_tickets.verbs.double_win import (
    adversarial_counterpart,
    require_objectives,
    under_attack,
    verify_double_win,
)
from robust_tickets.verbs.find_settings import CriterionName
from robust_tickets.verbs.transfer_settings import TransferSettings
from robust_tickets.verbs.verify_settings import VerifySettings


class DoubleWinning(FindCriterion):
    """Double win (Chen et al., 2022, arXiv 2206.04762); PGD-20 in L-inf 8/255 verifies if no attack is given.

    A ticket that standard transfer rules out is not transferred adversarially.
    """

    name: ClassVar[CriterionName] = "double-win"
    met: ClassVar[str] = "is double-win"
    sparsest: ClassVar[str] = "Sparsest double-win ticket"

    def __init__(self, verify: VerifySettings, adversarial: TransferSettings | None) -> None:
        """Verify under an attack."""
        super().__init__(under_attack(verify), adversarial)

    def require(self, transfer: TransferSettings) -> None:
        """Refuse objectives that are not standard here and adversarial there.

        Raises:
            UserError: says which.
        """
        require_objectives(transfer, self.trained(transfer))

    def trained(self, transfer: TransferSettings) -> TransferSettings:
        """Return how tickets are trained adversarially: as asked for, or as standard transfer under PGD-10."""
        return self.adversarial or adversarial_counterpart(transfer, self.verify)

    def attempt(self, ticket: Ticket, contest: Contest) -> Attempt:
        """Transfer the ticket in the standard way and, if it can still win, adversarially."""
        pair = contest.pair(ticket)
        verdict = verify_double_win(pair, settings=self.verify, part="validation")
        if not verdict.joint.is_possible:
            return Attempt(ticket, verdict, pair)
        second = self.adversarially(contest).pair(ticket)
        return Attempt(ticket, verify_double_win(pair, second, settings=self.verify, part="validation"), pair, second)

    def confirm(self, attempt: Attempt, contest: Contest | None) -> Attempt:
        """Verify both transfers on test data."""
        pair, second = attempt.standard, attempt.adversarial
        if contest is not None:
            pair, second = (
                one.with_fresh_seeds().pair(attempt.ticket) for one in (contest, self.adversarially(contest))
            )
        return Attempt(attempt.ticket, verify_double_win(pair, second, settings=self.verify), pair, second)

    def adversarially(self, contest: Contest) -> Contest:
        """Return the contest in which training is adversarial."""
        return contest.under(self.trained(contest.settings), "adversarial")
