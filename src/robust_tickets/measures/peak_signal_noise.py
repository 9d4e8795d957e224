"""How close a restored picture is to the clean one: peak signal-to-noise ratio and structural similarity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, final

from robust_tickets.foundation.lazy import torch
from robust_tickets.foundation.unit import DECIBEL, Unit
from robust_tickets.measures.figure import Bounds
from robust_tickets.measures.set_metric import SetMetric

if TYPE_CHECKING:
    from torch import Tensor

SIGMA = 1.5
"""Standard deviation of SSIM's window, pixels, of pictures that are large enough for it."""

LEAST = 1e-12
"""Mean squared error of pictures that are equal: 120 dB."""


@final
class PeakSignalNoise(SetMetric):
    """Mean PSNR of pictures in [0, 1]; kept are mean squared error and SSIM of each, float64 [N, 2].

    SSIM is that of Wang et al. (2004), with a Gaussian window of 11 pixels, as in torchmetrics.
    """

    name: str = "PSNR"
    key: ClassVar[str] = "psnr"
    unit: Unit = DECIBEL
    bounds: Bounds = (0.0, None)
    parts: ClassVar[int] = 1

    def of_batch(self, outputs: Tensor, targets: Any) -> Tensor:
        """Return mean squared error and SSIM of the pictures of a batch."""
        return errors(outputs, targets["clean"])

    def merged(self, totals: Sequence[Tensor]) -> Tensor:
        """Return all pictures."""
        return torch.cat(list(totals))

    def value(self, measured: Tensor) -> float:
        """Return the mean over pictures of 10 log10(1 / mean squared error), dB."""
        return measured[:, 0].clamp(min=LEAST).log10().mul(-10).mean().item()

    def packed(self, measured: Tensor) -> dict[str, Any]:
        """Return the mean PSNR and SSIM, and the error of each picture."""
        mse, ssim = measured.unbind(1)
        return {"psnr": self.value(measured), "ssim": math.fsum(ssim.tolist()) / max(1, len(ssim)), "mse": mse.tolist()}

    def unpacked(self, values: dict[str, Any]) -> Tensor:
        """Undo `packed`."""
        return torch.tensor([[mse, values["ssim"]] for mse in values["mse"]], dtype=torch.float64)


def errors(pictures: Tensor, clean: Tensor) -> Tensor:
    """Return mean squared error and SSIM of each picture [N, C, H, W] in [0, 1], float64 [N, 2] on the CPU."""
    # Imported here: it takes a second, which anyone who classifies images is spared.
    from torchmetrics.functional.image import structural_similarity_index_measure

    made, right = pictures.detach().float().clamp(0, 1), clean.float()
    # Half the window, 3.5 sigma, has to fit into the picture, whose borders are reflected.
    sigma = min(SIGMA, (min(made.shape[-2:]) - 1.6) / 3.5)
    ssim = structural_similarity_index_measure(made, right, sigma=sigma, data_range=1.0, reduction="none")
    assert not isinstance(ssim, tuple)
    mse = (made - right).square().flatten(1).double().mean(1)
    return torch.stack([mse, ssim.reshape(-1).double()], 1).cpu()
