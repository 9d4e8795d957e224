"""What every measure has in common: settings with a `kind`, and figures by name."""

from abc import ABC, abstractmethod

from robust_tickets.foundation.settings import Settings
from robust_tickets.measures.examinee import Examinee


class Measure(Settings, ABC):
    """One thing measured beside accuracy; a subclass has a literal `kind`, by which recipes name it."""

    @abstractmethod
    def figures(self, examinee: Examinee) -> dict[str, float]:
        """Return the figures by name: lower case, stable, told apart by `/`, such as `ece` or `corruption/fog/3`."""

    @abstractmethod
    def describe(self) -> str:
        """Return a few words for tables, such as `calibration, 15 bins`."""

    def require(self) -> None:
        """Refuse what this installation does not have, before anything is trained.

        Raises:
            UserError: names what is missing and where it comes from.
        """
