"""A network saved by us: a folder with `source.json`, which says what it is, and `weights.safetensors`."""

import copy
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor, nn

from robust_tickets.foundation.digests import tensors_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import disk_errors, read_json, write_bytes, write_json
from robust_tickets.foundation.settings import parse
from robust_tickets.models.adaptations.adapted_body import AdaptedBody, adaptation_of
from robust_tickets.models.adaptations.projection_head import Projector, ProjectorRecord
from robust_tickets.models.families.family import ArchitectureOptions
from robust_tickets.models.formats.file import read_checkpoint
from robust_tickets.models.forward_trace import trace_forward
from robust_tickets.models.head_choice import choose_head
from robust_tickets.models.identity import VERSION, SourceIdentity
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.registry import resolve
from robust_tickets.models.shapes import reshape
from robust_tickets.models.strict import load_strictly, mismatches

FACTS = "source.json"
WEIGHTS = "weights.safetensors"
PROJECTOR = "projector.safetensors"


def is_saved(folder: Path) -> bool:
    """Return whether the folder holds a network saved by us."""
    return (folder / FACTS).is_file()


def save_source(classifier: Network, identity: SourceIdentity, folder: Path | str) -> SourceIdentity:
    """Write a network into a folder and return the identity of what was written.

    Architecture, format and origin of the weights are taken from `identity`, everything that can be read off
    the classifier (digest, classes, head, preprocessing) from the classifier: it may have been trained on.
    `source.json` is written last: where it is, the weights are whole.

    Raises:
        UserError: the folder cannot be written.
    """
    folder = Path(folder)
    identity, state = identified(classifier, identity), classifier.plain_state()
    with disk_errors(folder):
        (folder / FACTS).unlink(missing_ok=True)
        (folder / PROJECTOR).unlink(missing_ok=True)
    write_bytes(folder / WEIGHTS, save(state))
    if classifier.projector is not None:
        write_bytes(folder / PROJECTOR, save(classifier.projector.state))
    for name, content in identity.preprocessing.files().items():
        write_bytes(folder / name, content)
    write_json(folder / FACTS, identity.model_dump(mode="json"))
    return identity


def identified(classifier: Network, identity: SourceIdentity) -> SourceIdentity:
    """Return an identity with everything in it that can be read off the classifier."""
    digest = tensors_digest(classifier.plain_state())
    return identity.model_copy(update={"digest": digest, **recorded(classifier)})


def recorded(classifier: Network) -> dict[str, Any]:
    """Return what is recorded of a network that is not its weights: what goes in, and how its body came about."""
    body = classifier.body
    adapted = body if isinstance(body, AdaptedBody) else None
    return {
        "num_classes": classifier.num_classes,
        "head": classifier.head,
        "headless": classifier.headless,
        "preprocessing": classifier.interface,
        "adaptation": adapted.adaptation if adapted is not None else None,
        "configuration": adapted.configuration if adapted is not None else None,
        "projector": projector_record(classifier.projector) if classifier.projector is not None else None,
    }


def projector_record(projector: Projector) -> ProjectorRecord:
    """Return what is recorded of a projector."""
    return ProjectorRecord(head=projector.head, outputs=projector.outputs, digest=tensors_digest(projector.state))


def read_projector(record: ProjectorRecord, path: Path) -> Projector:
    """Read the projector that lies beside a network.

    Raises:
        UserError: the file is missing, damaged or altered.
    """
    state = read_checkpoint(path)
    if (digest := tensors_digest(state)) != record.digest:
        raise UserError(f"{path}: was altered: its digest is {digest}, not {record.digest}")
    return Projector(record.head, record.outputs, state)


def load(folder: Path | str, like: nn.Module | None = None) -> Network:
    """Return a network saved by this library: shrunken, transferred or pretrained; nothing is downloaded or executed.

    Args:
        folder: where it is.
        like: the architecture, if it is the user's own code; a Network, or the plain module. Ignored otherwise.

    Raises:
        UserError: see `load_folder`.
    """
    folder = Path(folder)
    if folder.suffix == ".rtk":
        raise UserError(f"{folder}: is a runtime file; load it with rt.load_runtime (rt.load is for folders)")
    if not folder.exists():
        raise UserError(f"{folder}: no such folder")
    if not is_saved(folder):
        raise UserError(f"{folder}: is not a network saved by robust-tickets (no {FACTS} in it)")
    identity = read_identity(folder)
    if ":" not in identity.name:
        like = None
    return load_folder(folder, like)[0].eval()


def load_folder(folder: Path | str, like: nn.Module | None = None) -> tuple[Network, SourceIdentity]:
    """Read back what `save_source` wrote.

    Args:
        folder: where it was written.
        like: the same architecture, a Network or the plain module, copied for its layers; needed only where it is
            the user's own code.

    Raises:
        UserError: a file is missing, broken or altered, was written by a newer version, or the architecture is the
            user's own code, which a folder never runs by itself.
    """
    folder = Path(folder)
    identity = read_identity(folder)
    state = read_checkpoint(folder / WEIGHTS)
    classifier = rebuilt(identity, state, folder, like)
    if (digest := tensors_digest(classifier.plain_state())) != identity.digest:
        raise UserError(f"{folder}: {WEIGHTS} was altered: its digest is {digest}, not {identity.digest}")
    if identity.projector is not None:
        classifier.projector = read_projector(identity.projector, folder / PROJECTOR)
    return classifier, identity


def read_identity(folder: Path) -> SourceIdentity:
    """Read which network a folder holds, and what travels beside the weights.

    Raises:
        UserError: `source.json` is missing, broken, or of a newer version, or a file beside it is missing or altered.
    """
    content, where = read_json(folder / FACTS), folder / FACTS
    version = content.get("version", VERSION) if isinstance(content, dict) else VERSION
    if isinstance(version, int) and version > VERSION:
        raise UserError(f"{where}: has version {version}, but this robust-tickets reads up to {VERSION}; upgrade it")
    identity = parse(SourceIdentity, content, str(where))
    return identity.model_copy(update={"preprocessing": identity.preprocessing.completed(folder)})


def rebuilt(identity: SourceIdentity, state: dict[str, Tensor], folder: Path, like: nn.Module | None = None) -> Network:
    """Build the architecture of an identity, give it the shapes it records, and load its tensors strictly.

    Args:
        identity: which network.
        state: its tensors by name.
        folder: where both are from, for messages.
        like: see `load_folder`.

    Raises:
        UserError: see `load_folder`.
    """
    preprocessing = identity.preprocessing
    if like is not None:
        body = copy.deepcopy(like.body if isinstance(like, Network) else like)
    elif ":" in identity.name:
        raise UserError(
            f"{folder}: its architecture is your own code, {identity.name}, which a file does not contain; "
            f"give `name: {identity.name}` and `weights: {folder}`"
        )
    else:
        family, name = resolve(identity.name)
        size = preprocessing.size if isinstance(preprocessing, Pixels) else None
        options = ArchitectureOptions(identity.num_classes, preprocessing.channels, size, identity.configuration)
        body = family.build(name, options)
    if identity.adaptation is not None and identity.adaptation != adaptation_of(body):
        head = choose_head(body, trace_forward(body, preprocessing, identity.name), preprocessing, identity.name)[0]
        whole = Network(body, preprocessing, head)
        body = identity.adaptation.adapted(whole, identity.num_classes, preprocessing, 0, identity.name).body
    classifier = Network(body, preprocessing, identity.head)
    if classifier.num_classes != identity.num_classes:
        classifier.reset_head(identity.num_classes, seed=0)
    if isinstance(body, AdaptedBody):
        body.take_names(identity.configuration)
    if identity.modules:
        reshape(body, identity.modules, state, str(folder / FACTS))
    if wrong := mismatches(body, state):
        raise UserError(f"{folder / WEIGHTS}: does not fit the network: {'; '.join(wrong)}")
    load_strictly(body, state, str(folder / WEIGHTS))
    classifier.headless = identity.headless
    return classifier
