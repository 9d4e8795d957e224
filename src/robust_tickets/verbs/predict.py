"""Predict: the classes of images, by anything of ours that has logits."""

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robust_tickets.data.images.image_files import SUFFIXES, in_threads
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_json
from robust_tickets.models.adaptations.adapted_body import AdaptedBody
from robust_tickets.models.folders import is_saved, read_identity
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.sources import Source, load_source
from robust_tickets.runtime.errors import ImageError, RuntimeFileError
from robust_tickets.runtime.images import ImagePreparation, stated_classes, stated_preparation
from robust_tickets.runtime.load import Runtime
from robust_tickets.shrinking.artefact import Artefact, NetworkFolder, OnnxFile, RuntimeFile, load_artefact
from robust_tickets.shrinking.export import portable
from robust_tickets.shrinking.places import EXPORTED
from robust_tickets.ticket.ticket import Ticket, is_ticket
from robust_tickets.verbs.subject import bind
from robust_tickets.verbs.transfer import Run, Transfer

BATCH = 32
"""Images prepared and computed at once."""

COLUMNS = ("path", "rank", "class", "index", "probability")
"""Of the table; one row an image and rank."""

Predictable = Runtime | Network | Source | Ticket | Transfer | Run | Path | str
"""Whatever has logits: a file or folder, or what it was loaded to."""


@dataclass(frozen=True)
class Prediction:
    """The most probable classes of one image, the most probable first."""

    path: str
    """Of the file; of an image given otherwise, its number."""
    classes: tuple[str, ...]
    indices: tuple[int, ...]
    """Of the logits."""
    probabilities: tuple[float, ...]
    """Softmax of the logits, in [0, 1]; not calibrated."""

    def __str__(self) -> str:
        told = ", ".join(
            f"{name} {100 * value:.1f} %" for name, value in zip(self.classes, self.probabilities, strict=True)
        )
        return f"{self.path}: {told}"


@dataclass(frozen=True)
class Predictions(Sequence[Prediction]):
    """The predictions for some images, in their order."""

    rows: tuple[Prediction, ...]
    skipped: tuple[str, ...] = ()
    """Why each image that was left out cannot be read."""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __repr__(self) -> str:
        first = f": {self.rows[0]}" if self.rows else ""
        more = ", …" if len(self.rows) > 1 else ""
        return f"Predictions({len(self.rows)} images, {len(self.skipped)} skipped{first}{more})"

    def to_csv(self) -> str:
        """Return a table with the columns path, rank, class, index and probability."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(COLUMNS)
        for row in self.rows:
            for rank, (name, index, value) in enumerate(
                zip(row.classes, row.indices, row.probabilities, strict=True), 1
            ):
                table.writerow((row.path, rank, name, index, f"{value:.6f}"))
        return text.getvalue()

    def to_json(self) -> str:
        """Return a list of objects: path, and predictions with class, index and probability."""
        rows = [
            {
                "path": row.path,
                "predictions": [
                    {"class": name, "index": index, "probability": round(value, 6)}
                    for name, index, value in zip(row.classes, row.indices, row.probabilities, strict=True)
                ],
            }
            for row in self.rows
        ]
        return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Predictor:
    """Logits of images, and what is needed to go from files to classes."""

    name: str
    logits: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    preparation: ImagePreparation
    classes: tuple[str, ...] | None


def predict(
    subject: Predictable,
    images: Any,
    *,
    top: int = 1,
    on_unreadable: Literal["refuse", "skip"] = "refuse",
    source: Source | str | Path | None = None,
    threads: int = 1,
) -> Predictions:
    """Return the most probable classes of images, prepared as the network was evaluated.

    Args:
        subject: a runtime file (.rtk), an ONNX file, or a saved network's folder; a run (its exported file), a transfer
            (its best seed on validation), a ticket (its source's head); or any of these, loaded.
        images: image files, or folders, which are searched with their subfolders; PIL images; uint8 arrays; float
            arrays [N, C, H, W] in [0, 1] of the network's size. A list may mix all but the last.
        top: how many classes per image, at least 1.
        on_unreadable: whether an unreadable image file stops everything, or is left out and counted.
        source: where the network's code is, if it is the user's own: `module:function`.
        threads: threads that a file's engine may use.

    Raises:
        UserError: no such file, nothing that has logits, an image that cannot be read, or no images.
    """
    if top < 1:
        raise UserError(f"top: {top} is too small; give 1 or more")
    predictor = open_predictor(subject, source, threads)
    named = list(given_images(images))
    rows: list[Prediction] = []
    skipped: list[str] = []
    for start in range(0, len(named), BATCH):
        some = named[start : start + BATCH]
        prepared = in_threads(lambda one: _prepared(predictor, one[1]), some)
        failed = [one for one in prepared if isinstance(one, ImageError)]
        if failed and on_unreadable == "refuse":
            raise UserError(f"{failed[0]}; to leave out such images, set on_unreadable: skip")
        skipped += [str(error) for error in failed]
        read = [(name, one) for (name, _), one in zip(some, prepared, strict=True) if isinstance(one, np.ndarray)]
        if read:
            numbers = np.concatenate([one for _, one in read])
            rows += _ranked(predictor, [name for name, one in read for _ in one], numbers, top)
    if not rows:
        raise UserError(
            f"none of the {len(named)} images can be read: {skipped[0]}" if skipped else "there are no images"
        )
    return Predictions(tuple(rows), tuple(skipped))


def open_predictor(subject: Predictable, source: Source | str | Path | None = None, threads: int = 1) -> Predictor:
    """Return what computes a subject's logits; see `predict` for the arguments.

    Raises:
        UserError: see `predict`.
    """
    if isinstance(subject, Transfer):
        subject = subject.best
    if isinstance(subject, Run):
        return of_classifier(f"seed {subject.seed}", subject.network, subject.data.classes)
    if isinstance(subject, Ticket):
        network = subject.subnetwork(load_source(source) if source is not None else None)
        return of_classifier(f"the ticket of {subject.source.name}", network, None)
    if isinstance(subject, Source):
        return of_classifier(subject.identity.name, subject.network, None)
    if isinstance(subject, Network):
        return of_classifier(type(subject.body).__name__, subject, None)
    if isinstance(subject, Runtime):
        return of_runtime("the runtime", subject)
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
        return of_classifier(str(path), Ticket.load(path).subnetwork(bound), None)
    if (path / "transfer.json").is_file():
        return of_place(best_seed(path), source, threads)
    if path.is_dir() and not is_saved(path):
        return of_place(exported_file(path), source, threads)
    like = load_source(source).network if source is not None else None
    if like is None and is_saved(path) and ":" in (name := read_identity(path).name):
        raise UserError(
            f"{path}: its architecture is your own code, which a file does not contain; give source: {name}"
        )
    return of_artefact(load_artefact(path, threads, like))


def of_artefact(artefact: Artefact) -> Predictor:
    """Return what computes the logits of a file or folder.

    Raises:
        UserError: it does not say how images become its input.
    """
    name = str(artefact.path)
    match artefact:
        case RuntimeFile(runtime=runtime):
            return of_runtime(name, runtime)
        case NetworkFolder(network=network):
            return of_classifier(name, network, class_names(artefact.path))
        case OnnxFile(session=session):
            said, shape = session.get_modelmeta().custom_metadata_map, session.get_inputs()[0].shape
            try:
                preparation, classes = stated_preparation(said, tuple(shape[1:])), stated_classes(said)
            except RuntimeFileError as error:
                raise UserError(f"{name}: {error}") from None
            return Predictor(
                name,
                lambda images: artefact.predict(torch.from_numpy(images)).numpy(),
                require_stated(name, preparation),
                classes,
            )
    raise AssertionError(artefact)


def of_runtime(name: str, runtime: Runtime) -> Predictor:
    """Return what computes a runtime's logits."""
    return Predictor(name, runtime, require_stated(name, runtime.preprocessing), runtime.classes)


def of_classifier(name: str, classifier: Network, classes: tuple[str, ...] | None) -> Predictor:
    """Return what computes a torch network's logits, on the CPU.

    Raises:
        UserError: it does something else than tell images apart.
    """
    if isinstance(classifier.body, AdaptedBody):
        raise UserError(f"{name}: {classifier.body.does}; tickets predict is for networks that label images")
    network = portable(classifier)

    @torch.no_grad()
    def logits(images: NDArray[np.float32]) -> NDArray[np.float32]:
        return network(torch.from_numpy(images)).numpy()

    return Predictor(name, logits, preparation_of(classifier.pixels), classes)


def preparation_of(preprocessing: Pixels) -> ImagePreparation:
    """Return how a network's preprocessing prepares images; normalisation is inside the network."""
    return ImagePreparation(
        preprocessing.size, preprocessing.channels, preprocessing.interpolation, preprocessing.crop_fraction
    )


def require_stated(name: str, preparation: ImagePreparation | None) -> ImagePreparation:
    """Refuse a file that does not say how images become its input.

    Raises:
        UserError: it does not.
    """
    if preparation is None:
        raise UserError(
            f"{name}: does not say how images become its input (interpolation, crop_fraction); write it again with "
            "tickets shrink, or from Python give load_runtime(file, preprocessing=...)"
        )
    return preparation


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


def given_images(images: Any) -> Iterator[tuple[str, Any]]:
    """Yield each image with its name; of folders every image file in them, of arrays of many one after the other.

    Raises:
        UserError: a path is missing, or a folder holds no image.
    """
    if isinstance(images, str | Path):
        yield from image_files(Path(images))
    elif isinstance(images, list | tuple):
        for number, image in enumerate(images):
            if isinstance(image, str | Path):
                yield from image_files(Path(image))
            else:
                yield str(number), image
    elif getattr(images, "ndim", 0) == 4:
        for number, image in enumerate(images):
            yield str(number), image[None]
    else:
        yield "0", images


def image_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield an image file, or those in a folder and in folders in it, in order.

    Raises:
        UserError: nothing is there, or no image.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    if not path.is_dir():
        yield str(path), path
        return
    found = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in SUFFIXES and file.is_file()]
    if not found:
        raise UserError(f"{path}: contains no images ({', '.join(sorted(SUFFIXES))})")
    for file in found:
        yield str(file), file


def is_predictions(path: Path) -> bool:
    """Return whether a file is a table of ours, or a list of predictions, which may be written over."""
    try:
        with path.open(encoding="utf-8") as file:
            beginning = file.read(200)
    except (OSError, UnicodeDecodeError):
        return False
    return beginning.startswith((",".join(COLUMNS) + "\n", '[\n  {\n    "path": '))


def _prepared(predictor: Predictor, image: Any) -> NDArray[np.float32] | ImageError:
    try:
        return predictor.preparation(image)
    except ImageError as error:
        return error


def _ranked(predictor: Predictor, names: Sequence[str], images: NDArray[np.float32], top: int) -> list[Prediction]:
    logits = predictor.logits(images)
    if logits.ndim != 2:
        raise UserError(f"{predictor.name}: labels pixels; tickets predict is for networks that label images")
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = shifted / shifted.sum(axis=1, keepdims=True)
    classes = predictor.classes or tuple(map(str, range(logits.shape[1])))
    best = np.argsort(-logits, axis=1, kind="stable")[:, :top]
    return [
        Prediction(
            name,
            tuple(classes[index] for index in order),
            tuple(map(int, order)),
            tuple(float(row[index]) for index in order),
        )
        for name, order, row in zip(names, best, probabilities, strict=True)
    ]
