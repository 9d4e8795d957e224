"""One sentence that says what shrinking gained and claims nothing that was not measured."""

from robust_tickets.shrinking.latency import LatencyRow, Machine
from robust_tickets.shrinking.removal import RemovalCounts
from robust_tickets.shrinking.settings import ShrinkSettings


def summarise(
    counts: RemovalCounts,
    zeros: float,
    row: LatencyRow,
    dense: LatencyRow,
    machine: Machine,
    sparse: bool,
    settings: ShrinkSettings,
    int8: LatencyRow | None = None,
    has_runtime_file: bool = True,
) -> str:
    """Say what was removed and what the exported file gained over dense; if slower, say so first, and what to try.

    Args:
        counts: what was removed.
        zeros: fraction of the network's parameters that are zero, in [0, 1].
        row: the exported file's size and latency, measured against dense.
        dense: those of dense's ONNX file.
        machine: where it was measured.
        sparse: whether single zeros are left out of it, as of a runtime file.
        settings: what it was made with.
        int8: size and latency of the 8-bit file, measured in the same rounds; None if there is none.
        has_runtime_file: whether the network may become a runtime file, so that one is worth a try.
    """
    size = f"batch {machine.batch_size}" + (f" of {machine.tokens} tokens" if machine.tokens is not None else "")
    engine = f"{machine.processor}, {_plural(machine.threads, 'thread')}, {machine.runtime}, {size}"
    where = f"measured against dense on {engine}"
    size = f"{row.file_bytes / 1e6:.3g} MB, {size_beside_dense(dense.file_bytes, row.file_bytes)}"
    bits = f"; in 8 bits {int8.file_bytes / 1e6:.3g} MB, {_speed(int8, dense)}" if int8 is not None else ""
    told = _contents(counts, zeros, sparse)
    if row is dense:
        text = f"{told}; {row.file_bytes / 1e6:.3g} MB, {row.median_ms:.3g} ms per call (measured on {engine})."
    elif is_slower(row):
        text = f"Slower than dense: {_spread(row, dense)}{bits} ({where}). {told}; {size}."
    else:
        text = f"{told}; {size}; {_speed(row, dense)}{bits} ({where})."
    groups = "channel" if machine.tokens is None else "head or neuron"
    return text + _advice(counts, zeros, row, sparse, settings, has_runtime_file, groups)


def is_slower(row: LatencyRow) -> bool:
    """Return whether a file was measured to be slower than dense."""
    return row.differs and row.speedup < 1.0


def _contents(counts: RemovalCounts, zeros: float, sparse: bool) -> str:
    """Say what was removed, or why nothing was."""
    rounded = f" (keeping multiples of {counts.multiple})" if counts.multiple > 1 else ""
    kept = f"; {counts.channels_kept} more are zero but kept for that" if counts.channels_kept else ""
    if counts.channels_removed:
        return (
            f"{counts.channels_removed} of {counts.channels_before} channels removed{rounded}{kept}: "
            f"{counts.parameters_before / counts.parameters_after:.2f} times fewer parameters, "
            f"{counts.multiply_adds_before / counts.multiply_adds_after:.2f} times fewer multiply-adds"
        )
    share = f"{100 * zeros:.0f} % of the parameters are zero"
    if zeros < NO_ZEROS:
        return "Written as it is: no parameter is zero" if not zeros else f"Written as it is: {100 * zeros:.1f} % zeros"
    if sparse:
        return f"{share} and left out"
    if counts.channels_kept:
        return (
            f"Not smaller: {share}, including {counts.channels_kept} zero channels kept for multiples of "
            f"{counts.multiple}"
        )
    return f"Not smaller: {share} but no channel is zero throughout, so nothing could be removed"


NO_ZEROS = 0.005
"""Share of zeros below which a network is called dense: a few parameters are zero by chance or by initialisation."""


def _advice(
    counts: RemovalCounts,
    zeros: float,
    row: LatencyRow,
    sparse: bool,
    settings: ShrinkSettings,
    has_runtime_file: bool,
    groups: str,
) -> str:
    """Return advice for a file that is slower than dense, or gains nothing from its zeros."""
    if not sparse and not counts.channels_removed:
        if counts.channels_kept:
            return " --set round_to=1 removes them, which can be slower."
        if zeros >= NO_ZEROS:
            other = ", or write a runtime file (.rtk), which leaves zeros out" if has_runtime_file else ""
            return f" Draw by {groups} to shrink{other}."
    if not is_slower(row):
        return ""
    if counts.channels_removed and settings.round_to < LIKED:
        return f" Try --set round_to={LIKED}: engines compute in blocks of channels, and other counts run slower."
    threads = ", another number of threads (--set threads=2)" if settings.threads == 1 else ""
    if sparse:
        return (
            " Try a sparser ticket, blocks of weights (draw with --set 'group={kind: block, out: 8}') or of channels"
            f"{threads}, or ship the ONNX file."
        )
    other = ", a runtime file (.rtk)" if has_runtime_file else ""
    return f" Try --set round_to={2 * settings.round_to}{other}{threads}, or remove more channels."


LIKED = 8
"""Channels that engines compute with at once, at least; some take 16."""


def size_beside_dense(dense: float, own: float) -> str:
    """Return how much smaller or larger than dense's ONNX file something is."""
    if f"{own / dense:.2f}" == "1.00":
        return "as large as dense in ONNX"
    times, what = (dense / own, "smaller") if own < dense else (own / dense, "larger")
    return f"{times:.2f} times {what} than dense in ONNX"


def _speed(row: LatencyRow, dense: LatencyRow) -> str:
    spread = _spread(row, dense)
    if not row.differs:
        return f"no measurable difference in latency ({spread})"
    return f"{'faster' if row.speedup > 1 else 'slower'} than dense ({spread})"


def _spread(row: LatencyRow, dense: LatencyRow) -> str:
    low, high = row.speedup_quartiles
    times = f"{row.median_ms:.3g} ms against {dense.median_ms:.3g} ms"
    return f"{row.speedup:.2f} times the speed of dense, middle half of rounds {low:.2f} to {high:.2f}; {times}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
