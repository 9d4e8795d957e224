"""The artefact: a source's identity, its masks, and what the surviving weights start from.

On disk a ticket is a folder:

| file | content |
|---|---|
| `ticket.json` | format version, source identity with hash and preprocessing, recipe, sparsity, provenance, digest |
| `masks.safetensors` | one bit per weight: parameter name -> uint8 [ceil(numel / 8)] |
| `statistics.safetensors` | only if `recalibrated`: batch-norm statistics under the masks |
| `init.safetensors` | only if `init` is `stored`: surviving weights, buffers and head |
| `tokenizer.json` | only of a language model: what turns texts into its tokens |
| `README.md` | a model card |

Loading reads JSON and safetensors and executes nothing. Verification is kept in separate files, outside the
ticket's digest.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save
from torch import Tensor, nn

from robust_tickets.foundation.digests import tensors_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import disk_errors, read_json, write_bytes, write_json, write_text
from robust_tickets.foundation.notebook import as_html
from robust_tickets.foundation.ownership import MASKS, STAMP, require_ours
from robust_tickets.foundation.run_folder import located, movable
from robust_tickets.foundation.settings import parse
from robust_tickets.models.folders import is_saved
from robust_tickets.models.identity import SourceIdentity
from robust_tickets.models.network import Network
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, load_source
from robust_tickets.models.strict import mismatches
from robust_tickets.pruning.masks import Masks, emptied, layer_sparsity, pack, sparsity, unpack
from robust_tickets.ticket.survivors import compress, decompress, read_tensors
from robust_tickets.ticket.ticket_card import ticket_card, told_prunable
from robust_tickets.ticket.ticket_file import FORMAT, TicketFile

TICKET, INIT, STATISTICS = "ticket.json", "init.safetensors", "statistics.safetensors"


@dataclass(frozen=True, eq=False)
class Ticket:
    """Binary masks over a source's prunable weights, and the values from which the surviving weights start."""

    masks: Masks
    """Parameter name -> bool tensor of its shape, True = kept. Coupled groups mask biases and norms too."""
    prunable: tuple[str, ...]
    """The weights that sparsity counts, in network order."""
    source: SourceIdentity
    stored: Mapping[str, Tensor] | None = None
    """Body state of the subnetwork if it does not start from the source; None: the source itself."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    network: Source | None = field(default=None, repr=False)
    """The loaded source, if this process has it."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Weights of layers that were left dense, and why."""
    statistics: Mapping[str, Tensor] | None = None
    """Batch-norm buffers by name, recomputed under the masks; None: those of the weights it starts from."""

    def __repr__(self) -> str:
        counted = sum(self.masks[name].numel() for name in self.prunable)
        return (
            f"Ticket({self.source.name}, {100 * self.sparsity:.4g} % of {counted:,} weights in {len(self.prunable)} "
            f"tensors removed, starts from {'the source' if self.stored is None else 'its own weights'})"
        )

    def _repr_html_(self) -> str | None:
        """Return what a notebook shows: the sparsity of every layer."""
        return as_html(self)

    @property
    def init(self) -> Literal["source", "stored"]:
        """Return where surviving weights start from."""
        return "source" if self.stored is None else "stored"

    @property
    def is_control(self) -> bool:
        """Return whether it was made from a drawn ticket, to lack what is claimed to matter."""
        return "control" in self.provenance

    @property
    def sparsity(self) -> float:
        """Return the fraction of prunable weights removed."""
        return sparsity(self.masks, self.prunable)

    @property
    def description(self) -> tuple[str, ...]:
        """Return a few lines: what was assumed or found about the source, what was prunable, what stayed dense."""
        return (*self.source.description, *told_prunable(self.prunable, self.left_out))

    @property
    def target(self) -> float:
        """Return the sparsity that was asked for; the exact count is the nearest to it."""
        return self.recipe["draw"]["sparsity"]

    @property
    def layer_sparsity(self) -> dict[str, float]:
        """Return the fraction removed of every prunable weight tensor."""
        return layer_sparsity({name: self.masks[name] for name in self.prunable})

    @property
    def emptied(self) -> tuple[str, ...]:
        """Return the prunable weights that are empty: such a layer passes on nothing but its bias.

        Biases, which may be pruned too, are no layers.
        """
        return emptied(self.masks, [name for name in self.prunable if not name.endswith("bias")])

    @property
    def digest(self) -> str:
        """Return the hash that names this ticket: masks, stored weights, and the source with its preprocessing."""
        tensors = {f"masks/{name}": mask for name, mask in self.masks.items()}
        stored = compress(self.stored, self.masks) if self.stored is not None else {}
        tensors |= {f"init/{name}": value for name, value in stored.items()}
        tensors |= {f"statistics/{name}": value for name, value in (self.statistics or {}).items()}
        identity = self.source.digest + self.source.preprocessing.model_dump_json()
        source = torch.tensor(list(identity.encode()), dtype=torch.uint8)
        return tensors_digest(tensors | {"source": source})

    def apply(self, model: Network | nn.Module, *, check: bool = True) -> None:
        """Turn `model` into the subnetwork, in place: removed weights become exactly zero.

        Args:
            model: the source network, as loaded by `load_source` or as the plain torch module.
            check: refuse a network whose weights are not those the ticket was drawn from.

        Raises:
            UserError: a different source, or parameters with different names or shapes.
        """
        body = model.body if isinstance(model, Network) else model
        state = body.state_dict()
        for name, tensor in {**self.masks, **(self.statistics or {})}.items():
            if name not in state or state[name].shape != tensor.shape:
                found = tuple(state[name].shape) if name in state else "nothing"
                raise UserError(
                    f"this ticket contains {name} of shape {tuple(tensor.shape)}, but the network has {found}: it was "
                    f"drawn from {self.source.name}"
                )
        if check and tensors_digest(state) != self.source.digest:
            raise UserError(
                f"this ticket was drawn from {self.source.name} with weights {short(self.source.digest)}, the network "
                f"has {short(tensors_digest(state))}; load the weights it was drawn from"
            )
        with torch.no_grad():
            if self.stored is not None:
                self.load_stored(model)
            parameters = dict(body.named_parameters())
            for name, mask in self.masks.items():
                # Filled rather than multiplied: a negative weight times zero is -0, which a file would not give back.
                parameters[name].masked_fill_(~mask.to(parameters[name].device), 0)
            buffers = dict(body.named_buffers())
            for name, value in (self.statistics or {}).items():
                buffers[name].copy_(value)

    def load_stored(self, model: Network | nn.Module) -> None:
        """Put the stored weights into the network; their head replaces that of a Network.

        Raises:
            UserError: names or shapes differ.
        """
        assert self.stored is not None
        body = model
        if isinstance(model, Network):
            body = model.body
            head = self.stored.get(f"{model.head}.weight")
            if head is not None and head.shape[0] != model.num_classes:
                model.reset_head(head.shape[0], seed=0)
        if wrong := mismatches(body, dict(self.stored)):
            raise UserError(
                f"the weights this ticket stores do not fit the network: {'; '.join(wrong)}; pass the Network that "
                "load_source returns"
            )
        body.load_state_dict(dict(self.stored))

    def subnetwork(self, source: Source | None = None) -> Network:
        """Return a fresh copy of the source with the ticket applied.

        Raises:
            UserError: the source cannot be loaded again by its name, or is a different one.
        """
        source = self.with_network(source).network if source is not None else self.load_source()
        assert source is not None
        classifier = copy.deepcopy(source.network)
        self.apply(classifier)
        return classifier

    def load_source(self) -> Source:
        """Return the source this ticket was drawn from, loaded by the settings it was drawn with.

        Raises:
            UserError: the settings do not lead to a source with the recorded hash, or would run a user's
                function: a ticket never does that by itself.
        """
        if self.network is not None:
            return self.network
        source = self.located(None).network
        assert source is not None
        return source

    def located(self, place: str | Path | None) -> "Ticket":
        """Return the ticket bound to its source, loaded from `place` (None: from where it was drawn).

        Raises:
            UserError: see `load_source`.
        """
        if place is None and self.network is not None:
            return self
        settings = parse(SourceSettings, self.recipe.get("source"), "ticket.json: recipe.source")
        return self.with_network(load_recorded(settings, place, "this ticket's network"))

    def save(self, folder: Path | str) -> None:
        """Write the ticket into a folder; `ticket.json` comes last and makes it one.

        Raises:
            UserError: the folder holds files that are not ours, or cannot be written.
        """
        folder = Path(folder)
        require_ours(folder)
        file = TicketFile(
            source=self.source,
            init=self.init,
            recalibrated=self.statistics is not None,
            sparsity=self.sparsity,
            prunable=self.prunable,
            left_out=dict(self.left_out),
            shapes={name: tuple(mask.shape) for name, mask in self.masks.items()},
            digest=self.digest,
            recipe=placed_recipe(self.recipe, folder, movable),
            provenance=dict(self.provenance),
        )
        with disk_errors(folder):
            (folder / TICKET).unlink(missing_ok=True)
        write_bytes(folder / MASKS, save(pack(self.masks), STAMP))
        if self.stored is not None:
            write_bytes(folder / INIT, save(compress(self.stored, self.masks)))
        else:
            (folder / INIT).unlink(missing_ok=True)
        if self.statistics is not None:
            write_bytes(folder / STATISTICS, save(dict(self.statistics)))
        else:
            (folder / STATISTICS).unlink(missing_ok=True)
        for name, content in self.source.preprocessing.files().items():
            write_bytes(folder / name, content)
        write_text(folder / "README.md", ticket_card(file, self.layer_sparsity))
        write_json(folder / TICKET, file.model_dump(mode="json"))

    @classmethod
    def load(cls, folder: Path | str) -> "Ticket":
        """Read a ticket without executing anything.

        Raises:
            UserError: not a ticket, a newer format, or a damaged file.
        """
        folder = Path(folder)
        if not is_ticket(folder):
            raise UserError(f"{folder}: is not a ticket (no ticket.json in it)")
        content = read_json(folder / TICKET)
        version = content.get("format") if isinstance(content, dict) else None
        if version != FORMAT:
            raise UserError(
                f"{folder}/ticket.json: has format {version!r}, but this version reads {FORMAT}; read it with the "
                "version of robust-tickets that wrote it, or a newer one"
            )
        file = parse(TicketFile, content, f"{folder}/ticket.json")
        preprocessing = file.source.preprocessing.completed(folder)
        identity = file.source.model_copy(update={"preprocessing": preprocessing})
        packed = read_tensors(folder / MASKS)
        try:
            masks = unpack(packed, file.shapes)
            stored = None
            if file.init == "stored":
                stored = decompress(read_tensors(folder / INIT), masks)
            statistics = read_tensors(folder / STATISTICS) if file.recalibrated else None
        except (KeyError, ValueError, TypeError, IndexError, RuntimeError) as error:
            raise UserError(f"{folder}: masks and ticket.json do not belong together ({error})") from None
        if missing := set(file.prunable) - set(masks):
            raise UserError(f"{folder}: no mask for {sorted(missing)[0]}, which ticket.json counts as prunable")
        recipe = placed_recipe(file.recipe, folder, located)
        ticket = cls(
            masks,
            file.prunable,
            identity,
            stored,
            recipe,
            file.provenance,
            left_out=file.left_out,
            statistics=statistics,
        )
        if ticket.digest != file.digest or abs(ticket.sparsity - file.sparsity) > 1e-9:
            raise UserError(
                f"{folder}: is damaged: masks and weights do not match the digest in ticket.json; get it again"
            )
        if is_saved(folder) and ":" not in file.source.name:
            # A shrunken network next to its masks: the folder may have been moved.
            return ticket.with_network(load_source(folder))
        return ticket

    def with_network(self, source: Source) -> "Ticket":
        """Return the ticket bound to a loaded source.

        Raises:
            UserError: the source's weights, or the user's code behind it, are not those the ticket was drawn from.
        """
        if source.identity.digest != self.source.digest:
            raise UserError(
                f"this ticket was drawn from {self.source.name} with weights {short(self.source.digest)}, the source "
                f"given is {source.identity.name} with {short(source.identity.digest)}"
            )
        if None not in (codes := (self.source.code, source.identity.code)) and codes[0] != codes[1]:
            raise UserError(
                f"the code of {self.source.name} was edited since this ticket was drawn (its forward, or "
                "something it calls), although the weights are the same; draw it again, or undo the edit"
            )
        return replace(self, network=source)


def placed_recipe(recipe: Mapping[str, Any], folder: Path, write: Callable[[str, Path], str]) -> dict[str, Any]:
    """Return a ticket's recipe with the places of its source written for, or read from, a file in `folder`."""
    source = recipe.get("source")
    if not isinstance(source, Mapping):
        return dict(recipe)
    places = {
        key: write(source[key], folder) for key in ("name", "weights", "tokenizer") if isinstance(source.get(key), str)
    }
    return {**recipe, "source": {**source, **places}}


def is_ticket(folder: Path | str) -> bool:
    """Return whether the folder holds a ticket."""
    return (Path(folder) / TICKET).is_file()


def load_recorded(recorded: SourceSettings, place: Source | str | Path | None, whose: str) -> Source:
    """Load a source by the settings that a file recorded; `place` says where it is now, or consents to run it.

    A file at `place` contains its weights, which have moved.

    Raises:
        UserError: it is the user's own function, which a file alone never runs.
    """
    if isinstance(place, Source):
        return place
    if place is not None and Path(place).is_file():
        recorded = recorded.model_copy(update={"weights": str(place)})
    elif place is not None:
        return load_source(recorded.model_copy(update={"name": str(place)}))
    if ":" in recorded.name:
        raise UserError(f"{whose} is your own code, which a file does not contain; name it as source: {recorded.name}")
    return load_source(recorded)


def short(digest: str) -> str:
    """Return the first characters of a digest, for messages."""
    return digest.removeprefix("sha256:")[:12]
