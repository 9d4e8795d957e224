"""`tickets find`: the sparsest ticket that matches, or that is double-win, drawn in one way or in several."""

from typing import Annotated

import typer

from robust_tickets.cli.options import (
    PARTS,
    DataName,
    Out,
    PreprocessingOption,
    Seed,
    SourceName,
    WeightsOption,
    data_settings,
    given,
    overrides,
    source_settings,
)
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.ownership import require_apart


def find(
    source: SourceName,
    data: DataName,
    out: Out,
    weights: WeightsOption = None,
    preprocessing: PreprocessingOption = None,
    criterion: Annotated[
        str | None,
        typer.Option(
            help="match; or double-win: accuracy and robustness match after standard and adversarial transfer."
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            "-r",
            help="Its ways of drawing compete, trained and judged as it says: a YAML file, or a shipped recipe.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="find.*, draw.*, transfer.*, adversarial.*, verify.*, data.* or source.*=value."),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Find the sparsest ticket that matches; confirm it once on test."""
    require_apart(out, data)
    from robust_tickets.foundation.settings import changed
    from robust_tickets.verbs.draw_settings import DrawSettings
    from robust_tickets.verbs.find_settings import FindSettings
    from robust_tickets.verbs.transfer_settings import TransferSettings
    from robust_tickets.verbs.verify_settings import VerifySettings

    unknown, parts = overrides(settings, tuple(PARTS))
    if unknown:
        raise UserError(f"--set {next(iter(unknown[0]))}: no such step; known: {', '.join(PARTS)}")
    chosen = changed(FindSettings(), given(criterion=criterion), *parts["find"], where="find")
    network = source_settings(source, weights, preprocessing, parts["source"])
    images = data_settings(data, parts["data"])
    if recipe is None:
        drawing = changed(DrawSettings(), *parts["draw"], where="draw")
        transfer_settings = changed(TransferSettings(), *parts["transfer"], where="transfer")
        judged = VerifySettings()
    else:
        from robust_tickets.recipe import load_recipe

        asked_for = load_recipe(
            recipe,
            values={
                "sources": {"source": {"source": network.model_dump(mode="json")}},
                "data": images.model_dump(mode="json"),
            },
            changes=[{"draw": values} for values in parts["draw"]],
        )
        trained = {
            name: changed(one, *parts["transfer"], where="transfer") for name, one in asked_for.transfers.items()
        }
        # A draw may have the head that transfers have.
        drawing = asked_for.model_copy(update={"transfers": trained}).draws()
        # The recipe's own way has no name but `draw`, which says nothing in a sentence.
        own = drawing.pop("draw")
        drawing = {"draw" if own.timeline.kind in drawing else own.timeline.kind: own, **drawing}
        transfer_settings, judged = next(iter(trained.values())), asked_for.verify
    verify_settings = changed(judged, *parts["verify"], where="verify")
    from robust_tickets.verbs.double_win import adversarial_counterpart
    from robust_tickets.verbs.find import find

    adversarial = adversarial_counterpart(transfer_settings, verify_settings)
    found = find(
        network,
        images,
        settings=chosen,
        draw=drawing,
        transfer_settings=transfer_settings,
        adversarial_settings=changed(adversarial, *parts["adversarial"], where="adversarial")
        if parts["adversarial"]
        else None,
        verify_settings=verify_settings,
        seed=seed,
        folder=out,
    )
    drawn = found.ways or ("",) * len(found.tried)
    for way, verdict in zip(drawn, found.tried, strict=True):
        print(f"validation{way and f', drawn by {way}'}: {verdict.sentence()}")
    print(found.sentence())
    if found.verdict is not None:
        for warning in found.verdict.warnings():
            print(f"Warning: {warning}")
    if found.result is not None:
        print(f"{found.result.folder}: the transfer that was found, for tickets shrink")
    if found.adversarial is not None:
        print(f"{found.adversarial.folder}: its adversarial transfer")
