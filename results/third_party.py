"""Third-party CIFAR-10 checkpoints: their recorded accuracies, and one-shot tickets before and after a finetune.

    python results/third_party.py --data DATA

Loads a natural ResNet-20 and an adversarially trained ResNet-2B strictly, measures both as recorded, then draws
global one-shot magnitude tickets from each and compares every ticket with its own dense network: directly,
without any training, and after a short finetune on a small subset of the training images with the head kept.
Writes `third_party.json`, `third_party.md` and `third_party.png` beside this file. What is finished in the work
folder is not done again.
"""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

import robust_tickets as rt
from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.attacks.threat import Threat
from robust_tickets.data.batches import batches
from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.files import write_bytes, write_json, write_text
from robust_tickets.foundation.seeds import generator
from robust_tickets.foundation.steps import Step
from robust_tickets.measures.accuracy import accuracy, correctness
from robust_tickets.measures.evaluation import Evaluation
from robust_tickets.measures.logits import logits
from robust_tickets.measures.robust_accuracy import robust_correctness
from robust_tickets.objectives import AnyObjective
from robust_tickets.objectives.fgsm_rs import FGSMRS
from robust_tickets.objectives.standard import Standard
from robust_tickets.report.axis import density_place, sparsity_axis
from robust_tickets.report.figures import to_png
from robust_tickets.report.looks import CONTROL, PALETTE, figure_style
from robust_tickets.training.batch_norm import recalibrate
from robust_tickets.training.batch_source import ImageBatches
from robust_tickets.training.optimisers import SGD
from robust_tickets.training.settings import Training
from robust_tickets.verbs.transfer_settings import TransferSettings
from robust_tickets.verbs.verify import Verdict
from robust_tickets.verbs.verify_settings import VerifySettings

HERE = Path(__file__).resolve().parent
SPARSITIES = (0.5, 0.7, 0.8, 0.9, 0.95)
SEEDS = (0, 1, 2)
PER_CLASS = 200
TOLERANCE = 0.01


@dataclass(frozen=True)
class Checkpoint:
    """A published network, what was recorded of it, and how its tickets are finetuned here."""

    title: str
    name: str
    file: str
    clean: float
    robust: float
    threat: Threat
    attacked: int
    """How many of the first test images were attacked for the record."""
    objective: AnyObjective
    epochs: float
    lr: float
    attack_finetuned: bool
    """Whether finetuned tickets are attacked: pointless where dense withstands nothing."""

    def source(self, data: Path) -> rt.Source:
        """Load it; a missing or unexpected key is an error."""
        weights = data / "weights" / self.file
        return rt.load_source(rt.SourceSettings(name=self.name, weights=str(weights)))


CHECKPOINTS = {
    "resnet20": Checkpoint(
        title="natural ResNet-20",
        name="cifar/resnet20",
        file="resnet20-12fca82f.th",
        clean=0.9173,
        robust=0.014,
        threat=Threat(epsilon=2 / 255, steps=10),
        attacked=500,
        objective=Standard(),
        epochs=3,
        lr=0.01,
        attack_finetuned=False,
    ),
    "resnet2b": Checkpoint(
        title="robust ResNet-2B",
        name="resnet2b",
        file="resnet2b.pth",
        clean=0.6925,
        robust=0.57,
        threat=Threat(epsilon=2 / 255, steps=20),
        attacked=1000,
        objective=FGSMRS(epsilon=2 / 255),
        epochs=10,
        lr=0.01,
        attack_finetuned=True,
    ),
}


def measure(
    network: rt.Classifier, splits: DataSplits, checkpoint: Checkpoint, *, attack: bool = True
) -> dict[str, float]:
    """Return clean accuracy on all test images and on the first ones, and robust accuracy on these."""
    first = splits.test.subset(torch.arange(checkpoint.attacked))
    with evaluation_mode(network, "cpu") as predict:
        clean = correctness(*logits(predict, batches(splits.test, batch_size=250, seed=0, train=False)))
        measured = {"clean": accuracy(clean), "clean_on_attacked": accuracy(clean[: checkpoint.attacked])}
        if attack:
            attacked = batches(first, batch_size=250, seed=0, train=False)
            correct = robust_correctness(predict, attacked, checkpoint.threat, generator(0, "evaluation"))
            measured["robust"] = accuracy(correct.robust)
    return measured


def direct(checkpoint: Checkpoint, source: rt.Source, splits: DataSplits, folder: Path) -> list[dict[str, float]]:
    """Measure dense and every ticket without any training; batch norm as it is, and recalibrated where there is any."""
    rows = []
    for sparsity in (0.0, *SPARSITIES):
        step = Step(
            folder / f"{sparsity:g}", {"source": source.identity.digest, "data": splits.digest, "sparsity": sparsity}
        )
        if step.result is None:
            ticket = rt.draw(source, sparsity=sparsity)
            network = ticket.subnetwork(source)
            row = {"sparsity": ticket.sparsity, **measure(network, splits, checkpoint)}
            if any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules()):
                recalibrate(network, ImageBatches(splits, Training(), 0, augment=False).once())
                row["recalibrated"] = measure(network, splits, checkpoint, attack=False)["clean"]
            step.finish(row)
        assert step.result is not None
        rows.append(step.result)
        print({key: round(value, 4) for key, value in rows[-1].items()}, flush=True)
    return rows


def finetuned(checkpoint: Checkpoint, source: rt.Source, data: rt.DataSettings, folder: Path) -> list[Verdict]:
    """Finetune dense and every ticket on the subset, head kept, and decide against dense."""
    settings = TransferSettings(
        head="keep",
        seeds=SEEDS,
        training=Training(
            epochs=checkpoint.epochs,
            batch_size=64,
            optimiser=SGD(lr=checkpoint.lr, weight_decay=5e-4),
            objective=checkpoint.objective,
            validate_every=checkpoint.epochs,
        ),
    )
    attack = Evaluation(threat=checkpoint.threat, limit=checkpoint.attacked) if checkpoint.attack_finetuned else None
    judge = VerifySettings(robustness=attack)
    dense = rt.transfer(source, data, settings=settings, folder=folder / "dense")
    verdicts = [rt.verify(dense, dense, settings=judge)]
    for sparsity in SPARSITIES:
        ticket = rt.draw(source, sparsity=sparsity)
        result = rt.transfer(ticket, data, settings=settings, source=source, folder=folder / f"{sparsity:g}")
        verdicts.append(rt.verify(result, dense, settings=judge))
        print(verdicts[-1].sentence(), flush=True)
    return verdicts


def one_row(verdict: Verdict) -> dict[str, Any]:
    """Return the figures of a verdict that tables and figures show."""
    row: dict[str, Any] = {"sparsity": verdict.sparsity, "verdict": verdict.verdict}
    for measured in ("standard", "robust"):
        decision = getattr(verdict, measured)
        if decision is not None:
            row[measured] = decision.model_dump(mode="json") | {
                "difference": decision.difference,
                "runs": [getattr(run, measured) for run in verdict.ticket_runs],
            }
    return row


def table(results: dict[str, Any]) -> str:
    """Return everything measured as Markdown."""
    lines: list[str] = []
    for name, checkpoint in CHECKPOINTS.items():
        result = results[name]
        dense, threat = result["direct"][0], checkpoint.threat.describe()
        reproduced = "reproduced" if result["reproduced"] else "NOT reproduced"
        lines += [
            f"### {checkpoint.title} (`{checkpoint.name}`, `{checkpoint.file}`)",
            "",
            f"Recorded: {100 * checkpoint.clean:.2f} % clean, {100 * checkpoint.robust:.1f} % under {threat} on the "
            f"first {checkpoint.attacked:,} test images. Measured: {100 * dense['clean']:.2f} % on all 10,000 "
            f"({100 * dense['clean_on_attacked']:.1f} % on the attacked ones) and {100 * dense['robust']:.1f} %: "
            f"{reproduced} within 1 point.",
            "",
            *direct_table(result["direct"], threat),
            "",
            f"After {checkpoint.epochs:g} epochs of {checkpoint.objective.describe()} training on "
            f"{result['images']:,} training images, head kept, {len(SEEDS)} seeds, margin 1 point:",
            "",
            *finetuned_table(result["finetuned"], threat),
            "",
        ]
    return "\n".join(lines)


def direct_table(rows: list[dict[str, float]], threat: str) -> list[str]:
    """Return the lines of the table without training."""
    batch_norm = "recalibrated" in rows[0]
    head = ["sparsity (%)", "clean (%)", *(["clean, batch norm recalibrated (%)"] * batch_norm), f"{threat} (%)"]
    lines = ["Masked, without any training:", "", f"| {' | '.join(head)} |", "|" + " ---: |" * len(head)]
    for row in rows:
        cells = [f"{100 * row['sparsity']:.1f}", f"{100 * row['clean']:.2f}"]
        cells += [f"{100 * row[key]:.{places}f}" for key, places in (("recalibrated", 2), ("robust", 1)) if key in row]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def finetuned_table(rows: list[dict[str, Any]], threat: str) -> list[str]:
    """Return the lines of the table after the finetune."""
    measured = [name for name in ("standard", "robust") if name in rows[0]]
    names = {"standard": "clean (%)", "robust": f"{threat} (%)"}
    head = ["sparsity (%)"]
    for name in measured:
        head += [names[name], "difference (points)", "verdict"]
    lines = [f"| {' | '.join(head)} |", "|" + " ---: | ---: | --- |".join([" ---: |", *[""] * len(measured)])]
    for row in rows:
        cells = [f"{100 * row['sparsity']:.1f}" if row["sparsity"] else "dense"]
        for name in measured:
            decision = row[name]
            interval = decision["interval"]
            cells.append(f"{100 * decision['ticket']:.2f}")
            if row["sparsity"]:
                bounds = f"[{100 * interval['lower']:+.2f}, {100 * interval['upper']:+.2f}]"
                cells += [f"{100 * decision['difference']:+.2f} {bounds}", decision["verdict"]]
            else:
                cells += ["", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def draw_figure(results: dict[str, Any]) -> Figure:
    """Draw accuracy against sparsity: a panel a checkpoint, dense dashed, masked thin, finetuned full."""
    with figure_style():
        figure = Figure(figsize=(4.9 * len(CHECKPOINTS), 3.9), layout="constrained")
        for index, name in enumerate(CHECKPOINTS):
            axes = figure.add_subplot(1, len(CHECKPOINTS), index + 1)
            checkpoint, rows, tuned = CHECKPOINTS[name], results[name]["direct"], results[name]["finetuned"]
            places = [density_place(row["sparsity"]) for row in rows[1:]]
            sparsity_axis(axes, [row["sparsity"] for row in rows[1:]])
            axes.axhline(
                100 * rows[0]["clean"], color=PALETTE[0], ls=(0, (5, 3)), lw=1.2, label="dense as published, clean"
            )
            columns = {"clean": ("masked, clean", PALETTE[0], ":"), "robust": ("masked, attacked", PALETTE[1], ":")}
            columns["recalibrated"] = ("masked, batch norm recalibrated", CONTROL, "-.")
            for key, (label, colour, stroke) in columns.items():
                if key in rows[0]:
                    axes.plot(places, [100 * r[key] for r in rows[1:]], color=colour, ls=stroke, lw=1.2, label=label)
            for key, label, colour in (("standard", "clean", PALETTE[0]), ("robust", "attacked", PALETTE[1])):
                if key in tuned[0]:
                    means = [100 * row[key]["ticket"] for row in tuned[1:]]
                    axes.plot(places, means, color=colour, marker="o", label=f"finetuned, {label}")
            if checkpoint.attack_finetuned:
                axes.axhline(
                    100 * rows[0]["robust"],
                    color=PALETTE[1],
                    ls=(0, (5, 3)),
                    lw=1.2,
                    label="dense as published, attacked",
                )
            axes.set_ylim(0, 100)
            axes.set_ylabel("Test accuracy (%)")
            axes.set_title(f"{checkpoint.title}, CIFAR-10\nattack: {checkpoint.threat.describe()}", loc="left")
            axes.grid(axis="y")
            axes.legend(fontsize=8)
    return figure


def main() -> None:
    """Measure, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    place = os.environ.get("ROBUST_TICKETS_DATA")
    parser.add_argument("--data", type=Path, default=place, required=place is None, help="holds cifar10/ and weights/")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/third_party"), help="keeps unfinished and finished runs"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {}
    for name, checkpoint in CHECKPOINTS.items():
        source = checkpoint.source(options.data)
        data = rt.DataSettings(name=str(options.data / "cifar10"), per_class=PER_CLASS)
        splits = rt.load_data(data, size=source.classifier.preprocessing.size)
        print(f"{checkpoint.title}: {splits.describe().splitlines()[0].partition(': ')[2]}", flush=True)
        rows = direct(checkpoint, source, splits, options.work / name / "direct")
        verdicts = finetuned(checkpoint, source, data, options.work / name / "finetuned")
        dense = rows[0]
        results[name] = {
            "source": source.identity.digest,
            "recorded": {"clean": checkpoint.clean, "robust": checkpoint.robust},
            "reproduced": abs(dense["clean"] - checkpoint.clean) <= TOLERANCE
            and abs(dense["robust"] - checkpoint.robust) <= TOLERANCE,
            "images": len(splits.train),
            "direct": rows,
            "finetuned": [one_row(verdict) for verdict in verdicts],
        }
    write_json(HERE / "third_party.json", results)
    write_text(HERE / "third_party.md", table(results))
    write_bytes(HERE / "third_party.png", to_png(draw_figure(results)))


if __name__ == "__main__":
    main()
