"""`tickets verify`: whether a transferred ticket matches dense."""

from pathlib import Path
from typing import Annotated

import typer

from robust_tickets.cli.options import Override, SourcePlace, overrides


def verify(
    runs: Annotated[Path, typer.Argument(help="The folder of a transfer.")],
    source: SourcePlace = None,
    exported: Annotated[
        Path | None, typer.Option(help="The file or folder that shrink made of these runs, measured beside them.")
    ] = None,
    settings: Override = None,
) -> None:
    """Measure on test data, once, and decide whether it matches dense."""
    from robust_tickets.foundation.files import write_json
    from robust_tickets.foundation.settings import changed
    from robust_tickets.report.terminal import show_sections
    from robust_tickets.verbs.transfer import load_transfer
    from robust_tickets.verbs.verify import verify
    from robust_tickets.verbs.verify_settings import VerifySettings

    chosen = changed(VerifySettings(), *overrides(settings)[0])
    verdict = verify(load_transfer(runs, source=source), settings=chosen, exported=exported)
    write_json(runs / "verdict.json", verdict.model_dump(mode="json"))
    print(verdict.sentence())
    show_sections(verdict.sections())
