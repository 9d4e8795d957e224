"""Verify an exported file: every measure on it, alongside the network of the run it was made from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, model_validator

from robust_tickets.attacks import Square
from robust_tickets.foundation.digests import tensors_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings
from robust_tickets.foundation.unit import PERCENT, PLAIN, Unit
from robust_tickets.measures.accuracy import accuracy
from robust_tickets.measures.caveats import Caveat, disagreement
from robust_tickets.measures.evaluation import Evaluation
from robust_tickets.measures.measure import Measure, by_name
from robust_tickets.shrinking.artefact import Artefact, load_artefact
from robust_tickets.shrinking.export import Provenance
from robust_tickets.shrinking.folder import ORIGIN, read_origin
from robust_tickets.verbs.measure import figures_once, measure_once, part_of
from robust_tickets.verbs.transfer import Run, Transfer
from robust_tickets.verbs.verify_settings import Part

REPLAYED, SEARCHED = "crafted on the torch network and replayed", "on the file itself"
"""How an attack was made, by whether it needs gradients."""

SQUARE_QUERIES, SQUARE_IMAGES = 1000, 200
"""How far Square attack goes by default."""


class Compared(Settings):
    """One figure of a network and of the file exported from it."""

    measure: str
    figure: str = Field(description="Its key.")
    heading: str = Field(default="", description="Its name in tables; empty: tables leave it out, as a part of others.")
    network: float
    file: float
    unit: Unit = Field(default=PLAIN, description="How it is written.")

    @model_validator(mode="before")
    @classmethod
    def _written_before_units(cls, values: Any) -> Any:
        """Read rows from before figures had units: of accuracies they said that they are."""
        if isinstance(values, dict) and "is_accuracy" in values:
            values = {**values, "unit": PERCENT if values["is_accuracy"] else PLAIN}
            del values["is_accuracy"]
        return values


class Exported(Settings):
    """What an exported file does, compared with the network it was made from."""

    path: str
    file: str = Field(description="Digest of the file's bytes.")
    provenance: Provenance
    rows: tuple[Compared, ...] = Field(description="Every figure of the network and of the file.")
    caveats: tuple[Caveat, ...] = Field(default=(), description="Disagreements between attacks on the file.")

    @property
    def attacked(self) -> bool:
        """Return whether the file was attacked."""
        return any(how in row.measure for row in self.rows for how in (REPLAYED, SEARCHED))


def provenance_of(result: Transfer, run: Run) -> Provenance:
    """Return what a file exported from a run records about the run."""
    ticket = result.ticket.digest if result.ticket is not None else None
    return Provenance(ticket=ticket, network=tensors_digest(run.network.state_dict()), seed=run.seed)


def provenance_at(path: Path) -> Provenance:
    """Return the run that an exported file or folder says it was made from.

    Raises:
        UserError: no such file, or it does not say.
    """
    if path.is_dir():
        origin = read_origin(path) if (path / ORIGIN).is_file() else None
        if origin is None or origin.run is None:
            raise UserError(f"{path}: does not say which run it was made from; write it with tickets shrink")
        return origin.run
    return load_artefact(path).provenance


def run_of(result: Transfer, artefact: Artefact) -> Run:
    """Return the run that a file was made from.

    Raises:
        UserError: it was made from no run of this transfer, or does not say.
    """
    said = artefact.provenance
    for run in result.runs:
        if run.seed == said.seed and provenance_of(result, run) == said:
            return run
    raise UserError(
        f"{artefact.path}: was made from another transfer (seed {said.seed}, network {said.network[:19]}, ticket "
        f"{said.ticket[:19] if said.ticket is not None else 'none'}); give the folder of the runs it was shrunk from"
    )


def verify_exported(
    artefact: Artefact, run: Run, robustness: Evaluation | None, measures: Sequence[Measure], part: Part = "test"
) -> Exported:
    """Measure a file and the network it was made from, each once; what is measured is kept in the run's folder.

    Args:
        artefact: the exported file.
        run: the run it was made from, see `run_of`.
        robustness: the attack under which robust accuracy is measured; None for none.
        measures: what else is measured.
        part: whose images.
    """
    score = run.task.metric(run.data.classes)
    rows: list[Compared] = []
    on_file = torch.zeros(0)
    for attack in (None,) if robustness is None else (None, robustness):
        on_file = measure_once(run, attack, part, artefact)
        rows.append(
            Compared(
                measure=score.name if attack is None else told(attack, noun=run.data.noun),
                figure="clean" if attack is None else "robust",
                heading="clean" if attack is None else "robust",
                network=score.value(measure_once(run, attack, part)),
                file=score.value(on_file),
                unit=score.unit,
            )
        )
    labels = [int(label) for label in part_of(run.data, part).labels] if score.has_pairs else []
    caveats: list[Caveat] = []
    for name, measure in by_name(measures).items():
        of_network, of_file = figures_once(run, measure, part), figures_once(run, measure, part, artefact)
        for key in (key for key in of_network if key in of_file):
            figure = measure.figure(key)
            rows.append(
                Compared(
                    measure=told(measure, name, run.data.noun),
                    figure=key,
                    heading=figure.name if figure is not None else "",
                    network=of_network[key],
                    file=of_file[key],
                    unit=figure.unit if figure is not None else PLAIN,
                )
            )
        # An attack that searches on the file itself is held against the one replayed on it.
        if robustness is not None and measure.gradient_free:
            common = measure.shared_images(robustness, labels)
            if common is not None:
                left = accuracy(on_file[common])
                caveats += disagreement(robustness.describe(), left, {name: of_file["robust"]}, "exported")
    return Exported(
        path=str(artefact.path),
        file=artefact.digest,
        provenance=artefact.provenance,
        rows=tuple(rows),
        caveats=tuple(caveats),
    )


def square_on_file(robustness: Evaluation | None, measures: Sequence[Measure]) -> list[Evaluation]:
    """Return Square attack in the ball of the attack asked for, unless it is asked for already.

    It is the one attack that searches on the file itself. A thousand queries on at most 200 images keep it to what
    replaying costs on a large set; ask for it among the measures to have more.
    """
    if robustness is None or any(one.gradient_free and one.principal for one in (robustness, *measures)):
        return []
    limit = min(robustness.limit or SQUARE_IMAGES, SQUARE_IMAGES)
    return [Evaluation(attack=Square(queries=SQUARE_QUERIES), threat=robustness.threat, limit=limit)]


def told(measure: Measure, name: str | None = None, noun: str = "images") -> str:
    """Return a measure's words on a file: of an attack, whether it was replayed or searched on the file itself.

    Args:
        measure: what was measured.
        name: what tables call it; None: as it describes itself.
        noun: on what.
    """
    name = name or measure.describe()
    if measure.gradient_free is None:
        return name
    how, limit = SEARCHED if measure.gradient_free else REPLAYED, measure.most_images
    return f"{name}, {how}{f', at most {limit} {noun}' if limit is not None else ''}"


def open_exported(file: Artefact | Path | str, result: Transfer) -> tuple[Artefact, Run]:
    """Open an exported file, and find the run of `result` that it was made from.

    Raises:
        UserError: not such a file, or not of this transfer.
    """
    artefact = load_artefact(file, like=result.runs[0].network) if isinstance(file, str | Path) else file
    return artefact, run_of(result, artefact)
