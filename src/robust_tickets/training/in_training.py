"""The state of one training: masks, optimiser, average, and whatever else the events of a timeline may touch."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from robust_tickets.models.network import Network
from robust_tickets.pruning.applier import MaskApplier
from robust_tickets.pruning.draw_history import DrawHistory
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.masks import sparsity as sparsity_of
from robust_tickets.training.ages import begin
from robust_tickets.training.averaging import WeightAverage
from robust_tickets.training.batch_norm import CALIBRATION_EXAMPLES, recalibrate
from robust_tickets.training.job import Job
from robust_tickets.training.optimisers import parameter_groups
from robust_tickets.training.removed_channels import ChannelRemoval, RemovedChannels, left_after_cut
from robust_tickets.training.statistics import TrainingStatistics

_log = logging.getLogger(__name__)

State = dict[str, Tensor]


class NetworkInTraining:
    """A network with masks, optimiser and average, at some step of its training."""

    def __init__(self, job: Job, device: torch.device) -> None:
        """Make the network of a job ready for its first step, on a device.

        The job's masks, over the prunable weights (and followers), are in force from the start.
        """
        trainable, drawing = job.trainable, job.drawing
        self.job = job
        trainable.network.to(device)
        masks = {name: mask.to(device) for name, mask in job.masks.items()}
        self.trainable, self.training, self.drawing, self.seed = trainable, job.training, drawing, job.seed
        self.body = trainable.body
        self.prunable = tuple(masks)
        self.start: State = copied(self.body.state_dict() if job.start is None else job.start)
        self.rewind_point: State | None = None
        self.round_start = 0
        self.step = 0
        self.history = DrawHistory()
        self.is_finished = False
        """Whether an event has ended the training before its last step."""
        self.dense_gradients: Callable[[], Mapping[str, Tensor]] | None = None
        self.couplings = drawing.couplings
        self.aside: State = {}
        """Values of weights that are removed for a while, zero elsewhere."""
        self.parametrise()
        self.network = self.parametrised.module
        self.removed: RemovedChannels | None = None
        if job.plan.removes_channels:
            assert isinstance(trainable.network, Network)
            self.removed = RemovedChannels(trainable.network, self.prunable, self.statistics.multiplications())
        self.masks: Masks = {name: torch.ones_like(mask) for name, mask in masks.items()}
        self.set_masks(masks)

    def parametrise(self) -> None:
        """Take up the parameters that the network has now: what wraps them, steps them, averages them."""
        job, drawing = self.job, self.drawing
        self.parametrised = drawing.parametrisation.build(
            self.trainable.network,
            self.body,
            self.prunable,
            selection=drawing.selection,
            sparsity=drawing.sparsity or 0.0,
            couplings=self.couplings,
            is_head=self.trainable.is_head,
            seed=job.seed,
        )
        self.statistics = TrainingStatistics(
            self.trainable.network,
            self.body,
            self.prunable,
            self.parametrised.ranking,
            job.batches,
            job.task.criterion(0.0),
        )
        if self.parametrised.weigh is not None:
            self.parametrised.weigh(self.statistics.multiplications())
        self.optimiser = self.fresh_optimiser()
        self.average = WeightAverage(self.body, job.training.ema) if job.training.ema else None
        self.parameters = dict(self.body.named_parameters())

    @property
    def removals(self) -> list[ChannelRemoval]:
        """The removals of channels so far."""
        return self.removed.removals if self.removed is not None else []

    @property
    def trained(self) -> nn.Module:
        """Return the module whose state is all that trains: the body, or what wraps it with scores."""
        return self.parametrised.module if self.parametrised.learned else self.body

    def fresh_optimiser(self) -> torch.optim.Optimizer:
        """Return an optimiser without history over everything that trains."""
        named = [(name, p) for name, p in self.parametrised.trainable_parameters() if p.requires_grad]
        settings = self.training.optimiser
        is_head = [self.trainable.is_head(name) for name, _ in named]
        groups = parameter_groups(
            named,
            settings,
            is_head=is_head,
            head_lr=self.training.head_lr,
            peaks=self.trainable.rates,
            own_lr=self.parametrised.rates,
            own_decay=self.parametrised.decays,
        )
        return settings.build(groups)

    def weights(self) -> Mapping[str, Tensor]:
        """Return the prunable weights as they are now."""
        return {name: self.parameters[name].detach() for name in self.prunable}

    def gradients(self) -> Mapping[str, Tensor]:
        """Return dense, unmasked gradients of the prunable weights on the coming batch."""
        if self.dense_gradients is None:
            raise RuntimeError("gradients are known only at an event before a training step")
        return self.dense_gradients()

    def select(self, sparsity: float) -> Masks:
        """Return masks of this sparsity by the draw's selection, within the masks in force unless weights revive.

        Where training decides how much is removed, the sparsity is what it has removed.
        """
        self.statistics.forget()
        if self.drawing.sparsity is None and self.parametrised.own_sparsity is not None:
            sparsity = self.parametrised.own_sparsity()
        if self.removed is not None:
            removed = sparsity_of(self.masks, self.prunable)
            sparsity = max(removed, self.removed.sparsity_here(sparsity))
        return self.drawing.selection.select(
            self.weights(),
            sparsity=sparsity,
            masks=None if self.parametrised.revives else self.masks,
            couplings=self.couplings,
            statistics=self.statistics,
            seed=self.seed,
        )

    def compensate(self, masks: Masks) -> None:
        """Move the weights that these masks keep, as the score says, to make up for those that they remove."""
        score, weights = self.drawing.selection.score, self.weights()
        moved = score.compensated(weights, self.masks, masks, self.statistics, self.seed)
        with torch.no_grad():
            for name, value in (moved or {}).items():
                self.parameters[name].copy_(value)
        self.statistics.forget()

    @torch.no_grad()
    def set_masks(self, masks: Masks) -> None:
        """Put masks in force; removed weights, and the optimiser's slots of changed positions, become zero.

        Weights that come back train from a fresh start (see `ages`). Where removed weights keep their values, nothing
        is zeroed: the forward pass masks by itself.
        """
        if self.parametrised.revives:
            self.masks, self.applier = dict(masks), MaskApplier(self.parameters, {})
            return
        for name, mask in masks.items():
            parameter = self.parameters[name]
            before = self.masks.get(name)
            unchanged = mask if before is None else mask == before
            if not bool(unchanged.all()):
                for slot in self.optimiser.state.get(parameter, {}).values():
                    if torch.is_tensor(slot) and slot.shape == parameter.shape:
                        slot.mul_(unchanged.to(slot.device))
                begin(self.optimiser, parameter, mask & ~unchanged)
        self.masks = dict(masks)
        self.applier = MaskApplier(self.parameters, self.masks)
        self.applier.apply_to_weights()
        self.restart_average()

    def set_aside(self, masks: Masks) -> None:
        """Keep the values of the weights that these masks are about to remove, for `bring_back`."""
        self.aside = {name: weight * ~masks[name] for name, weight in self.weights().items()}

    @torch.no_grad()
    def bring_back(self) -> None:
        """Give weights that no mask removes any more the values that were set aside."""
        for name, value in self.aside.items():
            self.parameters[name].add_(value * self.masks[name])
        self.aside = {}
        self.restart_average()

    def remove_idle(self, threshold: float, frees: float, most: float) -> None:
        """Take channels out of the network whose gains are at most a threshold; see `actions.RemoveIdle`.

        Batch norms behind them have seen other inputs: their statistics are computed anew.
        """
        assert self.removed is not None
        assert self.parametrised.gains is not None
        gains = self.parametrised.gains()
        dead = self.removed.chosen(gains, self.masks, threshold, frees, most)
        if dead is None:
            return
        self.cut(dead)
        self.removed.note(self.step, gains)
        if self.job.batches is not None and self.trainable.batch_norm == "updated":
            assert isinstance(self.trainable.network, Network)
            recalibrate(self.trainable.network, self.job.batches.chosen(CALIBRATION_EXAMPLES, self.training.batch_size))

    @torch.no_grad()
    def cut(self, dead: Mapping[str, Tensor]) -> None:
        """Take channels out, bool by coupling, and go on with what is left: weights, slots, masks, average."""
        assert self.removed is not None
        before, slots = self.removed.places(), dict(self.optimiser.state)
        states = {name: slots.get(parameter, {}) for name, parameter in self.parameters.items()}
        averages = self.average.state() if self.average is not None else {}
        shapes = {name: parameter.shape for name, parameter in self.parameters.items()}
        self.removed.cut(dead)
        after = self.removed.places()

        def left(name: str, tensor: Tensor) -> Tensor:
            return left_after_cut(tensor, before[name], after[name])

        self.couplings = self.removed.couplings
        self.parametrise()
        for name, state in states.items():
            for slot, value in state.items():
                own = torch.is_tensor(value) and value.shape == shapes[name]
                self.optimiser.state[self.parameters[name]][slot] = left(name, value) if own else value
        self.masks = {name: left(name, mask) for name, mask in self.masks.items()}
        self.aside = {name: left(name, value) for name, value in self.aside.items()}
        if self.average is not None:
            self.average.load_state({name: left(name, value) for name, value in averages.items()})
        self.applier = MaskApplier(self.parameters, self.masks)

    @contextmanager
    def whole(self) -> Iterator[Masks]:
        """Put the whole network in place for the duration, if channels are gone; yield the masks over it."""
        if self.removed is None:
            yield self.masks
            return
        with self.removed.undone(self.masks) as masks:
            yield masks

    def make_whole(self) -> Masks:
        """Put the whole network in place, as the training is over; return the masks over it."""
        return self.masks if self.removed is None else self.removed.undo(self.masks)

    @torch.no_grad()
    def settle(self, sparsity: float) -> None:
        """Remove for good, for a ticket of this sparsity, what was masked in the forward pass alone."""
        if self.parametrised.revives:
            if self.average is not None:
                self.average.apply()
            self.masks = self.select(sparsity)
            if self.parametrised.settle is not None:
                self.parametrised.settle()
                self.tell_of_zeros()
            MaskApplier(self.parameters, self.masks).apply_to_weights()
            self.restart_average()

    def tell_of_zeros(self) -> None:
        """Warn of weights that a ticket keeps although training has removed them."""
        idle = sum(int((weight[self.masks[name]] == 0).sum()) for name, weight in self.weights().items())
        if idle:
            _log.warning(
                "%s of the weights that the ticket keeps are zero: training removed more than was asked for; leave "
                "sparsity out to take what it removed, or lower its weight decay",
                f"{idle:,}",
            )

    @torch.no_grad()
    def rewind(self) -> None:
        """Return to the draw's rewind point; optimiser and schedule restart, masks stay in force."""
        self.drawing.rewind.restore(self.body, start=self.start, kept=self.rewind_point, seed=self.seed)
        self.applier.apply_to_weights()
        self.optimiser = self.fresh_optimiser()
        self.round_start = self.step
        self.restart_average()

    def finish(self) -> None:
        """Go on with the events at the end of the plan, without the training steps that are left."""
        self.is_finished = True

    def remember_rewind_point(self) -> None:
        """Keep the weights as they are now, as the point to which the draw's rewind returns."""
        self.rewind_point = copied(self.body.state_dict())

    def restart_average(self) -> None:
        """Restart the moving average at the current weights."""
        if self.average is not None:
            self.average.restart()

    def state(self) -> dict[str, Any]:
        """Return everything a checkpoint must keep."""
        return {
            "step": self.step,
            "round_start": self.round_start,
            "module": self.parametrised.module.state_dict(),
            "masks": self.masks,
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.state() if self.average is not None else {},
            "rewind_point": self.rewind_point,
            "history": self.history.state(),
            "aside": self.aside,
            "gone": self.removed.gone if self.removed is not None else {},
            "removals": [tuple(one) for one in self.removals],
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Resume from a checkpoint."""
        gone = {name: dead for name, dead in state.get("gone", {}).items() if dead.any()}
        if gone:
            self.cut(gone)
            self.removals.extend(ChannelRemoval(*one) for one in state["removals"])
        self.step, self.round_start = state["step"], state["round_start"]
        self.masks = {name: mask.to(self.parameters[name].device) for name, mask in state["masks"].items()}
        self.applier = MaskApplier(self.parameters, {} if self.parametrised.revives else self.masks)
        self.parametrised.module.load_state_dict(state["module"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            self.average.load_state(state["average"])
        self.rewind_point = state["rewind_point"]
        self.aside = {name: value.to(self.parameters[name].device) for name, value in state.get("aside", {}).items()}
        if "history" in state:  # not in checkpoints of versions that compared no draws
            self.history.load_state(state["history"])


def copied(state: Mapping[str, Tensor]) -> State:
    """Return copies of tensors."""
    return {name: value.detach().clone() for name, value in state.items()}
