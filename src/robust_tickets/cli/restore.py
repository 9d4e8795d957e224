"""`tickets restore`: a noisy picture in, a clean one out."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from robust_tickets.cli.options import Override, given, ours_or_free, overrides
from robust_tickets.foundation.errors import UserError


def restore(
    picture: Annotated[Path, typer.Argument(help="An image file that is noisy, has holes, or is too small.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The PNG file that is written.", callback=ours_or_free)],
    noise: Annotated[
        float | None,
        typer.Option(help="Standard deviation of the noise, for values in [0, 1], if it is known: 0.1 is strong."),
    ] = None,
    kept: Annotated[float | None, typer.Option(help="Share of the generator's parameters that is kept.")] = None,
    lost: Annotated[
        Path | None, typer.Option(help="An image file of the picture's size whose white pixels are painted in.")
    ] = None,
    factor: Annotated[int | None, typer.Option(min=1, help="By how much the picture is enlarged.")] = None,
    reference: Annotated[Path | None, typer.Option(help="The clean picture, to say how close the result is.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps in which each tile is learned.")] = None,
    work: Annotated[
        Path | None,
        typer.Option(
            "--work",
            help="Keeps what was done, with a report that fills while it works; rerun the same command to resume. "
            "Default: a folder named after --out.",
            callback=ours_or_free,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the generator's weights and of the draw.")] = 0,
    settings: Override = None,
) -> None:
    """Restore one picture: no training data, no pretrained network.

    A sparse generator learns nothing else, and too little to learn the noise.
    """
    for file in (picture, lost, reference):
        if file is not None and not file.is_file():
            raise UserError(f"{file}: no such file; give an image file")
    if out.suffix.lower() != ".png":
        raise UserError(f"{out}: pictures are written as PNG files; end the name in .png")
    from robust_tickets.foundation.settings import changed
    from robust_tickets.verbs.restore_settings import RestoreSettings

    values, _ = overrides(settings)
    paths = {name: str(path) for name, path in (("lost", lost), ("reference", reference)) if path is not None}
    chosen = changed(RestoreSettings(), {**given(noise=noise, kept=kept, factor=factor, steps=steps), **paths}, *values)
    folder = work or out.with_suffix("")
    ours_or_free(folder)
    from robust_tickets.findings.restored_picture import restored_summary
    from robust_tickets.report.html import write_report
    from robust_tickets.verbs.restore import Restored, restore

    command = shlex.join(["tickets", *sys.argv[1:]])

    def tell(found: Restored) -> None:
        if not (folder / "report.html").exists():
            print(f"report, filled while it works: {folder / 'report.html'}")
        write_report(restored_summary(found, picture.name, command), folder)

    found = restore(picture, settings=chosen, folder=folder, seed=seed, tell=tell)
    psnr = f", PSNR to the reference {found.psnr:.2f} dB" if found.psnr is not None else ""
    height, width = found.picture.shape[1:]
    print(f"{found.save(out)}: {width} x {height} pixels{psnr}")
