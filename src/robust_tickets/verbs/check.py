"""Check: whether a runtime file computes what other engines compute from the same weights."""

import json
import os
import tempfile
from itertools import product
from math import prod
from pathlib import Path

import onnxruntime
import torch
from pydantic import Field
from torch import Tensor

from robust_tickets.attacks.predict import Predict
from robust_tickets.data.settings import DataSettings
from robust_tickets.foundation.digests import file_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import generator
from robust_tickets.foundation.settings import Settings, parse
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.proofs import relative_difference
from robust_tickets.runtime.graph import Graph
from robust_tickets.runtime.load import Runtime
from robust_tickets.runtime.storage.file import stored_weights
from robust_tickets.shrinking.artefact import RuntimeFile, open_runtime, open_session
from robust_tickets.shrinking.conversion import GraphNetwork
from robust_tickets.shrinking.export import INPUT, OUTPUT, TOLERANCE, onnx_program, portable, quiet
from robust_tickets.tasks.target import fitted_data
from robust_tickets.verbs.exported import run_of
from robust_tickets.verbs.measure import in_order
from robust_tickets.verbs.transfer import Transfer

BATCHES = (1, 5)
"""Images per call: one, and a number that fits no vector."""

IMAGES = 10
"""Number of random images."""

RANDOM = "random images"


class Comparison(Settings):
    """The runtime compared with another engine on the same images."""

    engine: str = Field(description="What computes the same weights.")
    images: str = Field(description="Which images.")
    count: int = Field(description="How many images.")
    batch: int = Field(description="Images per call of the runtime.")
    threads: int = Field(description="Threads that the runtime uses.")
    difference: float = Field(
        description="Largest difference between logits, over the standard deviation of the engine's logits."
    )
    agreement: float = Field(description="Fraction of images with the same largest logit, in [0, 1].")
    decides: bool = Field(
        default=True,
        description="Whether it counts: the network before its weights were rounded differs by the rounding.",
    )

    @property
    def passes(self) -> bool:
        """Return whether they differ by no more than 1e-4, or need not agree that well."""
        return self.difference <= TOLERANCE or not self.decides


class CheckReport(Settings):
    """What a runtime file computes, compared with other engines."""

    path: str
    file: str = Field(description="Digest of the file's bytes.")
    file_bytes: int
    nonzero: int = Field(description="Stored weights, in convolutions and matrices.")
    weights: int = Field(description="Weights of the same layers, zeros included.")
    half: bool = Field(description="Whether weights are stored in 16 bits.")
    rows: tuple[Comparison, ...]
    isolates_nan: bool = Field(
        description="Whether an image that contains a NaN gives only NaN, and leaves other images unaffected."
    )

    @property
    def passes(self) -> bool:
        """Return whether every row passes, and NaN is handled."""
        return self.isolates_nan and all(row.passes for row in self.rows)

    def sentence(self) -> str:
        """Return the verdict in plain words."""
        worst = max((row for row in self.rows if row.decides), key=lambda row: row.difference)
        verdict = "computes what the other engines compute" if self.passes else "DIFFERS from what it should compute"
        nan = "" if self.isolates_nan else "; an image that contains a NaN does not give NaN, or affects other images"
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
            which = images if images == RANDOM else f"test images of {images}"
            told.append(
                f"{engine}, {worst.count} {which}, {_listed(batches)} per call, {_listed(threads)} threads: largest "
                f"difference {worst.difference:.1e}, {100 * min(row.agreement for row in rows):.4g} % equal answers"
                f"{'' if worst.decides else ' (weights are rounded to 16 bits)'}"
            )
        return told


def check(
    path: Path | str, *, data: str | None = None, against: Transfer | None = None, limit: int = 64
) -> CheckReport:
    """Compare a runtime file with engines that are not the project's own, on the same weights and images.

    The file's operations become a torch network, which PyTorch and, exported, ONNX Runtime execute: on random images,
    one and several per call, on one thread and on two.

    Args:
        path: the runtime file.
        data: data whose test images are tried as well.
        against: the transfer that the file was shrunk from: its network is a third engine. Weights in 16 bits differ
            from it by rounding.
        limit: largest number of images of `data`, balanced over classes.

    Raises:
        UserError: not a runtime file, not from this transfer, or data that do not fit.
    """
    path = Path(path)
    threads = sorted({1, min(2, os.cpu_count() or 1)})
    runtimes = {count: open_runtime(path, count) for count in threads}
    graph = runtimes[1].graph
    images = {RANDOM: torch.rand((IMAGES, *graph.input_shape), generator=generator(0, "check"))}
    if data is not None:
        images[data] = images_of(data, graph, path, limit)
    half = any(stored.dtype == "float16" for stored in stored_weights(path))
    network = GraphNetwork(graph).eval()
    engines: dict[str, Predict] = {
        f"PyTorch {torch.__version__.partition('+')[0]}": network,
        f"ONNX Runtime {onnxruntime.__version__}": in_onnx_runtime(network, images[RANDOM]),
    }
    rounded = set()
    if against is not None:
        run = run_of(against, RuntimeFile(path, file_digest(path), runtimes[1]))
        engines[name := f"the network of seed {run.seed}"] = portable(run.network)
        rounded = {name} if half else set()
    rows = []
    for (name, some), (engine, execute) in product(images.items(), engines.items()):
        with torch.no_grad():
            expected = execute(some)
        for (count, runtime), batch in product(runtimes.items(), BATCHES):
            logits = torch.cat([runtime(part) for part in some.split(batch)])
            rows.append(
                Comparison(
                    engine=engine,
                    images=name,
                    count=len(some),
                    batch=batch,
                    threads=count,
                    difference=relative_difference(logits, expected),
                    agreement=(logits.argmax(1) == expected.argmax(1)).double().mean().item(),
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
        isolates_nan=all(isolates_nan(runtime, images[RANDOM]) for runtime in runtimes.values()),
    )


def in_onnx_runtime(network: GraphNetwork, images: Tensor) -> Predict:
    """Return the network as ONNX Runtime executes it; `images` are some that it takes.

    Raises:
        UserError: it is too large for one ONNX file.
    """
    program = onnx_program(network, images[:2], "the file")
    with tempfile.TemporaryDirectory(prefix="tickets-check-") as folder:
        file = Path(folder, "model.onnx")
        with quiet():
            program.save(file, external_data=False)
        session = open_session(file, 1)
    return lambda some: torch.from_numpy(session.run([OUTPUT], {INPUT: some.numpy()})[0])


def isolates_nan(runtime: Runtime, images: Tensor) -> bool:
    """Return whether an image with a NaN gives only NaN, and the others what they give without it."""
    broken = images[:3].clone()
    broken[1, ..., -1] = float("nan")
    logits, whole = runtime(broken), runtime(images[:3])
    return bool(logits[1].isnan().all()) and torch.equal(logits[[0, 2]], whole[[0, 2]])


def images_of(data: str, graph: Graph, path: Path, limit: int) -> Tensor:
    """Return test images of data as the file's network takes them, float32 [N, C, H, W] in [0, 1].

    Raises:
        UserError: the file does not say how images become its input, or the data do not fit.
    """
    said = graph.metadata
    try:
        values = {name: json.loads(said[name]) for name in Pixels.model_fields}
    except (KeyError, json.JSONDecodeError):
        raise UserError(
            f"{path}: does not say how images become its input (mean, std, size); write it with tickets shrink"
        ) from None
    preprocessing = parse(Pixels, values, str(path))
    splits = fitted_data(DataSettings(name=data), preprocessing, path.name, 0)
    if not len(splits.test):
        raise UserError(f"{data}: has no test images; give data that do")
    return torch.cat([some for some, _ in in_order(splits.test, limit)])


def _listed(numbers: set[int]) -> str:
    return " or ".join(map(str, sorted(numbers)))
