"""Whether a ticket is double-win: it matches dense in accuracy and in robustness (Chen et al. 2022)."""

from pydantic import Field

from robust_tickets.foundation.settings import Settings
from robust_tickets.measures.matching import Decision, Verdict


class DoubleWin(Settings):
    """Four decisions against the same source's dense transfer, and the one they make together.

    SA is standard accuracy, RA robust accuracy; the word in brackets is how the ticket was transferred.
    """

    verdict: Verdict = Field(description="Of all required decisions together.")
    sa_standard: Decision = Field(description="SA after standard transfer; required.")
    sa_adversarial: Decision = Field(description="SA after adversarial transfer; required.")
    ra_adversarial: Decision = Field(description="RA after adversarial transfer; required.")
    ra_standard: Decision = Field(description="RA after standard transfer; see `ra_standard_required`.")
    ra_standard_required: bool = Field(
        description="Whether dense keeps more than the margin of RA after standard transfer."
    )

    def sentence(self) -> str:
        """Return the joint verdict as one plain line that names what stands in the way."""
        if self.verdict == "matches":
            return "Double win: accuracy and robustness match dense under standard and adversarial transfer."
        named = {
            "SA(standard)": self.sa_standard,
            "SA(adversarial)": self.sa_adversarial,
            "RA(adversarial)": self.ra_adversarial,
        }
        if self.ra_standard_required:
            named["RA(standard)"] = self.ra_standard
        reasons = ", ".join(name for name, decision in named.items() if decision.verdict == self.verdict)
        if self.verdict == "does not match":
            return f"No double win: {reasons} does not match dense."
        return f"Double win cannot be told yet: more seeds are needed for {reasons}."


def double_win(
    *, sa_standard: Decision, sa_adversarial: Decision, ra_adversarial: Decision, ra_standard: Decision
) -> DoubleWin:
    """Join the decisions: all required ones must match, and one that does not match settles it.

    RA(standard) is required only where dense exceeds the margin there: standard transfer usually leaves
    no robustness at all, and 0 % matches 0 % trivially. Requiring all at the same level needs no
    correction: the joint "matches" is wrong only if one of its parts is (intersection-union test).
    """
    ra_standard_required = ra_standard.dense > ra_standard.margin
    required = [sa_standard, sa_adversarial, ra_adversarial]
    if ra_standard_required:
        required.append(ra_standard)
    verdicts = {decision.verdict for decision in required}
    verdict: Verdict = "matches"
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
