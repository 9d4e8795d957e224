"""Search: a smaller network and its ticket out of one training."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch import nn

from robust_tickets.data.splits import DataSplits
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_json
from robust_tickets.foundation.notebook import as_html
from robust_tickets.foundation.ownership import require_apart
from robust_tickets.foundation.settings import changed
from robust_tickets.foundation.steps import Step
from robust_tickets.models.folders import load
from robust_tickets.models.network import Network
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, Stated, load_source
from robust_tickets.shrinking.shrink import ShrinkReport
from robust_tickets.tasks.kinds import task_for
from robust_tickets.tasks.target import Data, target_data
from robust_tickets.ticket.cost import Cost
from robust_tickets.ticket.ticket import Ticket
from robust_tickets.training.batch_norm import has_batch_norm
from robust_tickets.training.batch_source import ImageBatches, no_batches
from robust_tickets.training.removed_channels import ChannelRemoval
from robust_tickets.verbs.channels_left import ChannelsLeft, channels_left
from robust_tickets.verbs.draw import draw
from robust_tickets.verbs.evaluate import Evaluated, evaluate
from robust_tickets.verbs.search_settings import SearchSettings
from robust_tickets.verbs.shrink import require_form, require_shrinkable, shrink

TICKET, NETWORK, EVALUATED = "ticket", "network", "evaluated"
"""What a search writes, by its folder."""


@dataclass(frozen=True, eq=False)
class Searched:
    """A smaller network and its ticket, and what was found out about them."""

    ticket: Ticket
    network: Network = field(repr=False)
    """Without the channels that the ticket removes, but for those that are kept as zeros to suit engines."""
    report: ShrinkReport
    """Size and speed, measured against dense."""
    evaluated: Evaluated
    """The ticket on test data, as the search left it."""
    removals: tuple[ChannelRemoval, ...]
    """What was left of channels and multiply-adds after every removal."""
    channels: tuple[ChannelsLeft, ...]
    """What is left of every layer's channels."""
    penalty: float
    """rho: what the loss paid for gains."""
    cost: Cost
    """Steps and time of the training."""
    data: DataSplits = field(repr=False)
    settings: SearchSettings = field(repr=False)
    seed: int
    folder: Path | None
    """Where ticket and network are; None if nothing was kept."""

    def __repr__(self) -> str:
        shape = f"{self.report.shrunk.parameters:,} of {self.report.dense.parameters:,} parameters"
        return f"Searched({self.ticket.source.name}: {shape}, {100 * self.ticket.sparsity:.4g} % sparsity)"

    def _repr_html_(self) -> str | None:
        """Return what a notebook shows: what was found, size and speed, and the channels of every layer."""
        return as_html(self)

    @property
    def zeros(self) -> float:
        """Share of the smaller network's parameters that are zero, in [0, 1]."""
        return 1 - self.report.shrunk.nonzero_parameters / self.report.shrunk.parameters

    def sentences(self) -> tuple[str, ...]:
        """Return the outcome in plain words: what was removed, how good the ticket is, how small and fast."""
        removable = [one for one in self.channels if not one.reason]
        whole = sum(one.channels for one in removable)
        gone = whole - sum(one.left for one in removable)
        left = self.removals[-1].multiply_adds if self.removals else 1.0
        with_them = (
            f", and with them {100 * (1 - left):.1f} % of the multiply-adds"
            if gone
            else f": no gain fell to {self.settings.threshold:g}, or the sparsity left no room (a higher pull than "
            f"{self.settings.pull:g}, more epochs or a higher sparsity remove some)"
        )
        (run,), unit = self.evaluated.runs, self.evaluated.unit
        ends = [run.interval.lower, run.interval.upper] if run.interval is not None else []
        bounds = f" (95 % interval {' to '.join(unit.number(end, unit.exact) for end in ends)})" if ends else ""
        return (
            f"A training of {self.cost.steps:,} steps removed {gone:,} of {whole:,} channels{with_them}. In all, "
            f"{100 * self.ticket.sparsity:.4g} % of the weights are removed.",
            f"{unit.told(run.standard)} {self.evaluated.score}{bounds} on {self.evaluated.images:,} test "
            f"{self.evaluated.noun} of {self.evaluated.data}, without further training.",
            self.report.sentence,
        )


def search(
    source: Source | SourceSettings | str | Path | nn.Module,
    data: Data,
    *,
    weights: str | Path | None = None,
    preprocessing: Stated | None = None,
    settings: SearchSettings | None = None,
    seed: int = 0,
    folder: Path | str | None = None,
    **changes: Any,
) -> Searched:
    """Find a smaller network and its ticket in one training on your data (SuperTickets, You et al., 2022).

    While the network trains, the loss pays for the gain of each channel, |gamma| of its batch norm, by the
    multiply-adds that the channel takes. Idle channels leave the network for good; single weights are pruned further
    and further, and come back for a while. The ticket is evaluated as it is then; it is not compared with dense, for
    which `transfer` and `verify` train both.

    Args:
        source: a convolutional network with batch norm, by name or path, or as a torch module.
        data: images with one label each; a network's last layer is new.
        weights, preprocessing: of a source given by name, as in `load_source`; the preprocessing of a module, too.
        settings: everything else; `changes` are keyword changes to it, as in `sparsity=0.9`.
        seed: of the head, the order of images and the validation part.
        folder: where everything is kept: `ticket`, `network` (which `rt.load` opens) and what was measured; a second
            call resumes. None: nothing is kept.

    Raises:
        UserError: the network is none for images or has no batch norm, the data have no label for each image, there are
            too few steps, or anything that drawing and shrinking refuse.
    """
    settings = changed(settings or SearchSettings(), changes)
    require_apart(folder, data)
    if weights is not None or preprocessing is not None:
        source = load_source(source, weights=weights, preprocessing=preprocessing)
    source = load_source(source)
    require_searchable(source)
    splits = target_data(data, source, seed)
    require_labels(source, splits, settings)
    if folder is not None:
        return searched(source, splits, settings, seed, Path(folder))
    with TemporaryDirectory() as place:
        return replace(searched(source, splits, settings, seed, Path(place) / "search"), folder=None)


def require_searchable(source: Source) -> None:
    """Refuse a network that has no channels with gains.

    Raises:
        UserError: says what is needed.
    """
    network, name = source.network, source.identity.name
    if network.interface.channels is None:
        raise UserError(f"{name}: takes {network.interface.noun}; a search needs a convolutional network for images")
    if not has_batch_norm(network.body):
        raise UserError(
            f"{name}: has no batch norm, whose scales are the gains of channels; search a network that has it, or use "
            "tickets draw --group channel (of a transformer --group several)"
        )


def require_labels(source: Source, splits: DataSplits, settings: SearchSettings) -> None:
    """Refuse data that no network by itself is judged on.

    Raises:
        UserError: says what is needed.
    """
    name, objective = source.identity.name, settings.training.objective
    if objective.own_views is not None:
        raise UserError(
            f"training.objective: {objective.describe()} learns without labels; a search needs them: use standard"
        )
    task = task_for(splits)
    if not {"logits", "image-labels"} <= task.provides:
        raise UserError(f"{splits.name}: {splits.target_words}; a search needs one label for each image")
    if not task.does_it(source.network):
        raise UserError(f"{name}: does something else than label images; search the network it was made of")


def searched(source: Source, splits: DataSplits, settings: SearchSettings, seed: int, folder: Path) -> Searched:
    """Search, write and evaluate in a folder."""
    batches = ImageBatches(splits, settings.training, seed)
    if not batches.per_epoch:
        raise no_batches(batches, batches.noun)
    drawing = settings.drawing(batches.per_epoch)
    form = require_form(settings.shrink, folder / NETWORK)
    require_shrinkable(settings.shrink, form, source.network, splits)
    identity = {
        "verb": "search",
        **source.identity.facts,
        "data": splits.digest,
        "settings": settings.model_dump(mode="json", exclude={"shrink": True, "training": {"checkpoint_seconds"}}),
        "seed": seed,
    }
    with Step(folder, identity).claim():
        ticket = draw(source, settings=drawing, data=splits, seed=seed, folder=folder / TICKET)
        report = shrink(
            ticket.subnetwork(source),
            folder / NETWORK,
            data=splits,
            ticket=ticket,
            settings=settings.shrink,
            folder=folder,
        )
        evaluated = evaluate(ticket, splits, source=source, folder=folder / EVALUATED)
    network, cost = load(folder / NETWORK, like=source.network), Cost.of(folder / TICKET)
    assert cost is not None
    removals = read_json(folder / TICKET / "result.json").get("removals", ())
    return Searched(
        ticket=ticket,
        network=network,
        report=report,
        evaluated=evaluated,
        removals=tuple(ChannelRemoval(*one) for one in removals),
        channels=channels_left(source, ticket, network),
        penalty=settings.penalty_over(batches.per_epoch),
        cost=cost,
        data=splits,
        settings=settings,
        seed=seed,
        folder=folder,
    )
