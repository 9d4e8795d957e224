"""How robustness is evaluated: the settings, the images, the attack they choose."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from robust_tickets.foundation.seeds import generator, stream_seed
from robust_tickets.foundation.settings import Settings
from robust_tickets.measures.autoattack import autoattack_correctness, load_autoattack
from robust_tickets.measures.predict import Batches, Predict
from robust_tickets.measures.robust_accuracy import Correctness, robust_correctness
from robust_tickets.objectives.threat import Threat


class Evaluation(Settings):
    """How robustness is evaluated; by default PGD-20 in L-inf 8/255 with steps of 2/255."""

    attack: Literal["pgd", "autoattack"] = Field(
        default="pgd",
        description="PGD with the threat's steps, or AutoAttack in its ball (needs robust-tickets[robust]).",
    )
    threat: Threat = Field(default=Threat(steps=20, step_size=2 / 255), description="The ball, and the steps of PGD.")
    limit: int | None = Field(
        default=None,
        ge=1,
        description="At most this many test images, balanced over classes; null means all.",
    )

    def describe(self) -> str:
        """Return for example `PGD-20 in L-inf 8/255` or `AutoAttack in L2 0.5`."""
        return self.threat.describe() if self.attack == "pgd" else f"AutoAttack in {self.threat.ball_name}"


def require_attack(evaluation: Evaluation) -> None:
    """Refuse an attack this installation does not have, before anything is trained.

    Raises:
        UserError: AutoAttack is asked for and the extra is not installed.
    """
    if evaluation.attack == "autoattack":
        load_autoattack()


def evaluate(predict: Predict, batches: Batches, evaluation: Evaluation, seed: int) -> Correctness:
    """Return which images are classified correctly, as they are and under the evaluation's attack.

    Use within `evaluation_mode`. `limit` is the caller's to apply, see `balanced_first`.

    Args:
        predict: images to logits.
        batches: the test images and their classes.
        evaluation: which attack, and how strong.
        seed: of the run; the attack has its own streams derived from it.

    Raises:
        UserError: AutoAttack is asked for and the extra is not installed.
    """
    if evaluation.attack == "autoattack":
        return autoattack_correctness(predict, batches, evaluation.threat, stream_seed(seed, "evaluation"))
    return robust_correctness(predict, batches, evaluation.threat, generator(seed, "evaluation"))


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
