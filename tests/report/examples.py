"""Summaries of the size a real study has."""

import random
from typing import Any

from robust_tickets.report.summary import ResultRow, ShrinkRow, Summary, TransferMode, VerdictRow

DENSE: dict[tuple[str, TransferMode], float] = {
    ("robust", "linear"): 0.916,
    ("robust", "full"): 0.971,
    ("natural", "linear"): 0.759,
    ("natural", "full"): 0.962,
}
LOSS = {0.5: 0.004, 0.8: 0.03, 0.9: 0.09, 0.95: 0.18, 0.99: 0.36}


def row(**given: Any) -> ResultRow:
    """One transferred network; what is not given is ordinary."""
    ordinary = {
        "series": "robust",
        "ticket": "drawn",
        "sparsity": 0.9,
        "transfer": "full",
        "target": "CIFAR-10",
        "seed": 0,
        "standard_accuracy": 0.9,
    }
    return ResultRow.model_validate({**ordinary, **given})


def decided(
    series: str, transfer: TransferMode, sparsity: float, difference: float, seeds: int = 3, **given: Any
) -> VerdictRow:
    """A verdict with an interval of ±0.6 points and a margin of 1."""
    low, high = difference - 0.006, difference + 0.006
    verdict = "matches" if low > -0.01 else "does not match" if high < -0.01 else "cannot tell"
    content = {
        "series": series,
        "target": "CIFAR-10",
        "transfer": transfer,
        "sparsity": sparsity,
        "verdict": verdict,
        "difference": difference,
        "low": low,
        "high": high,
        "seeds": seeds,
        "seeds_needed": 7 if verdict == "cannot tell" else None,
        "margin": 0.01,
        "papers_rule": difference > -0.005,
    }
    return VerdictRow.model_validate({**content, **given})


def study(seeds: int = 3) -> Summary:
    """Two sources, five sparsities, two transfers, dense and three controls."""
    chance = random.Random(0)
    rows: list[ResultRow] = []
    verdicts: list[VerdictRow] = []
    for (series, transfer), dense in DENSE.items():
        means: list[tuple[str, float, float]] = [("dense", 0.0, dense)]
        for sparsity, loss in LOSS.items():
            loss *= 1.0 if transfer == "linear" else 0.22
            means += [
                ("drawn", sparsity, dense - loss),
                ("random", sparsity, dense - 2.1 * loss - 0.05),
                ("shuffled", sparsity, dense - 1.7 * loss - 0.03),
                ("reinitialised", sparsity, dense - 1.9 * loss - 0.11),
            ]
            verdicts.append(decided(series, transfer, sparsity, -loss, seeds))
        for ticket, sparsity, mean in means:
            for seed in range(seeds):
                standard = max(mean + chance.gauss(0, 0.004), 0.1)
                robust = max(standard - (0.42 if series == "robust" else 0.73) + chance.gauss(0, 0.01), 0.0)
                rows.append(
                    row(
                        series=series,
                        ticket=ticket,
                        sparsity=sparsity,
                        transfer=transfer,
                        seed=seed,
                        standard_accuracy=standard,
                        robust_accuracy=robust,
                    )
                )
    names = ["conv1"] + [f"layer{s}.{b}.conv{c}" for s in (1, 2, 3, 4) for b in (0, 1) for c in (1, 2)]
    return Summary(
        title="Robust and natural tickets of ResNet-18 on CIFAR-10",
        facts=[
            ("source, robust", "resnet18 <l2 eps=3> sha256:" + 16 * "4f0c"),
            ("source, natural", "timm/resnet18"),
            ("attack", "PGD, L-inf, epsilon 8/255, step 2/255, 20 steps, 1 restart"),
            ("batch norm", "source"),
            ("versions", "torch 2.15.0, robust-tickets 0.1.0"),
        ],
        rows=rows,
        verdicts=verdicts,
        shrink=[
            ShrinkRow(
                name="dense",
                sparsity=0.0,
                parameters=11_173_962,
                nonzero=11_173_962,
                macs=556_651_530,
                bytes=44_712_345,
                latency_ms=18.3,
                ratio=1.0,
                max_difference=0.0,
            ),
            ShrinkRow(
                name="mask only, 90 %",
                sparsity=0.9,
                parameters=11_173_962,
                nonzero=1_124_331,
                macs=556_651_530,
                bytes=44_712_345,
                latency_ms=18.2,
                ratio=1.005,
                max_difference=0.0,
                note="A mask alone makes nothing smaller or faster: zeros are multiplied.",
            ),
            ShrinkRow(
                name="channels removed",
                sparsity=0.71,
                parameters=3_241_002,
                nonzero=3_241_002,
                macs=161_000_000,
                bytes=12_990_001,
                latency_ms=7.9,
                ratio=2.316,
                max_difference=3.1e-6,
            ),
            ShrinkRow(
                name="2:4",
                sparsity=0.5,
                parameters=11_173_962,
                nonzero=5_600_000,
                bytes=25_000_000,
                note="This machine has no kernel for it, so no latency is given.",
            ),
        ],
        layer_sparsity={f"{n}.weight": round(0.32 + 0.64 * i / len(names), 4) for i, n in enumerate(names)},
        notes=[
            "One attack; AutoAttack was not run.",
            "Natural tickets at 99 % collapse in one of three seeds.",
        ],
        command="tickets run robust-tickets-omp --data path/to/images --seeds 3 --out runs/omp",
    )


def brief(summary: Summary) -> Summary:
    """Only full transfer, without controls: a third of the panels and lines to draw."""
    rows = [row for row in summary.rows if row.transfer == "full" and row.ticket in ("dense", "drawn")]
    return summary.model_copy(update={"rows": rows})
