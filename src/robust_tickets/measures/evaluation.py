"""How robustness is evaluated: the settings, the images, the attack they choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic import Field, field_validator

from robust_tickets.attacks import PGD, AnyAttack, AttackLog
from robust_tickets.attacks.aim import MISCLASSIFICATION, Aim
from robust_tickets.attacks.attack import Attacker
from robust_tickets.attacks.attack_log import VANISHED
from robust_tickets.attacks.predict import Predict
from robust_tickets.attacks.threat import Threat
from robust_tickets.foundation.settings import Ratio
from robust_tickets.measures.accuracy import accuracy
from robust_tickets.measures.examinee import Examinee
from robust_tickets.measures.figure import Figure
from robust_tickets.measures.logits import Batches
from robust_tickets.measures.measure import Measure
from robust_tickets.measures.robust_accuracy import Correctness, withstanding

if TYPE_CHECKING:
    from robust_tickets.data.splits import DataSplits

STEPS = 20
"""PGD steps by default."""


class EvaluationThreat(Threat):
    """A ball, and the search in it by which robustness is evaluated: PGD-20 with steps of a quarter of epsilon.

    That is Double-Win's evaluation (Chen et al., 2022): steps of 2/255 at 8/255.
    """

    steps: int = Field(default=STEPS, ge=1, description="Gradient steps.")
    step_size: Ratio | None = Field(
        default=None,
        gt=0,
        description="Length of a step in the norm; null means epsilon / 4 with 20 steps, otherwise 2.5 * epsilon / "
        "steps.",
    )

    @property
    def step_length(self) -> float:
        """Length of one step in the norm. It follows epsilon, whoever changes that later."""
        return self.epsilon / 4 if self.step_size is None and self.steps == STEPS else super().step_length


@final
class Evaluation(Measure):
    """How robustness is evaluated; by default PGD-20 in L-inf 8/255 with steps of 2/255."""

    title: ClassVar[str] = "Robust accuracy"
    principal: ClassVar[str | None] = "robust"
    kind: Literal["robustness"] = "robustness"
    attack: AnyAttack = Field(
        default=PGD(), description="The search: pgd, apgd, square or autoattack (needs robust-tickets[robust])."
    )
    threat: Threat = Field(
        default=EvaluationThreat(), description="The ball and restarts; for pgd, also the number and length of steps."
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        description="At most this many test images, balanced over classes; null means all.",
    )

    @field_validator("threat")
    @classmethod
    def _of_an_evaluation(cls, threat: Threat) -> EvaluationThreat:
        """Take over what a threat states; if it states no steps, the evaluation's default applies."""
        if isinstance(threat, EvaluationThreat):
            return threat
        return EvaluationThreat.model_validate(threat.model_dump(exclude_unset=True))

    @property
    def gradient_free(self) -> bool:
        """Say whether the attack searches directly on what is measured, even a file without gradients."""
        return self.attack.gradient_free

    def attacker(
        self,
        predict: Predict,
        seed: int,
        craft_on: Predict | None = None,
        log: AttackLog | None = None,
        aim: Aim = MISCLASSIFICATION,
    ) -> Attacker:
        """Return the search for adversarial images; see `evaluate` for the arguments."""
        searched = predict if self.gradient_free or craft_on is None else craft_on
        return self.attack.attacker(searched, self.threat, seed, log, aim)

    def figures(self, examinee: Examinee) -> dict[str, float]:
        """Return `clean` and `robust`: accuracy in [0, 1] on the same images, as they are and under the attack.

        Of attacks that need gradients `gradient/...` too, see `GradientCounts.figures`.
        """
        log = AttackLog(examinee.tell)
        images = examinee.images(self.limit)
        found = withstanding(
            examinee.predict,
            images,
            self.attacker(examinee.predict, examinee.seed, examinee.craft, log, examinee.aim),
        )
        return {"clean": accuracy(found.clean), "robust": accuracy(found.robust), **log.figures()}

    def figure(self, key: str) -> Figure | None:
        """Return either accuracy; what the attack saw of the gradient is reported in words."""
        return Figure(key) if key in ("clean", "robust") else None

    def describe(self) -> str:
        """Return for example `PGD-20 in L-inf 8/255` or `AutoAttack in L2 0.5`."""
        return self.attack.describe(self.threat)

    def require_for(self, splits: DataSplits, provides: frozenset[str], classes: int) -> None:
        """Refuse data that the attack is not for."""
        self.attack.require_for(splits.name, splits.target_words, provides, classes)

    def shared_images(self, decided: Evaluation, labels: Sequence[int]) -> list[int] | None:
        """Return the images of this evaluation if it attacks in the same ball; see `common_images`."""
        return common_images(decided, self, labels)

    def is_whole(self, figures: dict[str, float]) -> bool:
        """Say whether the figures tell what the attack saw of the gradient, if it asks for one."""
        return self.gradient_free or VANISHED in figures

    def require(self) -> None:
        """Refuse an attack this installation does not have, before anything is trained.

        Raises:
            UserError: AutoAttack is asked for and the extra is not installed.
        """
        self.attack.require()


def evaluate(
    predict: Predict,
    batches: Batches,
    evaluation: Evaluation,
    seed: int,
    *,
    craft_on: Predict | None = None,
    log: AttackLog | None = None,
) -> Correctness:
    """Return which images are classified correctly, as they are and under the evaluation's attack.

    Use within `evaluation_mode`. `limit` is the caller's to apply, see `balanced_first`.

    Args:
        predict: images to logits; what is measured.
        batches: the test images and their classes.
        evaluation: which attack, and how strong.
        seed: of the run; the attack has its own streams derived from it.
        craft_on: a differentiable equivalent of `predict`, where `predict` is none: attacks that need gradients
            are crafted on it and replayed on `predict`. Gradient-free attacks search on `predict` itself.
        log: takes down how the attack went, and where it saw no gradient.

    Raises:
        UserError: AutoAttack is asked for and the extra is not installed.
    """
    return withstanding(predict, batches, evaluation.attacker(predict, seed, craft_on, log))


def common_images(one: Evaluation, other: Evaluation, labels: Sequence[int]) -> list[int] | None:
    """Return which of the images that `one` attacks `other` attacks as well, if in the same ball, and all of its own.

    Args:
        one: an evaluation.
        other: another one; its limit is at most that of `one`, or the two cannot be compared: None.
        labels: of all images; what comes back are places among those that `one` attacks.
    """
    if (one.threat.norm, one.threat.epsilon) != (other.threat.norm, other.threat.epsilon):
        return None
    mine, theirs = (balanced_first(labels, each.limit or len(labels)) for each in (one, other))
    places = {position: place for place, position in enumerate(mine)}
    return [places[position] for position in theirs] if places.keys() >= set(theirs) else None


def balanced_first(labels: Sequence[int], limit: int) -> list[int]:
    """Return the positions, ascending, of `limit` labels: the first of each class, as evenly as can be.

    Folders are sorted by class, so the plain first `limit` would be of one class. The choice uses no
    chance: the k-th image of every class comes before any (k+1)-th, and within a rank the earlier
    position comes first.
    """
    seen: dict[int, int] = {}
    ranked: list[tuple[int, int]] = []
    for position, label in enumerate(labels):
        seen[label] = seen.get(label, 0) + 1
        ranked.append((seen[label], position))
    return sorted(position for _, position in sorted(ranked)[:limit])
