"""The caveats of a verdict, from what was measured: on images and seeds, and on the attack that is decided on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import torch

from robust_tickets.attacks.attack_log import GradientCounts
from robust_tickets.data.splits import DataSplits
from robust_tickets.measures.accuracy import accuracy
from robust_tickets.measures.caveats import (
    Caveat,
    disagreement,
    gradient_caveats,
    sample_caveats,
    worst_caveats,
)
from robust_tickets.measures.chance import crossed
from robust_tickets.measures.matching import Decision
from robust_tickets.measures.measure import by_name
from robust_tickets.measures.metric import Metric
from robust_tickets.verbs.measure import Outcome, part_of
from robust_tickets.verbs.verify_settings import Part, VerifySettings


class MeasuredNetwork(NamedTuple):
    """What was measured of ticket or dense, seed by seed."""

    outcomes: Sequence[Mapping[str, Outcome]]
    """`clean` and `robust`."""
    figures: Sequence[Mapping[str, Mapping[str, float]]]
    """Of further measures, by the measure's name."""


def caveats(
    decisions: Mapping[str, Decision],
    networks: Mapping[str, MeasuredNetwork],
    settings: VerifySettings,
    score: Metric,
    data: DataSplits,
    part: Part,
    shared: bool,
) -> list[Caveat]:
    """Return everything that a reader of a verdict needs to know.

    Args:
        decisions: on `clean` accuracy and, under an attack, on `robust`.
        networks: `ticket` and `dense`, or dense alone where it was compared with itself.
        settings: how they were measured.
        score: what is decided on.
        data: on which.
        part: of these.
        shared: whether all seeds have the same examples of it.
    """
    if not score.has_pairs:
        # What correctness image by image says of few images, a figure of the whole set does not.
        return [*worst_caveats(decisions["clean"], score), *_of_gradients(networks, settings)]
    labels = [int(label) for label in part_of(data, part).labels]
    # Dense differs from itself by nothing, and that says nothing.
    sampled = (
        _of_samples(decisions, networks["dense"], settings, labels, part, data.noun, shared)
        if len(networks) > 1
        else []
    )
    return [*sampled, *_of_gradients(networks, settings), *_of_attacks(networks, settings, labels)]


def _of_samples(
    decisions: Mapping[str, Decision],
    dense: MeasuredNetwork,
    settings: VerifySettings,
    labels: list[int],
    part: Part,
    noun: str,
    shared: bool,
) -> list[Caveat]:
    (majority, times), *_ = Counter(labels).most_common(1)
    most_frequent = torch.tensor(labels) == majority
    # Of validation parts that are each seed's own, the first seed's.
    correct = [one["clean"].values for one in dense.outcomes][: None if shared else 1]
    over_majority = crossed(correct, [most_frequent] * len(correct)) if len(labels) > 1 else None
    share = times / len(labels)
    found = sample_caveats(decisions["clean"], "standard", part, len(labels), over_majority, noun, share)
    if settings.robustness is not None:
        attacked = min(len(labels), settings.robustness.limit or len(labels))
        found += sample_caveats(decisions["robust"], "robust", part, attacked, None, noun)
    return found


def _of_gradients(networks: Mapping[str, MeasuredNetwork], settings: VerifySettings) -> list[Caveat]:
    if settings.robustness is None:
        return []
    counts: dict[str, GradientCounts | None] = {}
    for name, network in networks.items():
        seen = [one["robust"].gradients for one in network.outcomes]
        counts[name] = GradientCounts.sum([one for one in seen if one is not None]) if any(seen) else None
    return gradient_caveats(settings.robustness.describe(), counts)


def _of_attacks(networks: Mapping[str, MeasuredNetwork], settings: VerifySettings, labels: list[int]) -> list[Caveat]:
    """Compare the attack that is decided on with the others in its ball, on the images that both attacked."""
    decided = settings.robustness
    found: list[Caveat] = []
    if decided is None:
        return found
    for other, asked in by_name(settings.measures).items():
        common = asked.shared_images(decided, labels)
        if common is None:
            continue
        for name, network in networks.items():
            # Measures are taken on test data alone.
            if all(other in one for one in network.figures):
                left = fmean(accuracy(one["robust"].values[common]) for one in network.outcomes)
                under = fmean(one[other]["robust"] for one in network.figures)
                found += disagreement(decided.describe(), left, {other: under}, name)
    return found
