"""Verify an exported file: every measure on it, beside the network of the run that it was made from."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from robust_tickets.foundation.digests import tensors_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.settings import Settings
from robust_tickets.measures.accuracy import accuracy
from robust_tickets.measures.attacks import Square
from robust_tickets.measures.evaluation import Evaluation
from robust_tickets.measures.measure import Measure
from robust_tickets.measures.robustness_curve import RobustnessCurve
from robust_tickets.report.sections import Section
from robust_tickets.shrinking.artefact import Artefact, load_artefact
from robust_tickets.shrinking.export import Provenance
from robust_tickets.verbs.measure import Part, by_name, figures_once, measure_once
from robust_tickets.verbs.measure_tables import Compared, comparison_section
from robust_tickets.verbs.transfer import Run, Transfer

TEXT = (
    "Attacks that need gradients were crafted on the network and replayed on the file; Square attack, which needs "
    "none, searched on either itself."
)


class Exported(Settings):
    """What an exported file does, beside the network that it was made from."""

    path: str
    file: str = Field(description="Digest of the file's bytes.")
    provenance: Provenance
    rows: tuple[Compared, ...] = Field(description="Every figure of the network and of the file.")

    def section(self) -> Section:
        """Return network against file, for a report."""
        return comparison_section(
            f"{Path(self.path).name} beside its network, seed {self.provenance.seed}", TEXT, self.rows
        )


def provenance_of(result: Transfer, run: Run) -> Provenance:
    """Return what a file exported from a run says of it."""
    ticket = result.ticket.digest if result.ticket is not None else None
    return Provenance(ticket=ticket, network=tensors_digest(run.classifier.state_dict()), seed=run.seed)


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

    Where robustness is asked for, Square attack is run too, in the same ball on as many images, because it is the
    one attack that searches on the file itself; where it is asked for already, in those words or among the
    measures, it is as asked.

    Args:
        artefact: the exported file.
        run: the run it was made from, see `run_of`.
        robustness: the attack under which robust accuracy is measured; None for none.
        measures: what else is measured.
        part: whose images.
    """
    attacks = [robustness] if robustness is not None else []
    asked = [*attacks, *(measure for measure in measures if isinstance(measure, Evaluation))]
    if robustness is not None and not any(isinstance(one.attack, Square) for one in asked):
        attacks.append(robustness.model_copy(update={"attack": Square()}))
    rows = [
        Compared(
            measure="accuracy",
            figure="clean",
            network=accuracy(measure_once(run, None, part)),
            file=accuracy(measure_once(run, None, part, artefact)),
        ),
        *(
            Compared(
                measure=told(attack),
                figure="robust",
                network=accuracy(measure_once(run, attack, part)),
                file=accuracy(measure_once(run, attack, part, artefact)),
            )
            for attack in attacks
        ),
    ]
    for name, measure in by_name(measures).items():
        of_network, of_file = figures_once(run, measure, part), figures_once(run, measure, part, artefact)
        rows += [
            Compared(measure=told(measure, name), figure=figure, network=value, file=of_file[figure])
            for figure, value in of_network.items()
        ]
    return Exported(path=str(artefact.path), file=artefact.digest, provenance=artefact.provenance, rows=tuple(rows))


def told(measure: Measure, name: str | None = None) -> str:
    """Return a measure's words on a file: of an attack, whether it was replayed or searched on the file itself."""
    name = name or measure.describe()
    if not isinstance(measure, Evaluation | RobustnessCurve):
        return name
    if measure.gradient_free:
        return f"{name}, on the file itself"
    return f"{name}, crafted on the torch network and replayed"


def open_exported(path: Path | str, result: Transfer) -> tuple[Artefact, Run]:
    """Open an exported file, and find the run of `result` that it was made from.

    Raises:
        UserError: not such a file, or not of this transfer.
    """
    artefact = load_artefact(path)
    return artefact, run_of(result, artefact)
