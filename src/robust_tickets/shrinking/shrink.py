"""From a ticket to the smallest file that computes the same, and a report of the gain."""

import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from robust_tickets.foundation.batch import sliced
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.notebook import as_html
from robust_tickets.foundation.settings import Settings
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.tokens import Tokens
from robust_tickets.pruning.applier import MaskApplier
from robust_tickets.pruning.masks import Masks
from robust_tickets.shrinking.artefact import RUNTIME
from robust_tickets.shrinking.counts import multiply_adds, nonzero_count, parameter_count
from robust_tickets.shrinking.export import Provenance, export_onnx, portable, random_inputs
from robust_tickets.shrinking.form_score import FormScore
from robust_tickets.shrinking.forms import FILES, FOLDER, form_of
from robust_tickets.shrinking.latency import LatencyRow, Machine, measure_latency, this_machine
from robust_tickets.shrinking.quantisation import quantise, quantise_matrices
from robust_tickets.shrinking.removal import RemovalCounts, remove_channels
from robust_tickets.shrinking.settings import Int8, ShrinkSettings
from robust_tickets.shrinking.summary import size_beside_dense, summarise


class Variant(Settings):
    """One form of the network, as exported."""

    parameters: int
    nonzero_parameters: int
    multiply_adds: int = Field(description="For one image or text, as a dense engine executes them: zeros count.")
    file_bytes: int
    deflated_bytes: int = Field(description="Bytes of the file after DEFLATE at level 1, as for a download.")
    latency: LatencyRow


class KeptSet(Settings):
    """Channels that cannot be removed exactly from this architecture."""

    name: str
    channels: int
    reason: str


class ShrinkReport(Settings):
    """The gain from shrinking a ticket, counted on the files and measured in this very run."""

    kind: Literal["channels", "zeros only"] = Field(
        description="Whether channels could be removed, or the ticket has zeros only in other patterns."
    )
    dense: Variant = Field(
        description="The dense network that the file is compared with; the file itself if nothing changed."
    )
    ticket: Variant = Field(
        description="The ticket with its zeros in place, in an ONNX file; the file written if that is the same."
    )
    shrunk: Variant = Field(description="The file written.")
    removal: RemovalCounts
    kept: tuple[KeptSet, ...] = Field(description="Sets of channels that cannot be removed, with the reason.")
    export_difference: float = Field(
        description="Largest |the file's engine - torch| over the standard deviation of the logits, shrunk file."
    )
    storage_difference: float = Field(
        default=0.0, description="The change caused by storing weights in 16 bits, in the same unit; 0 if they are not."
    )
    int8: Variant | None = Field(
        default=None, description="The same network in the 8-bit file; absent: none asked for."
    )
    checks: tuple[FormScore, ...] = Field(
        default=(), description="The ticket, and each file made from it that may answer differently, on validation."
    )
    machine: Machine
    settings: ShrinkSettings
    sentence: str

    def __repr__(self) -> str:
        size = size_beside_dense(self.dense.file_bytes, self.shrunk.file_bytes)
        return f"ShrinkReport({self.kind}: file {size}, {self.shrunk.latency.speedup:.2f} times the speed of dense)"

    def _repr_html_(self) -> str | None:
        """Return what a notebook shows: dense, ticket and result side by side."""
        return as_html(self)

    @property
    def forms(self) -> dict[str, Variant]:
        """Return every form of the network, by its name."""
        forms = {"dense": self.dense, "ticket": self.ticket, "shrunk": self.shrunk, "int8": self.int8}
        return {name: form for name, form in forms.items() if form is not None}


@dataclass(frozen=True, eq=False)
class Shrunken:
    """A network without the channels that were zero, on the CPU."""

    network: Network
    before: Network
    """The same network with these channels, as zeros."""
    masks: Masks
    """The remaining masks of the ticket: zeros that did not go with a channel."""


def shrink_network(
    dense: Network,
    ticket: Network,
    masks: Mapping[str, Tensor],
    out: Path | str,
    settings: ShrinkSettings | None = None,
    *,
    classes: Sequence[str] | None = None,
    provenance: Provenance | None = None,
    recalibrate: Callable[[Network], None] | None = None,
    calibration: np.ndarray | None = None,
    write: Callable[[Shrunken], None] | None = None,
) -> ShrinkReport:
    """Remove what can be removed exactly, write it to `out`, and measure dense, ticket and result together.

    A ticket without zero channels is exported too, and the report says what it gained: in an ONNX file nothing, since
    a dense engine computes with zeros; in a runtime file, which leaves them out, what is measured here.

    Args:
        dense: the network the ticket is compared with, with as many classes; the same object if there is none, and
            the network's own ONNX file, zeros in place, is what the file is compared with.
        ticket: the trained ticket; its weights are masked again.
        masks: parameter name inside `body` -> bool of its shape, True = kept.
        out: the file to write: a runtime file if its name ends in .rtk, else an ONNX file.
        settings: rounding of channels, threads, batch size, rounds.
        classes: names in the order of the logits, written into the file.
        provenance: which run the ticket is of, written into the file.
        recalibrate: recomputes batch-norm statistics of the smaller network, in place, if settings ask for it.
        calibration: training images float32 [N, C, H, W] in [0, 1], for an 8-bit file next to the ONNX file of a
            network for images, where settings ask for one.
        write: writes the smaller network in another form, for which no file is written at `out`.

    Raises:
        UserError: the networks do not compare, cannot be traced or exported, or the place cannot be written.
    """
    settings = settings or ShrinkSettings()
    out = Path(out)
    if dense.num_classes != ticket.num_classes or dense.interface.shape_words != ticket.interface.shape_words:
        raise UserError(
            f"dense has {dense.num_classes} classes at {dense.interface.shape_words}, the ticket "
            f"{ticket.num_classes} at {ticket.interface.shape_words}: compare networks of the same task and size"
        )
    form = FOLDER if write is not None else form_of(out)
    form.require_network(ticket)
    alone = dense is ticket
    dense, masked = portable(dense), portable(ticket)
    MaskApplier(dict(masked.body.named_parameters()), masks).apply_to_weights()
    timed = masked.interface.timed(settings.batch_size, settings.length)
    counted = sliced(timed, 0, 1)
    removal = remove_channels(masked.body, masks, random_inputs(masked, 4), round_to=settings.round_to, counted=counted)
    shrunk = Network(removal.body, masked.interface, masked.head)
    if settings.recalibrate and recalibrate is not None:
        recalibrate(shrunk)

    networks = {"dense": dense, "ticket": masked, "shrunk": shrunk}
    unchanged = not removal.counts.channels_removed and not form.leaves_out_zeros
    # What would be the same file as another is not written again.
    for name in (*(["ticket"] if alone or unchanged else []), *(["dense"] if alone and unchanged else [])):
        del networks[name]
    baseline = next(iter(networks))
    with tempfile.TemporaryDirectory(prefix="tickets-shrink-") as folder:
        files = {name: Path(folder, f"{name}.onnx") for name in networks}
        if write is None:
            files["shrunk"] = out
        for name in networks.keys() - {"shrunk"}:
            export_onnx(networks[name], files[name])
        found = form.write(shrunk, files["shrunk"], settings, classes=classes, provenance=provenance)
        if settings.int8 is not None:
            networks["int8"], files["int8"] = shrunk, int8_path(out)
            QUANTISERS[shrunk.interface.noun](files["shrunk"], files["int8"], settings.int8, calibration)
        if write is not None:
            write(Shrunken(shrunk, masked, removal.masks))
        rows = measure_latency(files, timed, baseline=baseline, threads=settings.threads, rounds=settings.rounds)
        variants = {row.name: _variant(networks[row.name], files[row.name], row, counted) for row in rows}

    machine = this_machine(settings.threads, timed)
    zeros = 1 - nonzero_count(masked) / parameter_count(masked)
    return ShrinkReport(
        kind="channels" if removal.counts.channels_removed else "zeros only",
        dense=variants[baseline],
        ticket=variants.get("ticket", variants[baseline if alone else "shrunk"]),
        shrunk=variants["shrunk"],
        removal=removal.counts,
        kept=tuple(KeptSet(name=r.name, channels=r.channels, reason=r.reason) for r in removal.refusals),
        export_difference=found.runtime,
        storage_difference=found.storage,
        int8=variants.get("int8"),
        machine=machine,
        settings=settings,
        sentence=summarise(
            removal.counts,
            zeros,
            variants["shrunk"].latency,
            variants[baseline].latency,
            machine,
            form.leaves_out_zeros,
            settings,
            variants["int8"].latency if "int8" in variants else None,
            has_runtime_file=FILES[RUNTIME].suits(shrunk),
        ),
    )


def _with_images(path: Path, out: Path, settings: Int8, calibration: np.ndarray | None) -> None:
    assert calibration is not None, "the verb gives training images where settings ask for 8 bits"
    quantise(path, out, calibration, reduce_range=settings.reduce_range)


def _without_data(path: Path, out: Path, settings: Int8, calibration: np.ndarray | None) -> None:
    quantise_matrices(path, out, reduce_range=settings.reduce_range)


QUANTISERS: dict[str, Callable[[Path, Path, Int8, np.ndarray | None], None]] = {
    Pixels.noun: _with_images,
    Tokens.noun: _without_data,
}
"""What writes the 8-bit file, by what goes into the network."""


def int8_path(out: Path) -> Path:
    """Return the place of the 8-bit file next to an ONNX file."""
    return out.with_name(f"{out.stem}-int8{out.suffix}")


def _variant(network: Network, path: Path, row: LatencyRow, example: Any) -> Variant:
    return Variant(
        parameters=parameter_count(network),
        nonzero_parameters=nonzero_count(network),
        multiply_adds=multiply_adds(network, example),
        file_bytes=row.file_bytes,
        deflated_bytes=_deflated(path),
        latency=row,
    )


def _deflated(path: Path) -> int:
    compressor, size = zlib.compressobj(level=1), 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            size += len(compressor.compress(chunk))
    return size + len(compressor.flush())
