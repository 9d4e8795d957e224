"""Whether a ticket is double-win: it matches dense in accuracy and in robustness (Chen et al. 2022)."""

from pydantic import Field

from robust_tickets.foundation.settings import Settings
from robust_tickets.measures.matching import Conclusion, Decision


class DoubleWin(Settings):
    """Four decisions against the same source's dense transfer, and the joint one.

    SA is standard accuracy, RA robust accuracy; the word in brackets is how the ticket was transferred. Adversarial
    transfer is the expensive one: its decisions are absent where those of standard transfer rule a double win out.
    """

    verdict: Conclusion = Field(description="The verdict of all required decisions together.")
    sa_standard: Decision = Field(description="SA after standard transfer; required.")
    sa_adversarial: Decision | None = Field(description="SA after adversarial transfer; required.")
    ra_adversarial: Decision | None = Field(description="RA after adversarial transfer; required.")
    ra_standard: Decision = Field(description="RA after standard transfer; see `ra_standard_required`.")
    ra_standard_required: bool = Field(
        description="Whether dense keeps more than the margin of RA after standard transfer."
    )

    def decisions(self) -> dict[str, Decision | None]:
        """Return all four by the names of the paper."""
        return {
            "SA(standard)": self.sa_standard,
            "SA(adversarial)": self.sa_adversarial,
            "RA(adversarial)": self.ra_adversarial,
            "RA(standard)": self.ra_standard,
        }

    def required(self) -> dict[str, Decision | None]:
        """Return those that have to match."""
        spared = set() if self.ra_standard_required else {"RA(standard)"}
        return {name: decision for name, decision in self.decisions().items() if name not in spared}

    @property
    def is_possible(self) -> bool:
        """Say whether everything required that was decided matches, so that what is absent is worth measuring."""
        return all(decision is None or decision.verdict == "matches" for decision in self.required().values())

    def sentence(self) -> str:
        """Return the joint verdict as one plain line that names the obstacles."""
        if self.verdict == "matches":
            return "Double win: accuracy and robustness match dense under standard and adversarial transfer."
        required = self.required().items()
        reasons = ", ".join(name for name, decision in required if decision and decision.verdict == self.verdict)
        if self.verdict == "does not match":
            return f"No double win: no match with dense for {reasons}."
        if not reasons:
            return "Double win is undecided: adversarial transfer was not measured."
        return f"Double win is undecided: more seeds are needed for {reasons}."

    def figures(self) -> str:
        """Return ticket and dense of every decision as one plain line."""
        told = []
        for name, decision in self.decisions().items():
            if decision is None:
                told.append(f"{name} not measured")
            else:
                aside = "" if name in self.required() else ", not required"
                unit = decision.unit
                told.append(f"{name} {unit.told(decision.ticket)} (dense {unit.told(decision.dense)}{aside})")
        return "; ".join(told) + "."


def double_win(
    *,
    sa_standard: Decision,
    ra_standard: Decision,
    sa_adversarial: Decision | None = None,
    ra_adversarial: Decision | None = None,
) -> DoubleWin:
    """Join the decisions: all required ones must match, and one that does not match settles it.

    RA(standard) is required only where dense exceeds the margin there: standard transfer usually leaves
    no robustness at all, and 0 % matches 0 % trivially. Requiring all at the same level needs no
    correction: the joint "matches" is wrong only if one of its parts is (intersection-union test).
    Without the decisions of adversarial transfer the verdict is at best "cannot tell".
    """
    ra_standard_required = ra_standard.dense > ra_standard.margin
    required = [sa_standard, sa_adversarial, ra_adversarial]
    if ra_standard_required:
        required.append(ra_standard)
    verdicts = {decision.verdict if decision is not None else "cannot tell" for decision in required}
    verdict: Conclusion = "matches"
    if "does not match" in verdicts:
        verdict = "does not match"
    elif "cannot tell" in verdicts:
        verdict = "cannot tell"
    return DoubleWin(
        verdict=verdict,
        sa_standard=sa_standard,
        sa_adversarial=sa_adversarial,
        ra_adversarial=ra_adversarial,
        ra_standard=ra_standard,
        ra_standard_required=ra_standard_required,
    )
