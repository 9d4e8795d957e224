"""Options that several commands share, and settings made of what they are given."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.ownership import require_ours

if TYPE_CHECKING:
    from robust_tickets.verbs.place import TransferPlace


def ours_or_free(place: Path | None) -> Path | None:
    """Return the place of a result, after making sure that nothing there belongs to others."""
    if place is not None:
        require_ours(place)
    return place


SourceName = Annotated[
    str,
    typer.Option(
        "--source",
        "-s",
        help="timm/resnet18, torchvision/resnet50, madry/resnet18-l2-3.0, cifar/resnet20, module:function, a folder.",
    ),
]
SourcePlace = Annotated[
    str | None,
    typer.Option("--source", "-s", help="The ticket's network, if it was moved or is your own module:function."),
]
RunFolder = Annotated[
    Path, typer.Argument(help="The folder of a run (its best ticket is used), of a transfer, or of one seed.")
]
DataPlace = Annotated[str | None, typer.Option("--data", "-d", help="Its data, if they have moved; as in transfer.")]
WeightsOption = Annotated[
    str | None, typer.Option(help="A tag, a file, random, or default (the library's own; used if this is absent).")
]
PreprocessingOption = Annotated[
    str | None,
    typer.Option(
        "--preprocessing", help="The settings to change, as YAML: '{mean: [0.5], std: [0.5], size: [32, 32]}'."
    ),
]
DataName = Annotated[
    str,
    typer.Option(
        "--data",
        "-d",
        help="A folder, .npz, .tar, .parquet, .tsv, .csv, .jsonl, .json, .txt, torchvision/NAME, hf/OWNER/NAME, or a "
        "built-in set, such as digits or tales.",
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        "--out", "-o", help="Where the result is kept; rerun the same command to resume.", callback=ours_or_free
    ),
]
Override = Annotated[
    list[str] | None, typer.Option("--set", help="A setting of this step, key=value; may be repeated.")
]
Seed = Annotated[int, typer.Option(help="Seed of training and drawing; transfers have their own seeds (--set seeds=).")]

PARTS = {
    "source": "in_channels=1",
    "data": "fraction=0.1",
    "find": "rungs=10",
    "draw": "group=channel",
    "transfer": "mode=linear",
    "adversarial": "training.epochs=30",
    "verify": "margin=0.02",
}
"""What `--set` reaches besides the settings of a step itself: each part, with an example."""


def holds(place: str, file: str) -> bool:
    """Return whether a folder is there that holds a file of this name."""
    return (Path(place) / file).is_file()


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def overrides(
    settings: list[str] | None, parts: tuple[str, ...] = ()
) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """Return `--set` options as nested values, in their order: of the step itself, and by part those of `parts`.

    Raises:
        UserError: not `key=value`, or a part is given as a whole.
    """
    from robust_tickets.recipe import parse_override

    own: list[dict[str, Any]] = []
    apart: dict[str, list[dict[str, Any]]] = {part: [] for part in parts}
    for values in map(parse_override, settings or []):
        ((name, value),) = values.items()
        if name not in apart:
            own.append(values)
        elif isinstance(value, dict):
            apart[name].append(value)
        else:
            raise UserError(f"--set {name}={value}: name one of its settings, such as {name}.{PARTS[name]}")
    return own, apart


def source_values(name: str, weights: str | None, preprocessing: str | None) -> dict[str, Any]:
    """Return source settings as plain values."""
    import yaml

    values = given(name=name, weights=weights)
    if preprocessing is not None:
        try:
            values["preprocessing"] = yaml.safe_load(preprocessing)
        except yaml.YAMLError as error:
            raise UserError(f"--preprocessing: is not YAML ({error})") from None
    return values


def source_settings(name: str, weights: str | None, preprocessing: str | None, values: list[dict[str, Any]]) -> Any:
    """Return validated source settings; `values` are those given as --set source.key=value.

    Raises:
        UserError: a setting is wrong, or no network has such a name.
    """
    from robust_tickets.foundation.merging import layered
    from robust_tickets.foundation.settings import parse
    from robust_tickets.models.names import require_network, require_weights
    from robust_tickets.models.settings import SourceSettings

    given = layered(SourceSettings, source_values(name, weights, preprocessing), *values)
    settings = parse(SourceSettings, given, "source")
    require_network(settings.name)
    require_weights(settings.weights, settings.name)
    return settings


def ticket_or_source(subject: str, weights: str | None, preprocessing: str | None, values: list[dict[str, Any]]) -> Any:
    """Return a ticket's folder as given, or validated source settings if any option describes a source.

    Raises:
        UserError: as `source_settings`; or options repeat what a ticket brings itself.
    """
    from robust_tickets.models.names import require_network

    stated = weights is not None or preprocessing is not None or bool(values)
    if holds(subject, "ticket.json"):
        if stated:
            raise UserError(f"{subject}: a ticket brings its own weights and preprocessing; leave them out")
        return subject
    if stated:
        return source_settings(subject, weights, preprocessing, values)
    try:
        require_network(subject)
    except UserError as error:
        raise UserError(f"{subject}: is not a ticket's folder, and as a network: {error}") from None
    return subject


def data_settings(name: str, values: list[dict[str, Any]]) -> Any:
    """Return validated data settings; `values` are those given as --set data.key=value.

    Raises:
        UserError: a setting is wrong, or no data are there.
    """
    from robust_tickets.data.names import require_data
    from robust_tickets.data.settings import DataSettings
    from robust_tickets.foundation.merging import layered
    from robust_tickets.foundation.settings import parse

    settings = parse(DataSettings, layered(DataSettings, {"name": name}, *values), "data")
    require_data(settings.name)
    return settings


def instead_of(path: Path) -> "Callable[[TransferPlace], str]":
    """Return a function that rewrites the command given, with another place instead of `path`."""

    def command(place: "TransferPlace") -> str:
        words = [str(place) if not word.startswith("-") and Path(word) == path else word for word in sys.argv[1:]]
        return shlex.join(["tickets", *words])

    return command


def percent(fraction: float) -> str:
    """Return a fraction as it is printed."""
    return f"{100 * fraction:.4g} %"
