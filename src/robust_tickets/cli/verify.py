"""`tickets verify`: whether a transferred ticket matches dense."""

from pathlib import Path
from typing import Annotated

import typer

from robust_tickets.cli.options import DataPlace, Override, RunFolder, SourcePlace, instead_of, overrides
from robust_tickets.foundation.errors import UserError


def verify(
    runs: RunFolder,
    source: SourcePlace = None,
    data: DataPlace = None,
    exported: Annotated[
        Path | None,
        typer.Option(help="The file or folder that shrink made from these runs; it is measured alongside them."),
    ] = None,
    settings: Override = None,
) -> None:
    """Measure on test data, once, and decide whether it matches dense.

    Margin, attack and measures come from the run's recipe, if it has one; --set changes them.
    """
    from robust_tickets.foundation.settings import changed
    from robust_tickets.verbs.place import transfers_at
    from robust_tickets.verbs.verify_settings import VerifySettings

    values, _ = overrides(settings)
    changed(VerifySettings(), *values)  # before torch is loaded, which takes seconds
    transfers_at(runs)
    if exported is not None and not exported.exists():
        raise UserError(f"{exported}: no such file; write one with tickets shrink")
    from robust_tickets.findings.verdicts import verdict_sections
    from robust_tickets.foundation.files import write_json
    from robust_tickets.report.terminal import show_sections
    from robust_tickets.verbs.reopen import load_transfer, settings_of
    from robust_tickets.verbs.verify import verify

    chosen = changed(settings_of(runs), *values)
    result = load_transfer(runs, source=source, data=data, made=exported, command=instead_of(runs))
    verdict = verify(result, settings=chosen, exported=exported)
    assert result.folder is not None
    write_json(result.folder / "verdict.json", verdict.model_dump(mode="json"))
    print(verdict.sentence())
    for warning in verdict.warnings():
        print(f"Warning: {warning}")
    show_sections(verdict_sections(verdict))
