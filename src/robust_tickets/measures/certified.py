"""Certified accuracy by randomised smoothing (Cohen, Rosenfeld and Kolter 2019)."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, final

from pydantic import Field

from robust_tickets.attacks.predict import Predict
from robust_tickets.foundation.lazy import np, torch
from robust_tickets.foundation.seeds import stream_seed
from robust_tickets.foundation.settings import Ratio
from robust_tickets.measures.examinee import Examinee
from robust_tickets.measures.figure import Figure
from robust_tickets.measures.measure import Measure

if TYPE_CHECKING:
    from torch import Tensor

ABSTAIN = "certified/abstain"


@final
class Certified(Measure):
    """The accuracy that the smoothed network keeps whatever perturbation of a given L2 length.

    The smoothed network gives the class that the network most often gives to an image under Gaussian noise. The
    noise leaves [0, 1] by definition. Radii are L2 norms over all channels of inputs in [0, 1].
    """

    title: ClassVar[str] = "Certified accuracy"
    needs: ClassVar[frozenset[str]] = frozenset({"image-logits", "pixel-inputs"})
    kind: Literal["certified"] = "certified"
    sigma: Ratio = Field(
        default=0.25,
        gt=0,
        description="Standard deviation of the noise, on inputs in [0, 1]; best the one used in training.",
    )
    radii: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        default=(0.0, 0.25, 0.5, 0.75, 1.0), min_length=1, description="L2 radii, 0 or more, on inputs in [0, 1]."
    )
    selection: int = Field(default=100, ge=1, description="Noisy copies for choosing the class (the paper's n0).")
    samples: int = Field(
        default=1_000,
        ge=1,
        description="Noisy copies for certifying it (the paper's n; 100,000 there). No radius above sigma * "
        "quantile(alpha ** (1 / n)) can be certified: 2.5 sigma for 1,000, 3.8 sigma for 100,000.",
    )
    alpha: float = Field(default=0.001, gt=0, lt=1, description="Probability, for each image, of a wrong certificate.")
    limit: int | None = Field(
        default=200, ge=1, description="At most this many test images, balanced over classes; null means all."
    )
    batch: int = Field(default=256, ge=1, description="Noisy copies per forward pass; affects only memory and time.")

    def figures(self, examinee: Examinee) -> dict[str, float]:
        """Return `certified/<radius>` for every radius, and `certified/abstain`, as fractions in [0, 1].

        `certified/0.5` is the fraction of images whose class is right and certified for an L2 radius of 0.5 or more.
        """
        right: list[bool] = []
        radii: list[float] = []
        for images, labels in examinee.images(self.limit):
            for image, label in zip(images, labels, strict=True):
                predicted, radius = self.certify(examinee.predict, image, (examinee.seed, len(radii)))
                right.append(predicted == int(label))
                radii.append(radius)
        certified = torch.tensor(radii, dtype=torch.float64)
        correct = torch.tensor(right)
        figures = {self.key(radius): (correct & (certified >= radius)) for radius in self.radii}
        abstained = torch.isneginf(certified)
        return {name: hits.double().mean().item() for name, hits in {**figures, ABSTAIN: abstained}.items()}

    def key(self, radius: float) -> str:
        """Return for example `certified/0.5`."""
        return f"certified/{radius:g}"

    def figure(self, key: str) -> Figure | None:
        """Return the accuracy certified at a radius, or the share of images on which the network abstains."""
        if key == ABSTAIN:
            return Figure("abstained", higher_is_better=False)
        return next((Figure(f"L2 {radius:g}") for radius in self.radii if self.key(radius) == key), None)

    def certify(self, predict: Predict, image: Tensor, stream: tuple[int, int]) -> tuple[int, float]:
        """Return the smoothed network's class of an image [C, H, W] and its certified radius.

        With probability 1 - alpha the class is constant within that L2 radius; -infinity: it abstains. `stream` is the
        seed and the number of the image, which decide the noise (Cohen et al. 2019, algorithm CERTIFY).
        """
        seed, number = stream
        chance = np.random.default_rng(stream_seed(seed, "certified", number))
        chosen = int(self.counts(predict, image, self.selection, chance).argmax())
        hits = int(self.counts(predict, image, self.samples, chance)[chosen])
        probability = lower_bound(hits, self.samples, self.alpha)
        if probability <= 0.5:
            return chosen, float("-inf")
        return chosen, self.sigma * NormalDist().inv_cdf(probability)

    def counts(self, predict: Predict, image: Tensor, number: int, chance: np.random.Generator) -> Tensor:
        """Return how often each class [C] is the highest among `number` noisy copies of an image [C, H, W]."""
        total = torch.zeros(0, dtype=torch.long)
        for start in range(0, number, self.batch):
            # numpy's normals are drawn one after the other, so that the size of a batch does not change them.
            shape = (min(self.batch, number - start), *image.shape)
            noise = torch.from_numpy(chance.standard_normal(shape, dtype=np.float32))
            with torch.no_grad():
                scores = predict(image + self.sigma * noise).cpu()
            counted = scores.argmax(1).bincount(minlength=scores.shape[1])
            total = total + counted if len(total) else counted
        return total

    def describe(self) -> str:
        """Return for example `certified accuracy, noise 0.25, 1000 copies`."""
        return f"certified accuracy, noise {self.sigma:g}, {self.samples} copies"


def lower_bound(hits: int, total: int, alpha: float) -> float:
    """Return the one-sided Clopper-Pearson bound, below a binomial's probability with probability 1 - alpha."""
    # Here, because every recipe imports this file.
    from scipy.special import betaincinv

    return float(betaincinv(hits, total - hits + 1, alpha)) if hits else 0.0
