"""The predictor of anything of ours that has answers: a file, a folder, a run, a ticket, a network."""

import math
from pathlib import Path

from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_json
from robust_tickets.models.families.hub_folders import is_hub_folder
from robust_tickets.models.folders import is_saved, read_identity
from robust_tickets.models.network import Network
from robust_tickets.models.sources import Source, load_source
from robust_tickets.runtime.load import Runtime
from robust_tickets.shrinking.artefact import Artefact, NetworkFolder, OnnxFile, RuntimeFile, load_artefact
from robust_tickets.shrinking.places import EXPORTED
from robust_tickets.ticket.ticket import Ticket, is_ticket
from robust_tickets.verbs.predict.images import ImagePredictor
from robust_tickets.verbs.predict.predictor import Predictor
from robust_tickets.verbs.predict.texts import TextPredictor
from robust_tickets.verbs.subject import bind
from robust_tickets.verbs.transfer import Run, Transfer

Predictable = Runtime | Network | Source | Ticket | Transfer | Run | Path | str
"""Whatever has answers: a file or folder, or what it was loaded to."""

PREDICTORS: dict[str, type[Predictor]] = {kind.noun: kind for kind in (ImagePredictor, TextPredictor)}
"""What predicts, by what goes into a network."""


def open_predictor(subject: Predictable, source: Source | str | Path | None = None, threads: int = 1) -> Predictor:
    """Return what computes a subject's logits; see `predict` for the arguments.

    Raises:
        UserError: see `predict`.
    """
    if isinstance(subject, Transfer):
        subject = subject.best
    if isinstance(subject, Run):
        return of_network(f"seed {subject.seed}", subject.network, subject.data.classes)
    if isinstance(subject, Ticket):
        network = subject.subnetwork(load_source(source) if source is not None else None)
        return of_network(f"the ticket of {subject.source.name}", network, None)
    if isinstance(subject, Source):
        return of_network(subject.identity.name, subject.network, None)
    if isinstance(subject, Network):
        return of_network(subject.called, subject, None)
    if isinstance(subject, Runtime):
        return PREDICTORS[subject.noun].of_runtime("the runtime", subject)
    if isinstance(subject, nn.Module):
        raise UserError(
            f"{type(subject).__name__}: does not say how images become its input; give rt.Network(module, "
            "preprocessing, head)"
        )
    return of_place(Path(subject), source, threads)


def of_place(path: Path, source: Source | str | Path | None, threads: int) -> Predictor:
    """Return what computes the logits of what lies at a path.

    Raises:
        UserError: nothing there has logits.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    if is_ticket(path) and not is_saved(path):
        _, bound = bind(path, source)
        return of_network(str(path), Ticket.load(path).subnetwork(bound), None)
    if (path / "transfer.json").is_file():
        return of_place(best_seed(path), source, threads)
    if is_hub_folder(path) and not is_saved(path):
        return of_network(str(path), load_source(path).network, None)
    if path.is_dir() and not is_saved(path):
        return of_place(exported_file(path), source, threads)
    like = load_source(source).network if source is not None else None
    if like is None and is_saved(path) and ":" in (name := read_identity(path).name):
        raise UserError(
            f"{path}: its architecture is your own code, which a file does not contain; give source: {name}"
        )
    return of_artefact(load_artefact(path, threads, like))


def of_artefact(artefact: Artefact) -> Predictor:
    """Return what computes the answers of a file or folder.

    Raises:
        UserError: it does not say how images or texts become its input.
    """
    name = str(artefact.path)
    match artefact:
        case RuntimeFile(runtime=runtime):
            return PREDICTORS[runtime.noun].of_runtime(name, runtime)
        case NetworkFolder(network=network):
            return of_network(name, network, class_names(artefact.path))
        case OnnxFile():
            return PREDICTORS[artefact.noun].of_file(artefact)
    raise AssertionError(artefact)


def of_network(name: str, network: Network, classes: tuple[str, ...] | None) -> Predictor:
    """Return what computes a torch network's answers, on the CPU.

    Raises:
        UserError: it has a random head, or does what nobody predicts.
    """
    network.require_head(f"predict {name}")
    if network.interface.noun not in PREDICTORS:
        raise UserError(
            f"{name}: makes one picture of {network.interface.noun}, and has no answers; use tickets restore"
        )
    return PREDICTORS[network.interface.noun].of_network(name, network, classes or None)


def best_seed(transfer: Path) -> Path:
    """Return the folder of a transfer's best finished seed, on validation.

    Raises:
        UserError: none is finished.
    """
    finished = {path.parent: read_json(path) for path in sorted(transfer.glob("seed-*/result.json"))}
    if not finished:
        raise UserError(f"{transfer}: none of its seeds is finished; rerun the command that made it to resume")

    def reached(place: Path) -> float:
        value = finished[place].get("validation")
        return -math.inf if value is None else -value if finished[place].get("lower_is_better") else value

    return max(finished, key=reached)


def exported_file(run: Path) -> Path:
    """Return the one file that a run exported; of a runtime and an ONNX file of the same network, the former.

    Raises:
        UserError: there is none, or there are several.
    """
    files = {path.stem: path for suffix in EXPORTED for path in sorted(run.glob(f"*{suffix}"))}
    files = {stem: path for stem, path in files.items() if not stem.endswith("-int8")}
    if not files:
        raise UserError(
            f"{run}: contains nothing that predicts; give a runtime or ONNX file, a saved network, a ticket, a "
            "transfer, or a run that exported"
        )
    if len(files) > 1:
        raise UserError(f"{run}: exported several files; give one of them: {', '.join(map(str, files.values()))}")
    return next(iter(files.values()))


def class_names(folder: Path) -> tuple[str, ...] | None:
    """Return the names of a saved network's classes in the order of its logits, if its folder says."""
    for file in ("origin.json", "result.json"):
        if (folder / file).is_file() and (names := read_json(folder / file).get("classes")) is not None:
            return tuple(names)
    return None
