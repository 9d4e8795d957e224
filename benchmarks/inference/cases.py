"""What each row of the runtime compares, and what is claimed of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from benchmarks.inference.networks import Pattern

NETWORKS = ("resnet18", "resnet50")
DEPTHWISE = "mobilenet_v2"
TRANSFORMERS = {"minilm": (3.3, 4.5), "bert_base": (3.8, 5.5), "vit_s16": (3.0, 4.2), "vit_b16": (3.0, 4.2)}
"""Networks of sequences -> what is claimed of 90 and 95 %."""


@dataclass(frozen=True)
class Case:
    """The runtime on a pruned network against a dense engine."""

    network: str
    percent: int
    """Sparsity."""
    target: float
    stretch: float | None = None
    """What would be more than is claimed."""
    pattern: Pattern = "uniform"
    against: Literal["onnxruntime", "onnxruntime int8"] = "onnxruntime"
    batch: Literal["one", "many"] = "one"
    threads: int = 1

    def name(self, batch_size: int) -> str:
        """Return the row's name."""
        pattern = "" if self.pattern == "uniform" else f"_{self.pattern}"
        against = "_vs_int8" if self.against == "onnxruntime int8" else ""
        threads = f"_t{self.threads}" if self.threads > 1 else ""
        zeros = self.percent or "dense"
        return f"runtime_{self.network}{pattern}{against}_{zeros}_b{batch_size}{threads}"


def cases() -> Iterator[Case]:
    """Yield all cases, those that share files and baselines one after the other."""
    for network in NETWORKS:
        yield Case(network, 90, 3.3, 4.5)
        yield Case(network, 95, 4.8, 6.5)
        yield Case(network, 90, 1.05, against="onnxruntime int8")
        yield Case(network, 95, 1.5, against="onnxruntime int8")
        yield Case(network, 90, 4.2, 6.0, pattern="block8x1")
        yield Case(network, 95, 6.0, 8.0, pattern="block8x1")
        yield Case(network, 90, 2.5, pattern="global")
        yield Case(network, 90, 3.4, batch="many")
        yield Case(network, 95, 4.4, batch="many")
        yield Case(network, 90, 2.8, threads=2)
        yield Case(network, 95, 4.0, threads=2)
    yield from _depthwise()
    for network, targets in TRANSFORMERS.items():
        for percent, target in zip((90, 95), targets, strict=True):
            yield Case(network, percent, target)
    yield Case("minilm", 90, 4.5, pattern="block8x1")
    # Without zeros: what an engine made for them loses.
    yield Case("minilm", 0, 0.9)


def _depthwise() -> Iterator[Case]:
    """Yield the cases of a network whose depthwise convolutions stay nearly dense: no more is to be had."""
    yield Case(DEPTHWISE, 90, 2.0)
    yield Case(DEPTHWISE, 95, 2.5)
    yield Case(DEPTHWISE, 90, 2.5, pattern="block8x1")
    yield Case(DEPTHWISE, 90, 1.6, threads=2)
