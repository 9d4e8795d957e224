"""Check: whether a runtime file computes what other engines compute from the same weights."""

import os
import tempfile
from collections.abc import Callable
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from pydantic import Field
from torch import Tensor

from robust_tickets.attacks.predict import Predict
from robust_tickets.foundation.batch import examples_in, sliced
from robust_tickets.foundation.digests import file_digest
from robust_tickets.foundation.of_inputs import OfInputs
from robust_tickets.foundation.settings import Settings
from robust_tickets.models.proofs import relative_difference
from robust_tickets.runtime.storage.file import stored_weights
from robust_tickets.shrinking.artefact import RuntimeFile, open_runtime, open_session
from robust_tickets.shrinking.export import INPUT, OUTPUT, TOLERANCE, counted, onnx_program, portable, quiet
from robust_tickets.shrinking.torch_graph import TorchGraph, torch_graph
from robust_tickets.verbs.checked_inputs import CHECKED
from robust_tickets.verbs.exported import run_of
from robust_tickets.verbs.transfer import Transfer

BATCHES = (1, 5)
"""Images or texts per call: one, and a number that fits no vector."""

RANDOM = "random"
"""How the names of random inputs begin."""


class Comparison(Settings):
    """The runtime compared with another engine on the same images or texts."""

    engine: str = Field(description="What computes the same weights.")
    images: str = Field(description="Which images or texts.")
    count: int = Field(description="How many.")
    batch: int = Field(description="How many per call of the runtime.")
    threads: int = Field(description="Threads that the runtime uses.")
    difference: float = Field(
        description="Largest difference between logits, over the standard deviation of the engine's logits."
    )
    agreement: float = Field(description="Fraction of images, texts or tokens with the same largest logit, in [0, 1].")
    decides: bool = Field(
        default=True,
        description="Whether it counts: the network before its weights were rounded differs by the rounding.",
    )

    @property
    def passes(self) -> bool:
        """Return whether they differ by no more than 1e-4, or need not agree that well."""
        return self.difference <= TOLERANCE or not self.decides


class CheckReport(OfInputs):
    """What a runtime file computes, compared with other engines."""

    path: str
    file: str = Field(description="Digest of the file's bytes.")
    file_bytes: int
    nonzero: int = Field(description="Stored weights, in convolutions and matrices.")
    weights: int = Field(description="Weights of the same layers, zeros included.")
    half: bool = Field(description="Whether weights are stored in 16 bits.")
    rows: tuple[Comparison, ...]
    isolates_nan: bool = Field(
        description="Whether an image that contains a NaN gives only NaN, and leaves other images unaffected; of "
        "texts, whether padding and other texts leave a text unaffected."
    )

    @property
    def passes(self) -> bool:
        """Return whether every row passes, and nothing spreads."""
        return self.isolates_nan and all(row.passes for row in self.rows)

    def sentence(self) -> str:
        """Return the verdict in plain words."""
        worst = max((row for row in self.rows if row.decides), key=lambda row: row.difference)
        verdict = "computes what the other engines compute" if self.passes else "DIFFERS from what it should compute"
        nan = "" if self.isolates_nan else f"; {CHECKED[self.noun].spreads}"
        zeros = f"{100 * (1 - self.nonzero / self.weights):.1f} % of {self.weights:,} weights are zero"
        return (
            f"{verdict}: largest difference {worst.difference:.1e} of the logits' spread, from {worst.engine} on "
            f"{worst.images} (allowed: {TOLERANCE:.0e}){nan}. {self.file_bytes / 1e6:.3g} MB, "
            f"{zeros}{', the others stored in 16 bits' if self.half else ''}."
        )

    def lines(self) -> list[str]:
        """Return one line for each engine and set of images: its worst row."""
        told = []
        for engine, images in dict.fromkeys((row.engine, row.images) for row in self.rows):
            rows = [row for row in self.rows if (row.engine, row.images) == (engine, images)]
            worst = max(rows, key=lambda row: row.difference)
            batches, threads = ({getattr(row, name) for row in rows} for name in ("batch", "threads"))
            which = images if images.startswith(f"{RANDOM} ") else f"test {self.noun} of {images}"
            told.append(
                f"{engine}, {worst.count} {which}, {_listed(batches)} per call, {_listed(threads)} threads: largest "
                f"difference {worst.difference:.1e}, {100 * min(row.agreement for row in rows):.4g} % equal answers"
                f"{'' if worst.decides else ' (weights are rounded to 16 bits)'}"
            )
        return told


def check(
    path: Path | str, *, data: str | None = None, against: Transfer | None = None, limit: int = 64
) -> CheckReport:
    """Compare a runtime file with engines that are not the project's own, on the same weights and inputs.

    The file's operations become a torch network, which PyTorch and, exported, ONNX Runtime execute: on random images,
    or on random texts of several lengths, padded and not; one and several per call, on one thread and on two.

    Args:
        path: the runtime file.
        data: data whose test part is tried as well.
        against: the transfer that the file was shrunk from: its network is a third engine. Weights in 16 bits differ
            from it by rounding.
        limit: largest number of images or texts of `data`, balanced over classes.

    Raises:
        UserError: not a runtime file, not from this transfer, or data that do not fit.
    """
    path = Path(path)
    threads = sorted({1, min(2, os.cpu_count() or 1)})
    runtimes = {count: open_runtime(path, count) for count in threads}
    graph, checked = runtimes[1].graph, CHECKED[runtimes[1].noun]
    name_of_random, random = f"{RANDOM} {checked.noun}", checked.random(graph)
    inputs = {name_of_random: random}
    if data is not None:
        inputs[data] = checked.of_data(data, graph, path, limit)
    half = any(stored.dtype == "float16" for stored in stored_weights(path))
    network = torch_graph(graph)
    engines: dict[str, Predict] = {
        f"PyTorch {torch.__version__.partition('+')[0]}": network.logits,
        f"ONNX Runtime {onnxruntime.__version__}": in_onnx_runtime(network, random[-1]),
    }
    rounded = set()
    if against is not None:
        run = run_of(against, RuntimeFile(path, file_digest(path), runtimes[1]))
        engines[name := f"the network of seed {run.seed}"] = torch.no_grad()(portable(run.network))
        rounded = {name} if half else set()
    rows = []
    for name, batches in inputs.items():
        expected = {engine: answers(execute, batches) for engine, execute in engines.items()}
        for (count, runtime), batch in product(runtimes.items(), BATCHES):
            logits = answers(runtime, batches, batch)
            for engine, wanted in expected.items():
                rows.append(
                    Comparison(
                        engine=engine,
                        images=name,
                        count=sum(map(examples_in, batches)),
                        batch=batch,
                        threads=count,
                        difference=relative_difference(logits, wanted),
                        agreement=(logits.argmax(1) == wanted.argmax(1)).double().mean().item(),
                        decides=engine not in rounded,
                    )
                )
    matrices = [weight for weight in graph.weights.values() if len(weight.shape) > 1]
    return CheckReport(
        path=str(path),
        file=file_digest(path),
        file_bytes=path.stat().st_size,
        nonzero=sum(weight.count for weight in matrices),
        weights=sum(prod(weight.shape) for weight in matrices),
        half=half,
        rows=tuple(rows),
        isolates_nan=all(checked.isolates(runtime, random[-1]) for runtime in runtimes.values()),
        noun=checked.noun,
    )


def answers(compute: Callable[[Any], Tensor], batches: list[Any], most: int | None = None) -> Tensor:
    """Return the logits of all batches, at most so many inputs a call; of tokens without those at padding."""
    found = []
    for batch in batches:
        for start in range(0, examples_in(batch), most or examples_in(batch)):
            some = sliced(batch, start, start + (most or examples_in(batch)))
            found += counted(some, [compute(some)])
    return torch.cat(found)


def in_onnx_runtime(network: TorchGraph, inputs: Any) -> Predict:
    """Return the network as ONNX Runtime executes it; `inputs` are some that it takes.

    Raises:
        UserError: it is too large for one ONNX file.
    """
    program = onnx_program(network, network.entering(sliced(inputs, 0, 2)), "the file", free=network.free)
    with tempfile.TemporaryDirectory(prefix="tickets-check-") as folder:
        file = Path(folder, "model.onnx")
        with quiet():
            program.save(file, external_data=False)
        session = open_session(file, 1)

    def execute(given: Tensor) -> Tensor:
        return torch.from_numpy(session.run([OUTPUT], {INPUT: given.contiguous().numpy()})[0])

    return lambda some: network.logits(some, execute)


def _listed(numbers: set[int]) -> str:
    return " or ".join(map(str, sorted(numbers)))
