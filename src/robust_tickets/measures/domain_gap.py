"""The domain gap: how far apart two data sets lie in the features of a network."""

import torch
from pydantic import Field
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.of_inputs import OfInputs


class DomainGap(OfInputs):
    """The Fréchet distance between normal distributions fitted to two sets of features.

    It depends on the features, and for fewer than some thousand images on their number: compare gaps of the same
    features and numbers only.
    """

    distance: float = Field(ge=0, description="Squared, in the unit of the features squared; 0 or more.")
    mean_term: float = Field(ge=0, description="Part of it that is due to the means.")
    covariance_term: float = Field(ge=0, description="Part of it that is due to the covariances.")
    features: str = Field(default="", description="The network that gives the features.")
    dimensions: int = Field(ge=1, description="Number of features.")
    source_images: int = Field(ge=2, description="Images, or texts, of the source.")
    target_images: int = Field(ge=2, description="Images, or texts, of the target.")

    @property
    def is_rank_deficient(self) -> bool:
        """Say whether a covariance was fitted to too few images to have full rank."""
        return min(self.source_images, self.target_images) <= self.dimensions

    def sentence(self) -> str:
        """Return the gap in plain words, with what limits it."""
        counts = f"{self.source_images:,} source and {self.target_images:,} target {self.noun}"
        features = f"{self.dimensions} features{f' of {self.features}' if self.features else ''}"
        text = (
            f"Fréchet distance {self.distance:.4g} over {features}, {self.mean_term:.4g} of it between the means; "
            f"{counts}."
        )
        if self.is_rank_deficient:
            text += (
                f" There are no more {self.noun} than features, so the covariances do not have full rank and the "
                f"distance is overestimated: compare it only with distances from the same numbers of {self.noun}."
            )
        return text


def domain_gap(source_features: Tensor, target_features: Tensor, features: str = "", noun: str = "images") -> DomainGap:
    """Return the Fréchet distance of features [N, D] and [M, D] (Dowson and Landau 1982; Heusel et al. 2017, eq. 6).

    |m1 - m2|^2 + tr(S1) + tr(S2) - 2 tr((S1 S2)^(1/2)), with means m and unbiased covariances S, in float64. The last
    trace is the sum of the singular values of R1 R2^T, where S = R^T R: no square root of a matrix is taken, and
    covariances need neither be of full rank nor be regularised.

    Args:
        source_features: of at least 2 inputs.
        target_features: of at least 2 inputs.
        features: what they are features of, for the result.
        noun: and of what inputs.

    Raises:
        UserError: there are fewer than 2 inputs, other dimensions, or a feature is not finite.
    """
    first, second = source_features.double(), target_features.double()
    for name, values in (("source", first), ("target", second)):
        if values.dim() != 2 or len(values) < 2:
            raise UserError(
                f"{name} features have shape {list(values.shape)}; give [{noun}, features] of 2 {noun} or more"
            )
        if not torch.isfinite(values).all():
            raise UserError(f"{name} features contain NaN or infinity; the network gives no usable features there")
    if first.shape[1] != second.shape[1]:
        raise UserError(
            f"source has {first.shape[1]} features, target {second.shape[1]}; take both from the same network"
        )
    mean_term = (first.mean(0) - second.mean(0)).square().sum().item()
    factors = [covariance_factor(first), covariance_factor(second)]
    common = torch.linalg.svdvals(factors[0] @ factors[1].T).sum()
    covariance_term = max(0.0, (factors[0].square().sum() + factors[1].square().sum() - 2 * common).item())
    return DomainGap(
        noun=noun,
        distance=mean_term + covariance_term,
        mean_term=mean_term,
        covariance_term=covariance_term,
        features=features,
        dimensions=first.shape[1],
        source_images=len(first),
        target_images=len(second),
    )


def covariance_factor(features: Tensor) -> Tensor:
    """Return R [min(N, D), D] such that R^T R is the unbiased covariance of features [N, D]."""
    centred = (features - features.mean(0)) / (len(features) - 1) ** 0.5
    return torch.linalg.qr(centred, mode="r").R
