"""Accuracy under the common corruptions of Hendrycks and Dietterich (2019), computed on the fly."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic import Field

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.lazy import torch
from robust_tickets.measures.accuracy import correctness
from robust_tickets.measures.corruptions.published import CORRUPTIONS, SEVERITIES, CorruptionName, Severity
from robust_tickets.measures.examinee import Examinee
from robust_tickets.measures.figure import Figure, Sweep
from robust_tickets.measures.measure import Measure

if TYPE_CHECKING:
    from robust_tickets.data.splits import DataSplits

Place = tuple[CorruptionName, Severity]
"""Which corruption, at which severity."""


@final
class Corruption(Measure):
    """Fifteen kinds of noise, blur, weather and digital damage at five severities.

    The formulas and both sets of parameters are the authors': CIFAR-10-C's for images up to 64 pixels per side,
    ImageNet-C's above. Frost alone is not: its photographs are replaced by a random texture like them.
    """

    title: ClassVar[str] = "Accuracy under common corruptions"
    needs: ClassVar[frozenset[str]] = frozenset({"image-logits", "pixel-inputs"})
    kind: Literal["corruption"] = "corruption"
    names: tuple[CorruptionName, ...] = Field(
        default=CORRUPTIONS, min_length=1, description="Which of the fifteen corruptions."
    )
    severities: tuple[Severity, ...] = Field(
        default=SEVERITIES, min_length=1, description="Severities, from 1 (mildest) to 5."
    )
    limit: int | None = Field(
        default=None,
        ge=1,
        description="At most this many test images, balanced over classes; null means all. Each is used once per name "
        "and severity.",
    )

    def figures(self, examinee: Examinee) -> dict[str, float]:
        """Return accuracies in [0, 1]: `corruption/<name>/<severity>`, and their means.

        `corruption/<name>` is the mean over severities and `corruption` that over names.
        """
        from robust_tickets.measures.corruptions.corrupt import corrupt

        hits: dict[Place, int] = {(name, severity): 0 for name in self.names for severity in self.severities}
        seen = 0
        # Batches outside, because an image may have to be decoded whenever it is asked for.
        for images, labels in examinee.images(self.limit):
            for name, severity in hits:
                corrupted = corrupt(images, name, severity, examinee.seed, first=seen)
                with torch.no_grad():
                    scores = examinee.predict(corrupted).cpu()
                hits[name, severity] += int(correctness(scores, labels.cpu()).sum())
            seen += len(images)
        return summarised("corruption", {place: count / seen for place, count in hits.items()})

    def figure(self, key: str) -> Figure | None:
        """Return the mean over all corruptions; those by name and severity are its parts."""
        return Figure(key) if key == "corruption" else None

    @property
    def sweep(self) -> Sweep:
        """Mean accuracy at each severity."""
        return by_severity("corruption", self.names, self.severities)

    def require_for(self, splits: DataSplits, provides: frozenset[str], classes: int) -> None:
        """Refuse images that are neither grey nor RGB: the authors' formulas cover no others."""
        super().require_for(splits, provides, classes)
        if splits.channels not in (1, 3):
            raise UserError(
                f"{splits.name}: images have {splits.channels} channels; corruptions are for grey (1) or RGB (3) images"
            )

    def describe(self) -> str:
        """Return for example `15 corruptions at severities 1, 2, 3, 4, 5`."""
        return described("corruption", self.names, self.severities)


def summarised(prefix: str, accuracies: dict[Place, float]) -> dict[str, float]:
    """Return accuracies by name and severity with their means by name and over all names."""
    by_name: dict[str, list[float]] = {}
    for (name, _), value in accuracies.items():
        by_name.setdefault(name, []).append(value)
    means = {name: fmean(values) for name, values in by_name.items()}
    return {
        **{f"{prefix}/{name}/{severity}": value for (name, severity), value in accuracies.items()},
        **{f"{prefix}/{name}": value for name, value in means.items()},
        prefix: fmean(means.values()),
    }


def by_severity(prefix: str, names: Sequence[CorruptionName], severities: Sequence[Severity]) -> Sweep:
    """Return the chart of accuracies by name and severity: their mean over names."""
    along = {float(level): [f"{prefix}/{name}/{level}" for name in names] for level in sorted(severities)}
    return Sweep("Severity", along, Figure("accuracy"))


def described(what: str, names: Sequence[str], severities: Sequence[int]) -> str:
    """Return which corruptions at which severities, in a few words."""
    kinds = f"{len(names)} {what}s" if len(names) > 1 else f"{what} {names[0].replace('_', ' ')}"
    levels = ", ".join(str(severity) for severity in severities)
    return f"{kinds} at severit{'ies' if len(severities) > 1 else 'y'} {levels}"
