"""A shrunken network as a folder that `rt.load` reads: shapes in JSON, weights in safetensors, no pickle.

| file | content |
|---|---|
| `source.json` | architecture, the shapes that are not the architecture's, preprocessing, head, digest of the weights |
| `weights.safetensors` | the tensors that are left, by their names |
| `origin.json` | which run it was made from, and the names of the classes |
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import Field
from torch.utils._pytree import tree_leaves

from robust_tickets.foundation.files import disk_errors, read_json, write_json
from robust_tickets.foundation.ownership import require_ours
from robust_tickets.foundation.settings import Settings, parse
from robust_tickets.models.adaptations.adapted_body import AdaptedBody
from robust_tickets.models.folders import FACTS, identified, rebuilt, save_source
from robust_tickets.models.heads import get_head, width_of
from robust_tickets.models.identity import SourceIdentity
from robust_tickets.models.network import Network, tensors_of
from robust_tickets.models.shapes import shape_changes
from robust_tickets.shrinking.counts import parameter_count
from robust_tickets.shrinking.export import Provenance, portable, random_inputs

ORIGIN = "origin.json"


class Origin(Settings):
    """`origin.json`: facts from the metadata of an exported file that the network itself does not show."""

    classes: tuple[str, ...] | None = Field(default=None, description="Names in the order of the logits.")
    run: Provenance | None = Field(default=None, description="The run it was made from.")


def write_folder(
    shrunk: Network,
    before: Network,
    identity: SourceIdentity,
    folder: Path | str,
    *,
    classes: Sequence[str] | None = None,
    provenance: Provenance | None = None,
) -> SourceIdentity:
    """Write a shrunken network, once it is certain that reading it gives the very same outputs.

    Every file is whole or absent, and `source.json` comes last: without it, it is not a network.

    Args:
        shrunk: the network to write, on the CPU.
        before: the same network before channels were removed: what says how the modules changed.
        identity: of the source that `before` was trained from.
        folder: where to write; other files of ours in it are left alone.
        classes: names in the order of the logits.
        provenance: which run the network is of.

    Returns:
        The identity of what was written.

    Raises:
        UserError: its modules are not the architecture's, the folder holds another's files or cannot be written.
        RuntimeError: what would be read back answers otherwise.
    """
    folder = Path(folder)
    require_ours(folder)
    shrunk = portable(shrunk)
    if not isinstance(before.body, AdaptedBody):
        settle_width(shrunk, width_of(get_head(before.body, before.head)))
    changes, known = shape_changes(before.body, shrunk.body), identity.modules
    modules = known | {name: known.get(name, {}) | attributes for name, attributes in changes.items()}
    note = f"shrunken: {parameter_count(before)} parameters became {parameter_count(shrunk)}"
    identity = identity.model_copy(update={"modules": modules, "notes": (*identity.notes, note)})
    identity = identified(shrunk, identity)
    twin = rebuilt(identity, shrunk.plain_state(), folder, before if ":" in identity.name else None).eval()
    inputs = random_inputs(shrunk, 2)
    with torch.no_grad():
        read, written = (tree_leaves(tensors_of(one, inputs)) for one in (twin, shrunk))
        if not all(map(torch.equal, read, written)):
            name = shrunk.called
            raise RuntimeError(f"{folder}: read back, the shrunken {name} gives different answers")
    said = Origin(classes=tuple(classes) if classes else None, run=provenance)
    with disk_errors(folder):
        (folder / FACTS).unlink(missing_ok=True)
    write_json(folder / ORIGIN, said.model_dump(mode="json"))
    return save_source(shrunk, identity, folder)


def settle_width(classifier: Network, before: int) -> None:
    """Update timm's own record of the width before the head, from which it makes new heads."""
    body, width = classifier.body, width_of(get_head(classifier.body, classifier.head))
    for name in ("num_features", "head_hidden_size"):
        if getattr(body, name, None) == before:
            setattr(body, name, width)


def read_origin(folder: Path) -> Origin:
    """Read what a shrunken network's folder says about itself.

    Raises:
        UserError: it says nothing, or the file is broken.
    """
    return parse(Origin, read_json(folder / ORIGIN), str(folder / ORIGIN))
