"""What a reader of a verdict needs to know: few images or seeds, a trivial dense network, a blind attack."""

from collections.abc import Mapping
from math import ceil
from typing import Literal

from pydantic import Field

from robust_tickets.attacks.attack_log import GradientCounts
from robust_tickets.foundation.settings import Settings
from robust_tickets.measures.accuracy import share_interval
from robust_tickets.measures.chance import Crossed
from robust_tickets.measures.matching import RESOLUTION, Decision
from robust_tickets.measures.metric import Metric

COVERAGE = 0.99
"""Of the intervals by which accuracies on two parts of the data are told apart."""

NOTICEABLE = 0.01
"""A vanished gradient is reported from this share of the attacked images on."""

APART = 0.05
"""Attacks of one ball disagree where one leaves this share of the same images standing more than another. (On networks
whose gradients serve, PGD-20 and AutoAttack are two to four points apart.)"""

STRONGER = 0.02
"""A search without gradients is stronger than it should be where this share of the attacked images falls to it after
attacks with gradients. (On networks whose gradients serve it finds next to nothing then.)"""

CaveatKind = Literal[
    "few-examples",
    "majority-class",
    "nothing-learned",
    "validation-differs",
    "two-seeds",
    "no-spread",  # in results of older versions alone
    "vanished-gradient",
    "no-gradient",
    "black-box-stronger",
    "attacks-disagree",
]

EVIDENCE: frozenset[CaveatKind] = frozenset(
    ("vanished-gradient", "no-gradient", "black-box-stronger", "attacks-disagree")
)
"""Kinds that question whether accuracy under an attack is evidence of robustness."""


class Caveat(Settings):
    """One reason to trust a verdict less."""

    kind: CaveatKind
    measure: Literal["standard", "robust"] = Field(
        description="The accuracy it concerns: on clean images, or under attack."
    )
    text: str = Field(description="One or two sentences.")

    @property
    def is_about_evidence(self) -> bool:
        """Return whether it questions that accuracy under an attack is evidence of robustness."""
        return self.kind in EVIDENCE


def sample_caveats(
    decision: Decision,
    measure: Literal["standard", "robust"],
    part: str,
    examples: int,
    over_majority: Crossed | None,
    noun: str = "images",
    majority: float = 0.0,
) -> list[Caveat]:
    """Return caveats on the inputs and seeds that a decision on accuracy rests on.

    Args:
        decision: the decision.
        measure: which accuracy it is on.
        part: whose inputs, `test` or `validation`.
        examples: how many there are.
        over_majority: how much more often dense is right than an answer that is always the most frequent class among
            them; None: dense is not held against it.
        noun: what they are.
        majority: that class's share of them, in [0, 1].
    """
    found: list[tuple[CaveatKind, str]] = []
    margin = decision.margin
    if margin > 0 and round(examples * margin, RESOLUTION) < 1:
        under = " under attack" if measure == "robust" else ""
        found.append(
            (
                "few-examples",
                f"Only {examples} {part} {noun}: accuracy{under} moves in steps of {100 / examples:.2g} points, more "
                f"than the margin of {100 * margin:g}. Use at least {ceil(round(1 / margin, RESOLUTION))}, or a wider "
                "margin.",
            )
        )
    if over_majority is not None:
        above = over_majority.interval(decision.level)
        if round(above.lower, RESOLUTION) <= 0:
            found.append(
                (
                    "majority-class",
                    "Dense is not shown to beat the most frequent class "
                    f"({100 * (majority + over_majority.mean):.1f} % against {100 * majority:.1f} % of the {part} "
                    f"{noun}, difference [{100 * above.lower:+.1f}, {100 * above.upper:+.1f}]): matching it means "
                    "little.",
                )
            )
    if decision.seeds == 2:
        found.append(("two-seeds", "Two seeds say little about the spread between seeds; run at least three."))
    return [Caveat(kind=kind, measure=measure, text=text) for kind, text in found]


def part_caveats(
    validation: float, validation_examples: int, test: float, test_examples: int, noun: str = "images"
) -> list[Caveat]:
    """Return a caveat if dense does better on validation than on test data by more than chance explains.

    A published network was often trained on the very examples that validation data are carved from. It then knows them,
    and a ticket that has forgotten them seems worse than it is.

    Args:
        validation: dense's accuracy on validation data, mean over seeds, in [0, 1].
        validation_examples: their number.
        test: its accuracy on test data.
        test_examples: their number.
        noun: what they are.
    """
    if not validation_examples:
        return []
    known = share_interval(round(validation * validation_examples), validation_examples, COVERAGE)
    new = share_interval(round(test * test_examples), test_examples, COVERAGE)
    if known.lower <= new.upper:
        return []
    text = (
        f"Dense is right on {100 * validation:.1f} % of the validation and {100 * test:.1f} % of the test {noun}: if "
        "it was trained on the former, do not trust choices made on them."
    )
    return [Caveat(kind="validation-differs", measure="standard", text=text)]


def worst_caveats(decision: Decision, metric: Metric) -> list[Caveat]:
    """Return a caveat if dense has the worst value that the metric can take, which any network matches."""
    least, greatest = metric.bounds
    worst = least if metric.higher_is_better else greatest
    if worst is None or round(decision.dense - worst, RESOLUTION) != 0:
        return []
    text = (
        f"Dense has {metric.unit.table(decision.dense)} {metric.name}, the worst possible value: it has learned "
        "nothing, so matching it means nothing. Train longer, or at another learning rate."
    )
    return [Caveat(kind="nothing-learned", measure="standard", text=text)]


def gradient_caveats(attack: str, counts: Mapping[str, GradientCounts | None]) -> list[Caveat]:
    """Return caveats on an attack that saw no gradient.

    Args:
        attack: its name.
        counts: what it saw, by the name of the network it attacked, such as `ticket`; None: it asks for no gradients.
    """
    found: list[tuple[CaveatKind, str]] = []
    for name, seen in counts.items():
        if seen is None or not seen.attacked:
            continue
        if seen.share(seen.blind) >= NOTICEABLE:
            search = (
                f" A search without gradients (Square) fooled {seen.found} of {seen.probed} such images."
                if seen.probed
                else ""
            )
            found.append(
                (
                    "no-gradient",
                    f"{attack} finds no gradient on {100 * seen.share(seen.blind):.0f} % of the images it attacks in "
                    f"the {name} network, whatever the loss: accuracy under it is no evidence of robustness.{search}",
                )
            )
        elif seen.vanished >= NOTICEABLE:
            again = (
                f" {seen.retried} were attacked again under the difference-of-logits ratio, and {seen.recovered} fell."
                if seen.retried
                else ""
            )
            found.append(
                (
                    "vanished-gradient",
                    f"The gradient of {attack} vanishes on {100 * seen.vanished:.0f} % of the images it attacks in the "
                    f"{name} network, which in itself is no evidence of robustness.{again}",
                )
            )
        if not seen.blind and seen.share(seen.found) > STRONGER:
            found.append(
                (
                    "black-box-stronger",
                    f"In {attack} the search without gradients fooled {seen.found} of the {seen.probed} images that "
                    f"withstood gradient-based attacks on the {name} network: its gradients mislead, and accuracy "
                    "under attack may be lower still.",
                )
            )
    return [Caveat(kind=kind, measure="robust", text=text) for kind, text in found]


def disagreement(attack: str, left: float, others: Mapping[str, float], name: str) -> list[Caveat]:
    """Return caveats if an attack fools fewer images than another one in the same ball.

    Args:
        attack: the attack that is decided on.
        left: accuracy under it, in [0, 1].
        others: accuracy under others, by their names; of each the difference to `left` is on the same images.
        name: of the network attacked.
    """
    if not others:
        return []
    strongest = min(others, key=lambda other: others[other])
    if left - others[strongest] <= APART:
        return []
    text = (
        f"Attacks disagree on the {name} network: {attack} leaves {100 * left:.1f} %, {strongest} "
        f"{100 * others[strongest]:.1f} % of the same images. Use the lower figure, and decide on that attack."
    )
    return [Caveat(kind="attacks-disagree", measure="robust", text=text)]
