"""Double win: whether one ticket matches dense after standard and after adversarial transfer (Chen et al. 2022)."""

from typing import Any

from pydantic import Field

from robust_tickets.attacks import Threat
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings, changed
from robust_tickets.measures.caveats import Caveat
from robust_tickets.measures.double_win import DoubleWin, double_win
from robust_tickets.measures.evaluation import Evaluation
from robust_tickets.objectives import PGDTraining
from robust_tickets.verbs.transfer import Transfer
from robust_tickets.verbs.transfer_settings import TransferSettings
from robust_tickets.verbs.verify import Verdict, verify
from robust_tickets.verbs.verify_settings import Part, VerifySettings

STEPS = 10
"""Of PGD in adversarial transfer, as in the paper; with Madry's step that is 2/255 at its radius of 8/255."""

Pair = tuple[Transfer, Transfer]
"""A ticket's transfer and dense's under the same settings."""


class DoubleWinVerdict(Settings):
    """Whether a ticket is double-win, with the verdicts it rests on."""

    standard: Verdict = Field(description="After standard transfer.")
    adversarial: Verdict | None = Field(
        description="After adversarial transfer; null if standard transfer had ruled out a double win."
    )
    joint: DoubleWin = Field(description="The four decisions and their conclusion.")

    @property
    def sparsity(self) -> float:
        """Return the ticket's sparsity."""
        return self.standard.sparsity

    @property
    def part(self) -> Part:
        """Return where it was decided."""
        return self.standard.part

    @property
    def matches(self) -> bool:
        """Return whether the ticket is demonstrably double-win."""
        return self.joint.verdict == "matches"

    def sentence(self) -> str:
        """Return the verdict in plain words."""
        subject = f"{self.standard.subject} at {100 * self.sparsity:.4g} % sparsity"
        text = f"{subject}, under {self.standard.attack}. {self.joint.sentence()} {self.joint.figures()}"
        found = [(way, caveat) for way, caveat in self._caveats() if caveat.is_about_evidence]
        return " ".join((text, *(f"After {way} transfer: {caveat.text}" for way, caveat in found)))

    def warnings(self) -> list[str]:
        """Return the caveats that the sentence leaves out: on the images and seeds that the verdict rests on."""
        return list(dict.fromkeys(caveat.text for _, caveat in self._caveats() if not caveat.is_about_evidence))

    def _caveats(self) -> list[tuple[str, Caveat]]:
        verdicts = {"standard": self.standard, "adversarial": self.adversarial}
        return [(way, caveat) for way, one in verdicts.items() if one is not None for caveat in one.caveats]


def verify_double_win(
    standard: Pair,
    adversarial: Pair | None = None,
    *,
    settings: VerifySettings | None = None,
    part: Part = "test",
    **changes: Any,
) -> DoubleWinVerdict:
    """Measure accuracy and robustness of both transfers of one ticket, and decide whether it is double-win.

    Args:
        standard: the ticket's and dense's transfer under a standard objective.
        adversarial: theirs under an adversarial one; without it the verdict is at best that one cannot tell.
        settings: margin, level and attack (PGD-20 in L-inf 8/255 if none is given); `changes` are keyword
            changes to it.
        part: `validation` for selection; `test` is for the end.

    Raises:
        UserError: the pairs are of two tickets or of the wrong objectives, or anything that `verify` refuses.
    """
    settings = under_attack(changed(settings or VerifySettings(), changes))
    require_objectives(standard[0].settings, adversarial[0].settings if adversarial is not None else None)
    if adversarial is not None and digest_of(standard) != digest_of(adversarial):
        raise UserError(
            "double win is about one ticket, but the standard and the adversarial transfer are of two different ones"
        )
    verdicts = [verify(*pair, settings=settings, part=part) for pair in (standard, adversarial) if pair is not None]
    decisions = {}
    for verdict, way in zip(verdicts, ("standard", "adversarial"), strict=False):
        assert verdict.robust is not None
        decisions |= {f"sa_{way}": verdict.standard, f"ra_{way}": verdict.robust}
    second = verdicts[1] if adversarial is not None else None
    return DoubleWinVerdict(standard=verdicts[0], adversarial=second, joint=double_win(**decisions))


def digest_of(pair: Pair) -> tuple[str | None, str]:
    """Return what distinguishes one ticket of one source from another."""
    ticket = pair[0].ticket
    return ticket.digest if ticket is not None else None, pair[0].source.identity.digest


def under_attack(settings: VerifySettings) -> VerifySettings:
    """Return the settings with an attack: the given one, or PGD-20 in L-inf 8/255."""
    return settings if settings.robustness is not None else settings.model_copy(update={"robustness": Evaluation()})


def adversarial_counterpart(transfer: TransferSettings, settings: VerifySettings) -> TransferSettings:
    """Return the same transfer under PGD-10 in the ball in which robustness is verified."""
    evaluation = under_attack(settings).robustness
    assert evaluation is not None
    ball = evaluation.threat
    objective = PGDTraining(threat=Threat(norm=ball.norm, epsilon=ball.epsilon, steps=STEPS))
    return transfer.model_copy(update={"training": transfer.training.model_copy(update={"objective": objective})})


def require_objectives(standard: TransferSettings, adversarial: TransferSettings | None) -> None:
    """Refuse a standard transfer that attacks its images, and an adversarial one that does not.

    Raises:
        UserError: says which, and what would be right.
    """
    if standard.training.objective.is_adversarial:
        raise UserError(
            f"double win compares a standard with an adversarial transfer; transfer.training.objective is "
            f"{standard.training.objective.describe()}: keep it standard"
        )
    if adversarial is not None and not adversarial.training.objective.is_adversarial:
        raise UserError(
            f"double win compares a standard with an adversarial transfer; adversarial.training.objective is "
            f"{adversarial.training.objective.describe()}: set pgd, fgsm-rs, free or trades"
        )
