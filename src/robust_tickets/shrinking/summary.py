"""One sentence that says what shrinking gained and claims nothing that was not measured."""

from robust_tickets.shrinking.latency import LatencyRow, Machine
from robust_tickets.shrinking.removal import RemovalCounts


def summarise(
    counts: RemovalCounts,
    zeros: float,
    row: LatencyRow,
    dense: LatencyRow,
    machine: Machine,
    as_runtime: bool,
    int8: LatencyRow | None = None,
) -> str:
    """Tell what was removed and what the exported file gained over dense.

    Args:
        counts: what was removed.
        zeros: fraction of the ticket's parameters that are zero, in [0, 1].
        row: the exported file's size and latency, measured beside dense.
        dense: those of dense's ONNX file.
        machine: where it was measured.
        as_runtime: whether it is a runtime file, which leaves zeros out.
        int8: size and latency of the 8-bit file, measured in the same rounds; None where there is none.
    """
    where = (
        f"measured beside dense on {machine.processor}, {_plural(machine.threads, 'thread')}, "
        f"{machine.runtime}, batch {machine.batch_size}"
    )
    removed = (
        f"{counts.channels_removed} of {counts.channels_before} channels removed: "
        f"{counts.parameters_before / counts.parameters_after:.2f}x fewer parameters, "
        f"{counts.multiply_adds_before / counts.multiply_adds_after:.2f}x fewer multiply-adds"
    )
    size = f"{row.file_bytes / 1e6:.3g} MB, {dense.file_bytes / row.file_bytes:.2f}x smaller than dense in ONNX"
    if as_runtime:
        told = removed if counts.channels_removed else f"{zeros:.0%} of the parameters are zero and left out"
        return f"{told}; {size}; {_speed(row, dense)} ({where})."
    bits = f"; in 8 bits {int8.file_bytes / 1e6:.3g} MB, {_speed(int8, dense)}" if int8 is not None else ""
    if counts.channels_removed == 0:
        return (
            f"Not smaller: {zeros:.0%} of the parameters are zero but no channel is zero throughout, so "
            f"nothing could be removed; {_speed(row, dense)}{bits} ({where}). Draw by channel to shrink, or write a "
            "runtime file (.rtk), which leaves zeros out."
        )
    return f"{removed}; {size}; {_speed(row, dense)}{bits} ({where})."


def _speed(row: LatencyRow, dense: LatencyRow) -> str:
    low, high = row.speedup_quartiles
    times = f"{row.median_ms:.3g} ms beside {dense.median_ms:.3g} ms"
    spread = f"{row.speedup:.2f}x the speed of dense, middle half of rounds {low:.2f} to {high:.2f}; {times}"
    if not row.differs:
        return f"no measurable difference in latency ({spread})"
    return f"{'faster' if row.speedup > 1 else 'slower'} than dense ({spread})"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
