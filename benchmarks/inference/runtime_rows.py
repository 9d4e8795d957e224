"""The rows of the runtime: how many times faster it runs a pruned network than a dense engine the dense one."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch

from benchmarks.inference.baselines import baselines
from benchmarks.inference.cases import Case
from benchmarks.inference.contest import Contestant, Measured, contest
from benchmarks.inference.layers import step_table, where_time_goes
from benchmarks.inference.networks import (
    LANGUAGE,
    TRAINED,
    Pattern,
    dense_file,
    expected,
    given,
    is_trained,
    pruned_file,
    trained_folder,
)
from benchmarks.inference.roofline import roofline
from benchmarks.inference.team import core_count
from benchmarks.inference.work import layer_work, total_work
from benchmarks.row import Row
from benchmarks.scale import FULL, Inference, Scale
from benchmarks.timing import ratios, spread
from robust_tickets.foundation.batch import by_name
from robust_tickets.foundation.files import read_json
from robust_tickets.models.proofs import relative_difference

TOLERANCE = 1e-4
"""Largest difference of the runtime's logits from those of the network's own modules, over their standard deviation."""


def runtime_row(case: Case) -> Callable[[Scale], Row]:
    """Return the measurement of one case."""

    def measure(scale: Scale) -> Row:
        return measured_row(case, scale.inference)

    return measure


def batch_of(case: Case, scale: Inference) -> int:
    """Return the images a call."""
    return scale.many if case.batch == "many" else 1


def measured_row(case: Case, scale: Inference) -> Row:
    """Time the case, or say what this machine lacks for it."""
    batch = batch_of(case, scale)
    name = case.name(batch_of(case, FULL.inference))
    if core_count() < case.threads:
        return Row.not_run(name, case.target, f"{case.threads} threads need as many cores; there is one")
    source = scale.source(case.network)
    trained = trained_folder(scale, source) if is_trained(scale, case.pattern) else None
    if is_trained(scale, case.pattern) and trained is None:
        return Row.not_run(name, case.target, "no trained network; `python -m benchmarks.trained` makes one")
    done = timed(scale, source, case.pattern, case.percent, batch, case.threads)
    base, own = done[case.against], done["runtime"]
    steps = step_table(own.steps, layer_work(scale, source, case.pattern, case.percent), roofline())
    details = facts(case, scale, source, batch, done)
    if trained is not None:
        details["trained"] = read_json(trained / TRAINED)
        details["summary"] += f"; {details['trained']['told']}"
    ratio, difference = own.over(base), details["logits_difference"]
    wrong = "" if difference <= TOLERANCE else f"its logits differ by {difference:.1e} of their spread"
    if ratio < case.target:
        details["steps"] = steps
    if scale.baselines:
        details["baselines"] = baselines(scale, source, batch, case.threads)
    return Row.judged(name, ratio, case.target, details, where_time_goes(steps), wrong)


def facts(case: Case, scale: Inference, source: str, batch: int, done: Mapping[str, Measured]) -> dict[str, Any]:
    """Return what the ratio rests on."""
    base, own = done[case.against], done["runtime"]
    times = {engine: one.facts(base) for engine, one in done.items()}
    before, after, cold = (
        times[case.against]["hot_ms"]["median"],
        times["runtime"]["hot_ms"]["median"],
        times["runtime"]["faster"]["cold"],
    )
    logits = expected(scale, source, case.pattern, case.percent, batch)
    work = layer_work(scale, source, case.pattern, case.percent)
    return {
        "summary": f"{before:.1f} to {after:.2f} ms; cold {cold:.2f} times",
        "network": source,
        "inputs": {name: list(array.shape) for name, array in by_name(given(scale, source, batch)).items()},
        "pattern": case.pattern,
        "sparsity": case.percent / 100,
        "against": f"{case.against}, dense",
        "batch_size": batch,
        "threads": case.threads,
        "stretch_target": case.stretch,
        "ratio": spread(ratios(base.hot, own.hot)),
        "cold_ratio": cold,
        "engines": times,
        # The two logits of one text have no spread to speak of.
        "logits_difference": relative_difference(
            torch.from_numpy(own.started.logits), logits, of_largest=source in LANGUAGE
        ),
        "multiply_adds": total_work(work),
        "roofline": roofline().facts(),
        **({"layer_work": work} if case.pattern == "global" else {}),
    }


@cache
def timed(
    scale: Inference, source: str, pattern: Pattern, percent: int, batch: int, threads: int
) -> dict[str, Measured]:
    """Time the runtime in turns with what it is compared with: two rows at batch 1 rest on one timing."""
    base = dense_file(scale, source, "onnx", is_trained(scale, pattern))
    contestants = {"onnxruntime": Contestant("onnxruntime", base)}
    if (pattern, batch, threads) == ("uniform", 1, 1):
        contestants["onnxruntime int8"] = Contestant("onnxruntime", dense_file(scale, source, "int8"))
    contestants["runtime"] = Contestant("runtime", pruned_file(scale, source, pattern, percent, "runtime"))
    done = contest(contestants, given(scale, source, batch), threads, scale.pace(batch))
    return {name: one for name, one in done.items() if isinstance(one, Measured)}
