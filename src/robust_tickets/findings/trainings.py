"""How each transfer of a run was trained."""

from collections.abc import Mapping

from robust_tickets.report.sections import Section, Table, Value
from robust_tickets.verbs.transfer_settings import TransferSettings

COLUMNS = (
    *("transfer", "trains", "epochs", "optimiser", "learning rate", "of the head", "batch size"),
    *("schedule", "warm-up (epochs)", "objective"),
)

TEXT = "The same for dense networks, tickets and controls; learning rates are those at the peak of the schedule."


def trainings_section(transfers: Mapping[str, TransferSettings]) -> Section:
    """Return how every transfer was trained, a row for each."""
    rows = tuple(row_of(name, settings) for name, settings in transfers.items())
    table = Table(title="How transfers are trained", columns=COLUMNS, rows=rows)
    return Section(title="Training", text=TEXT, tables=(table,), is_verdict=True)


def row_of(name: str, settings: TransferSettings) -> tuple[Value, ...]:
    """Return one transfer's row; under linear transfer only the head has a rate."""
    training, optimiser = settings.training, settings.training.optimiser
    return (
        name,
        "the head" if settings.is_linear else "all weights",
        training.epochs,
        type(optimiser).__name__,
        None if settings.is_linear else optimiser.lr,
        f"best of {', '.join(f'{rate:g}' for rate in settings.rates)}"
        if settings.rates
        else training.head_lr or optimiser.lr,
        training.batch_size,
        training.schedule.kind,
        training.warmup,
        training.objective.describe(),
    )
