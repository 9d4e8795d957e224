"""Networks under examination, made of functions and tensors at hand."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import Tensor, nn

from robust_tickets.attacks.predict import Predict
from robust_tickets.data.examples import Examples
from robust_tickets.data.settings import DataSettings
from robust_tickets.measures.evaluation import balanced_first
from robust_tickets.measures.examinee import Examinee
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.shrinking.export import export_onnx
from tests.objectives.digits import digits, trained_network

Set = tuple[Tensor, Tensor]


def batches_of(images: Tensor, labels: Tensor, batch_size: int) -> Callable[[int | None], Iterator[Set]]:
    def limited(limit: int | None) -> Iterator[Set]:
        chosen = torch.tensor(balanced_first(labels.tolist(), limit or len(labels)))
        return zip(images[chosen].split(batch_size), labels[chosen].split(batch_size), strict=True)

    return limited


def examinee(
    predict: Predict, inside: Set, outside: Set | None = None, seed: int = 0, batch_size: int = 64
) -> Examinee:
    def other(settings: DataSettings, limit: int | None) -> Iterator[Set]:
        assert outside is not None
        return batches_of(*outside, batch_size)(limit)

    return Examinee(predict, predict, batches_of(*inside, batch_size), no_parts, no_texts, other, seed)


def no_parts(limit: int | None, count: int) -> list[Any]:
    raise AssertionError("measures see images in one piece")


def no_texts(limit: int | None) -> Examples:
    """Stand for examples where there are but tensors."""
    raise AssertionError("measures of images ask for batches")


def held_out_digits(count: int = 397) -> Set:
    _, _, images, labels = digits()
    return images[:count], labels[:count]


@functools.cache
def exported_digits(folder: Path) -> tuple[nn.Module, Predict]:
    """The digits network, and the same as an ONNX Runtime session."""
    body = trained_network().eval()
    network = Network(body, Pixels(mean=(0.0,), std=(1.0,), size=(8, 8)), "7").eval()
    export_onnx(network, folder / "digits.onnx")
    session = onnxruntime.InferenceSession(folder / "digits.onnx", providers=["CPUExecutionProvider"])
    return body, lambda images: torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])
