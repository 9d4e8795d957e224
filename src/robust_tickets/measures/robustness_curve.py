"""Accuracy against the attacker's budget: one attack at several epsilons."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self, final

from pydantic import Field, model_validator

from robust_tickets.attacks import PGD, AnyAttack, AttackLog
from robust_tickets.attacks.attack_log import VANISHED
from robust_tickets.attacks.threat import Ball, Threat
from robust_tickets.foundation.seeds import stream_seed
from robust_tickets.foundation.settings import Ratio
from robust_tickets.measures.accuracy import accuracy
from robust_tickets.measures.examinee import Examinee
from robust_tickets.measures.figure import Figure, Sweep
from robust_tickets.measures.measure import Measure
from robust_tickets.measures.robust_accuracy import withstanding_each

if TYPE_CHECKING:
    from robust_tickets.data.splits import DataSplits


@final
class RobustnessCurve(Measure):
    """The accuracy that is left at each epsilon; an epsilon of 0 is the images as they are.

    The budgets are tried from the smallest up, and an image that falls at one is not attacked at larger ones: what
    was found lies in every larger ball too, so it has fallen there as well. The curve therefore never rises, and it
    is at every point a valid upper bound of the true robust accuracy.
    """

    title: ClassVar[str] = "Accuracy against epsilon"
    kind: Literal["robustness-curve"] = "robustness-curve"
    attack: AnyAttack = Field(default=PGD(), description="The search: pgd, apgd, square or autoattack.")
    norm: Literal["linf", "l2"] = Field(default="linf", description="Norm that measures a perturbation.")
    epsilons: tuple[Ratio, ...] = Field(
        default=(0.0, 1 / 255, 2 / 255, 4 / 255, 8 / 255, 16 / 255),
        min_length=1,
        description="Radii, 0 or more, on inputs in [0, 1]; may be written 8/255.",
    )
    steps: int = Field(default=20, ge=1, description="Gradient steps of pgd, each of length 2.5 * epsilon / steps.")
    restarts: int = Field(default=1, ge=1, description="Independent searches at each epsilon.")
    limit: int | None = Field(
        default=1000, ge=1, description="At most this many test images, balanced over classes; null means all."
    )

    @model_validator(mode="after")
    def _has_balls(self) -> Self:
        if any(epsilon < 0 for epsilon in self.epsilons):
            raise ValueError("epsilons must be 0 or more")
        if len(set(self.epsilons)) < len(self.epsilons):
            raise ValueError("an epsilon is given twice")
        self.threats()
        return self

    @property
    def gradient_free(self) -> bool:
        """Say whether the attack searches on what is measured itself, be it a file without gradients."""
        return self.attack.gradient_free

    def threats(self) -> list[Threat]:
        """Return the threat of every epsilon above 0, ascending."""
        return [
            Threat(norm=self.norm, epsilon=epsilon, steps=self.steps, restarts=self.restarts)
            for epsilon in sorted(self.epsilons)
            if epsilon > 0
        ]

    def figures(self, examinee: Examinee) -> dict[str, float]:
        """Return `robust/<norm>/<epsilon>` for each epsilon, ascending: accuracy in [0, 1]; see `key`.

        Of attacks that need gradients `gradient/...` too, over all radii; see `GradientCounts.figures`.
        """
        log = AttackLog(examinee.tell)
        searched = examinee.predict if self.gradient_free else examinee.craft
        attackers = [
            self.attack.attacker(searched, threat, self.seed_at(threat.epsilon, examinee.seed), log, examinee.aim)
            for threat in self.threats()
        ]
        correct = withstanding_each(examinee.predict, examinee.images(self.limit), attackers)
        radii = [0.0, *(threat.epsilon for threat in self.threats())]
        curve = {
            self.key(epsilon): accuracy(right)
            for epsilon, right in zip(radii, correct, strict=True)
            if epsilon in self.epsilons
        }
        return {**curve, **log.figures()}

    def seed_at(self, epsilon: float, seed: int) -> int:
        """Return the seed of the attack at a radius, derived from the run's."""
        return stream_seed(seed, "curve", self.key(epsilon))

    def key(self, epsilon: float) -> str:
        """Return for example `robust/linf/0.0313725` (six digits), or `robust/l2/0.5`."""
        return f"robust/{self.norm}/{epsilon:.6g}"

    def figure(self, key: str) -> Figure | None:
        """Return accuracy in a ball, as in `L-inf 8/255`, or `clean`; the attack's gradients are reported in words."""
        epsilon = next((epsilon for epsilon in self.epsilons if self.key(epsilon) == key), None)
        if epsilon is None:
            return None
        return Figure(Ball(norm=self.norm, epsilon=epsilon).ball_name if epsilon else "clean")

    @property
    def sweep(self) -> Sweep:
        """Accuracy at each epsilon."""
        scale, axis = (255, "Epsilon in L-inf (/255)") if self.norm == "linf" else (1, "Epsilon in L2")
        along = {scale * epsilon: [self.key(epsilon)] for epsilon in sorted(self.epsilons)}
        return Sweep(axis, along, Figure("accuracy"))

    def describe(self) -> str:
        """Return for example `PGD-20 in L-inf 16/255 and 4 smaller`."""
        if not (threats := self.threats()):
            return "accuracy without attack"
        smaller = f" and {len(threats) - 1} smaller" if len(threats) > 1 else ""
        return f"{self.attack.describe(threats[-1])}{smaller}"

    def require_for(self, splits: DataSplits, provides: frozenset[str], classes: int) -> None:
        """Refuse data that the attack is not for."""
        super().require_for(splits, provides, classes)
        self.attack.require_for(splits.name, splits.target_words, provides, classes)

    def is_whole(self, figures: dict[str, float]) -> bool:
        """Say whether the figures tell what the attack saw of the gradient, if it asks for one."""
        return self.gradient_free or VANISHED in figures

    def require(self) -> None:
        """Refuse an attack this installation does not have; see `Attack.require`."""
        self.attack.require()
