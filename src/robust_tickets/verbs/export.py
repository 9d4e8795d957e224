"""Export: ship a network as it is, without data: an ONNX file, a runtime file, or a folder."""

import logging
from pathlib import Path
from typing import Any

from torch import nn

from robust_tickets.foundation.digests import tensors_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path
from robust_tickets.foundation.ownership import require_ours
from robust_tickets.foundation.settings import changed
from robust_tickets.models.network import Network
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, Stated
from robust_tickets.shrinking.export import Provenance
from robust_tickets.shrinking.folder import ORIGIN, read_origin
from robust_tickets.shrinking.settings import ShrinkSettings
from robust_tickets.shrinking.shrink import ShrinkReport, shrink_network
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.verbs.draw import RECALIBRATE, lacks_statistics
from robust_tickets.verbs.place import is_work
from robust_tickets.verbs.shrink import require_form, save_folder
from robust_tickets.verbs.subject import bind, with_stated
from robust_tickets.verbs.transfer import subnetwork

_log = logging.getLogger(__name__)


def export(
    subject: Ticket | Source | SourceSettings | nn.Module | str | Path,
    out: Path | str,
    *,
    source: Source | str | Path | None = None,
    weights: str | Path | None = None,
    preprocessing: Stated | None = None,
    settings: ShrinkSettings | None = None,
    **changes: Any,
) -> ShrinkReport:
    """Write a network as it is, or a ticket applied to its source, and time it; nothing is trained, no data are read.

    Exact zeros are treated as in `shrink`: channels that are zero throughout are removed, a runtime file (.rtk)
    leaves out every other zero, and the file is checked against PyTorch on random images. A sparse network needs
    no ticket for that. For a folder's content see `shrink`.

    Args:
        subject: a source (an object, a name, a path, a network saved by us), or a ticket or its folder.
        out: the ONNX or runtime file to write, or a folder: a name without suffix, one that ends in `/`, or an
            existing one.
        source: the network a ticket was drawn from, or where it is now; see `transfer`.
        weights, preprocessing: of a source given by name, as in `load_source`; the preprocessing of a module, too.
        settings: rounding of channels, weights in 16 bits, threads, batch size; `changes` are keyword changes to it.

    Returns:
        Sizes, zeros and times. A ticket's file is compared with its dense source, any other network's with its own
        ONNX file, zeros in place.

    Raises:
        UserError: no such network or ticket, a setting that needs data, a network that cannot be exported or whose
            weights came without a head, or a place with somebody else's file or that cannot be written.
    """
    settings = changed(settings or ShrinkSettings(), changes)
    for name, asked in {"int8": settings.int8 is not None, "recalibrate": settings.recalibrate}.items():
        if asked:
            raise UserError(f"{name}: needs data, but export reads none; use shrink on a transfer")
    form, out = require_form(settings, out), Path(out)
    require_ours(out)
    if isinstance(subject, str | Path) and is_work(given_path(str(subject))):
        raise UserError(f"{subject}: contains transfers; ship the best one with tickets shrink {subject} -o {out}")
    ticket, source = bind(with_stated(subject, weights, preprocessing), source)
    network = subnetwork(source, ticket)
    network.require_head(f"export {source.identity.name}")
    if ticket is not None and lacks_statistics(ticket, source):
        _log.warning(RECALIBRATE)
    dense = source.network if ticket is not None and comparable(source.network, network) else network
    classes = classes_of(source, network)
    provenance = Provenance(
        ticket=ticket.digest if ticket is not None else None, network=tensors_digest(network.state_dict())
    )
    return shrink_network(
        dense,
        network,
        ticket.masks if ticket is not None else {},
        out,
        settings,
        classes=classes,
        provenance=provenance,
        write=save_folder(out, ticket, source.identity, classes=classes, provenance=provenance)
        if form.is_folder
        else None,
    )


def comparable(dense: Network, network: Network) -> bool:
    """Return whether two networks have the same number of classes: a ticket may bring its own head."""
    return dense.num_classes == network.num_classes


def classes_of(source: Source, network: Network) -> tuple[str, ...] | None:
    """Return the names of the classes, if a folder of ours says them, or the network itself."""
    folder = given_path(source.settings.name)
    classes = read_origin(folder).classes if (folder / ORIGIN).is_file() else None
    return classes if classes is not None and len(classes) == network.num_classes else network.class_names
