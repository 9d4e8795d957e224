"""Out-of-distribution detection: whether the network is less sure of images from another data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, final

from pydantic import Field

from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path
from robust_tickets.foundation.lazy import np, torch
from robust_tickets.foundation.unit import PLAIN
from robust_tickets.measures.examinee import Examinee
from robust_tickets.measures.figure import FRACTION, Figure
from robust_tickets.measures.logits import logits
from robust_tickets.measures.measure import Measure

if TYPE_CHECKING:
    from torch import Tensor

    from robust_tickets.data.splits import DataSplits

SCORES = {"msp": "max softmax", "energy": "energy"}

DETECTION = {"auroc": "AUROC", "aupr": "AUPR", "aupr_out": "AUPR of the others", "fpr95": "FPR at 95 % TPR"}


@final
class OutOfDistribution(Measure):
    """How well a score of the logits tells test images from those of a second data set.

    The target's test images are the positive class and higher scores mean in-distribution, as in Liang et al.
    (2018) and Liu et al. (2020). AUPR depends on which class is positive, so both are given.
    """

    title: ClassVar[str] = "Out-of-distribution detection"
    kind: Literal["out-of-distribution"] = "out-of-distribution"
    data: DataSettings = Field(
        default=DataSettings(name="glyphs"),
        description="The second data set, whose test part is used. Its classes should not be the target's; the "
        "built-in letters need no files and are easy to tell from photographs.",
    )
    limit: int | None = Field(
        default=None, ge=1, description="At most this many images from each set, balanced over classes; null: all."
    )
    temperature: float = Field(
        default=1.0, gt=0, description="Temperature of the energy score, above 0; the papers use 1."
    )

    def figures(self, examinee: Examinee) -> dict[str, float]:
        """Return `ood/<score>/auroc`, `aupr`, `aupr_out` and `fpr95`, fractions in [0, 1], for `msp` and `energy`."""
        inside, _ = logits(examinee.predict, examinee.images(self.limit))
        outside, _ = logits(examinee.predict, examinee.other(self.data, self.limit))
        scores: dict[str, Callable[[Tensor], Tensor]] = {
            "msp": max_softmax,
            "energy": lambda values: negative_energy(values, self.temperature),
        }
        return {
            f"ood/{name}/{figure}": value
            for name, score in scores.items()
            for figure, value in detection(score(inside), score(outside)).items()
        }

    def figure(self, key: str) -> Figure | None:
        """Return one of the four by either score."""
        score, _, what = key.removeprefix("ood/").partition("/")
        if score not in SCORES or what not in DETECTION:
            return None
        return Figure(f"{DETECTION[what]}, {SCORES[score]}", PLAIN, FRACTION, higher_is_better=what != "fpr95")

    def reads(self) -> tuple[Path, ...]:
        """Return where the second data set lies, if it has files."""
        place = given_path(self.data.name)
        return (place,) if place.exists() else ()

    def require(self) -> None:
        """Refuse a second data set that is not there, before anything is trained.

        Raises:
            UserError: it cannot be read.
        """
        from robust_tickets.data.readers import read

        read(self.data)

    def require_for(self, splits: DataSplits, provides: frozenset[str], classes: int) -> None:
        """Refuse a second data set of other inputs than the network takes, or whose settings ask for other channels.

        Raises:
            UserError: says which.
        """
        from robust_tickets.data.readers import read

        super().require_for(splits, provides, classes)
        if (given := read(self.data).inputs.noun) != splits.noun:
            raise UserError(f"{self.describe()}: {self.data.name} contains {given}, but {splits.name} {splits.noun}")
        if "pixel-inputs" in provides and self.data.channels not in (None, splits.channels):
            raise UserError(
                f"{self.data.name}: channels: {self.data.channels}, but the network takes {splits.channels}; leave "
                "`channels` out to convert the images"
            )

    def describe(self) -> str:
        """Return for example `out of distribution against glyphs`."""
        return f"out of distribution against {self.data.name}"


def max_softmax(scores: Tensor) -> Tensor:
    """Return the largest softmax probability, float64 [N], of logits [N, C] (Hendrycks and Gimpel 2017)."""
    return scores.double().softmax(1).amax(1)


def negative_energy(scores: Tensor, temperature: float = 1.0) -> Tensor:
    """Return T * log sum exp(logits / T), float64 [N], of logits [N, C] (Liu et al. 2020, eq. 4)."""
    return temperature * torch.logsumexp(scores.double() / temperature, 1)


def detection(inside: Tensor, outside: Tensor) -> dict[str, float]:
    """Return how well scores [N] of in-distribution images exceed scores [M] of others, as fractions in [0, 1].

    `auroc`: the probability that an inside score exceeds an outside one, ties counting half. `aupr`: average
    precision with inside as the positive class; `aupr_out`: with outside as the positive class and scores negated.
    `fpr95`: the fraction of outside images accepted at the highest threshold that accepts at least 95 % inside.
    """
    # Here, because it takes a second to import and every recipe imports this file.
    from sklearn.metrics import average_precision_score, roc_auc_score

    scores = torch.cat([inside, outside]).numpy()
    is_inside = np.arange(len(scores)) < len(inside)
    threshold = inside.sort(descending=True).values[int(np.ceil(0.95 * len(inside))) - 1]
    return {
        "auroc": float(roc_auc_score(is_inside, scores)),
        "aupr": float(average_precision_score(is_inside, scores)),
        "aupr_out": float(average_precision_score(~is_inside, -scores)),
        "fpr95": (outside >= threshold).double().mean().item(),
    }
