"""What every criterion can do."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.criteria.contest import Contest
from robust_tickets.verbs.double_win import DoubleWinVerdict, Pair
from robust_tickets.verbs.find_settings import CriterionName
from robust_tickets.verbs.transfer_settings import TransferSettings
from robust_tickets.verbs.verify import Verdict
from robust_tickets.verbs.verify_settings import VerifySettings


@dataclass(frozen=True, eq=False)
class Attempt:
    """A ticket, transferred and measured: on validation, or on test."""

    ticket: Ticket
    verdict: Verdict | DoubleWinVerdict
    standard: Pair
    """Its transfer and dense's."""
    adversarial: Pair | None = None
    """Likewise, trained adversarially, if the criterion asks for it."""


class FindCriterion(ABC):
    """What a ticket has to achieve: how it is transferred, what is decided, and the words for it."""

    name: ClassVar[CriterionName]
    met: ClassVar[str]
    """The words for a ticket that meets it: `matches`."""
    sparsest: ClassVar[str]
    """The words for the sparsest ticket that meets it."""

    def __init__(self, verify: VerifySettings, adversarial: TransferSettings | None) -> None:
        """Take the settings of what is asked for.

        Args:
            verify: margin, level and attack.
            adversarial: how tickets are trained adversarially.

        Raises:
            UserError: something is asked for that this criterion has no use for.
        """
        self.verify, self.adversarial = verify, adversarial

    @abstractmethod
    def require(self, transfer: TransferSettings) -> None:
        """Refuse, before anything is trained, a standard transfer that does not fit it.

        Raises:
            UserError: says why.
        """

    @abstractmethod
    def attempt(self, ticket: Ticket, contest: Contest) -> Attempt:
        """Transfer a ticket in a contest, and decide on validation data."""

    @abstractmethod
    def confirm(self, attempt: Attempt, contest: Contest | None) -> Attempt:
        """Decide once more, on test data.

        Args:
            attempt: what was decided on validation.
            contest: the one in which it was chosen, if it is to be transferred anew, with fresh seeds; None: what was
                trained there is measured.
        """
