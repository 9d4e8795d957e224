"""The empirical Fisher matrix of a network's weights, in blocks, and what removing weights costs by it.

With m gradients G [m, d] of the loss and damping l it is F = l I + GT G / m. Neither F nor its inverse is formed where
a block has more weights than there are gradients: by Woodbury's identity the m x m matrix l m I + G GT answers every
question. (The recursion by rank-one updates of WoodFisher, arXiv 2004.14340, and M-FAC, arXiv 2107.03356, computes the
same.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from robust_tickets.foundation.lazy import F, torch

if TYPE_CHECKING:
    from torch import Tensor

AT_ONCE = 2**24
"""Numbers in float64 that are worked on at once."""


class EmpiricalFisher:
    """The matrix over weights that are still there; removed ones have no part in it.

    Args:
        gradients: of each weight [m, *shape].
        masks: of each weight, True = still there.
        damping: l, above 0.
        block: weights in a block, which are consecutive ones of one layer; None: one block of all layers.
    """

    def __init__(
        self, gradients: Mapping[str, Tensor], masks: Mapping[str, Tensor], damping: float, block: int | None
    ) -> None:
        self.gradients, self.masks, self.damping, self.block = gradients, masks, damping, block
        self.count = len(next(iter(gradients.values())))

    def saliencies(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return by how much the loss rises if a weight goes and the others of its block make up for it.

        w^2 / (2 [F^-1]_qq), the statistic of Optimal Brain Surgeon, fp32, in the weights' shapes.
        """
        inverse = self.inverse_diagonal()
        return {name: (weight.detach().double() ** 2 / (2 * inverse[name])).float() for name, weight in weights.items()}

    def inverse_diagonal(self) -> dict[str, Tensor]:
        """Return [F^-1]_qq of each weight, float64, in its shape."""
        shared = self._factor_of_all(self.masks) if self.block is None else None
        found: dict[str, Tensor] = {}
        for name, mask in self.masks.items():
            parts = [self._diagonal(self._read(name, mask, span), shared) for span in self._spans(mask.numel())]
            found[name] = torch.cat(parts)[: mask.numel()].reshape(mask.shape)
        return found

    def compensated(self, weights: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights that are left, moved to where the loss rises least.

        All that goes, goes at once. With Q what goes and S what stays, the minimiser of d F d / 2 over d_S for
        d_Q = -w_Q is d_S = G_ST (l m I + G_S G_ST)^-1 G_Q w_Q.

        Args:
            weights: as they are.
            after: of each weight, True = stays.
        """
        gone = {name: self.masks[name] & ~mask for name, mask in after.items()}
        shared = self._factor_of_all(after) if self.block is None else None
        pulls = [self._pull(weights[name], name, gone[name], span) for name, span in self._everywhere(after)]
        if shared is not None:
            pulls = [torch.stack(pulls).sum(0)] * len(pulls)
        steps: dict[str, list[Tensor]] = {name: [] for name in after}
        for (name, span), pull in zip(self._everywhere(after), pulls, strict=True):
            stays = self._read(name, after[name], span)
            solved = torch.cholesky_solve(pull[..., None], shared if shared is not None else self._factor(stays))
            steps[name].append((stays.mT @ solved).flatten())
        moved: dict[str, Tensor] = {}
        for name, mask in after.items():
            step = torch.cat(steps[name])[: mask.numel()].reshape(mask.shape)
            moved[name] = ((weights[name].detach().double() + step) * mask).to(weights[name].dtype)
        return moved

    def _everywhere(self, masks: Mapping[str, Tensor]) -> Iterator[tuple[str, slice]]:
        """Yield every span of every layer."""
        return ((name, span) for name, mask in masks.items() for span in self._spans(mask.numel()))

    def _spans(self, size: int) -> Iterator[slice]:
        """Yield the stretches of a layer's weights that are worked on at once, whole blocks each."""
        step = max(1, AT_ONCE // self.count)
        if self.block is not None:
            step = max(1, AT_ONCE // (self.count * (self.block + self.count))) * self.block
        return (slice(start, min(start + step, size)) for start in range(0, size, step))

    def _fold(self, values: Tensor) -> Tensor:
        """Return [..., n] as [..., blocks, size], the last block filled up with zeros."""
        size = self.block or values.shape[-1]
        return F.pad(values, (0, -values.shape[-1] % size)).unflatten(-1, (-1, size))

    def _read(self, name: str, mask: Tensor, span: slice) -> Tensor:
        """Return the gradients of what a mask keeps, float64 [blocks, m, size]."""
        part = self.gradients[name].flatten(1)[:, span].double() * mask.flatten()[span]
        return self._fold(part).transpose(0, 1)

    def _pull(self, weight: Tensor, name: str, gone: Tensor, span: slice) -> Tensor:
        """Return G_Q w_Q of each block, [blocks, m]."""
        values = self._fold(weight.detach().flatten()[span].double())
        return (self._read(name, gone, span) @ values[..., None]).squeeze(-1)

    def _factor(self, part: Tensor) -> Tensor:
        """Return the Cholesky factor of l m I + G GT of each block, [blocks, m, m]."""
        return torch.linalg.cholesky(part @ part.mT + self._ridge(part))

    def _factor_of_all(self, masks: Mapping[str, Tensor]) -> Tensor:
        """Return the Cholesky factor of l m I + G GT of all layers together, [1, m, m]."""
        grams = [
            part @ part.mT for part in (self._read(name, masks[name], span) for name, span in self._everywhere(masks))
        ]
        return torch.linalg.cholesky(torch.stack(grams).sum(0) + self._ridge(grams[0]))

    def _ridge(self, like: Tensor) -> Tensor:
        return self.damping * self.count * torch.eye(self.count, dtype=like.dtype, device=like.device)

    def _diagonal(self, part: Tensor, shared: Tensor | None) -> Tensor:
        """Return [F^-1]_qq of blocks, flat."""
        size = part.shape[2]
        if shared is None and size <= self.count:
            fisher = part.mT @ part / self.count
            fisher += self.damping * torch.eye(size, dtype=part.dtype, device=part.device)
            return torch.cholesky_inverse(torch.linalg.cholesky(fisher)).diagonal(dim1=1, dim2=2).flatten()
        factor = shared if shared is not None else self._factor(part)
        solved = torch.linalg.solve_triangular(factor, part, upper=False)
        return ((1 - (solved**2).sum(1)) / self.damping).flatten()
