"""The state of one training, which is all that the events of a timeline may touch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from robust_tickets.foundation.seeds import global_stream
from robust_tickets.pruning.applier import MaskApplier
from robust_tickets.pruning.couplings import Coupling
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.parametrisations import AnyParametrisation, Fixed
from robust_tickets.pruning.plans import steps_of
from robust_tickets.pruning.rewinds import AnyRewind, Pretrained
from robust_tickets.pruning.select import Selection
from robust_tickets.training.averaging import WeightAverage
from robust_tickets.training.optimisers import parameter_groups
from robust_tickets.training.settings import Training
from robust_tickets.training.subject import Subject

State = dict[str, Tensor]


@dataclass(frozen=True)
class Drawing:
    """What the events of a timeline need to know to select and to rewind."""

    selection: Selection = field(default_factory=Selection)
    couplings: tuple[Coupling, ...] = ()
    parametrisation: AnyParametrisation = field(default_factory=Fixed)
    rewind: AnyRewind = field(default_factory=Pretrained)
    sparsity: float = 0.0
    """The final target, at which a learned mask trains."""


class Trainee:
    """Network, masks, optimiser and average of one training."""

    def __init__(self, subject: Subject, training: Training, masks: Masks, drawing: Drawing, seed: int) -> None:
        """Make the subject ready for training.

        Args:
            subject: the network; which of its parameters train, and which are its head.
            training: optimiser and average.
            masks: in force from the start, over the prunable weights (and followers).
            drawing: selection, parametrisation and rewind point; unused where the plan has no events.
            seed: of the run.
        """
        self.subject, self.training, self.drawing, self.seed = subject, training, drawing, seed
        self.prunable = tuple(masks)
        self.start: State = copied(subject.body.state_dict())
        self.rewind_point: State | None = None
        self.round_start = 0
        self.step = 0
        self.dense_gradients: Callable[[], Mapping[str, Tensor]] | None = None
        self.parametrised = drawing.parametrisation.build(
            subject.network,
            subject.body,
            self.prunable,
            selection=drawing.selection,
            sparsity=drawing.sparsity,
            couplings=drawing.couplings,
            is_head=subject.is_head,
            seed=seed,
        )
        self.network = self.parametrised.module
        self.optimiser = self.fresh_optimiser()
        self.average = WeightAverage(subject.body, training.ema) if training.ema else None
        self.masks: Masks = {name: torch.ones_like(mask) for name, mask in masks.items()}
        self.parameters = dict(subject.body.named_parameters())
        self.set_masks(masks)

    def fresh_optimiser(self) -> torch.optim.Optimizer:
        """Return an optimiser without history over everything that trains."""
        named = [(name, p) for name, p in self.parametrised.trainable_parameters() if p.requires_grad]
        settings = self.training.optimiser
        is_head = [self.subject.is_head(name) for name, _ in named]
        return settings.build(parameter_groups(named, settings, is_head=is_head, head_lr=self.training.head_lr))

    def weights(self) -> Mapping[str, Tensor]:
        """Return the prunable weights as they are now."""
        return {name: self.parameters[name].detach() for name in self.prunable}

    def gradients(self) -> Mapping[str, Tensor]:
        """Return dense, unmasked gradients of the prunable weights on the coming batch."""
        if self.dense_gradients is None:
            raise RuntimeError("gradients are known only at an event before a training step")
        return self.dense_gradients()

    def learned_scores(self) -> Mapping[str, Tensor]:
        """Return the scores that the parametrisation has learned."""
        return self.parametrised.scores()

    def select(self, sparsity: float) -> Masks:
        """Return masks of this sparsity by the draw's selection, within the masks in force."""
        return self.drawing.selection.select(
            self.weights(),
            sparsity=sparsity,
            masks=self.masks,
            couplings=self.drawing.couplings,
            statistics=self,
            seed=self.seed,
        )

    @torch.no_grad()
    def set_masks(self, masks: Masks) -> None:
        """Put masks in force; removed weights, and the optimiser's slots of changed positions, become zero."""
        for name, mask in masks.items():
            parameter = self.parameters[name]
            before = self.masks.get(name)
            unchanged = mask if before is None else mask == before
            if not bool(unchanged.all()):
                for slot in self.optimiser.state.get(parameter, {}).values():
                    if torch.is_tensor(slot) and slot.shape == parameter.shape:
                        slot.mul_(unchanged.to(slot.device))
        self.masks = dict(masks)
        self.applier = MaskApplier(self.parameters, self.masks)
        self.applier.apply_to_weights()
        self.restart_average()

    @torch.no_grad()
    def rewind(self) -> None:
        """Return to the draw's rewind point; optimiser and schedule start afresh, masks stay in force."""
        match self.drawing.rewind.kind:
            case "pretrained":
                self.subject.body.load_state_dict(self.start)
            case "step":
                if self.rewind_point is None:
                    raise RuntimeError("rewound before the rewind point was reached")
                self.subject.body.load_state_dict(self.rewind_point)
            case "reinitialised":
                reinitialise(self.subject.body, self.seed)
            case "none":
                pass
        self.applier.apply_to_weights()
        self.optimiser = self.fresh_optimiser()
        self.round_start = self.step
        self.restart_average()

    def remember_rewind_point(self) -> None:
        """Keep the weights as they are now as the point to which `rewind: step` returns."""
        self.rewind_point = copied(self.subject.body.state_dict())

    def restart_average(self) -> None:
        """Let the moving average begin anew at the current weights."""
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
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up a checkpoint."""
        self.step, self.round_start = state["step"], state["round_start"]
        self.masks = {name: mask.to(self.parameters[name].device) for name, mask in state["masks"].items()}
        self.applier = MaskApplier(self.parameters, self.masks)
        self.parametrised.module.load_state_dict(state["module"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.average is not None:
            self.average.load_state(state["average"])
        self.rewind_point = state["rewind_point"]


def copied(state: Mapping[str, Tensor]) -> State:
    """Return copies of tensors."""
    return {name: value.detach().clone() for name, value in state.items()}


def rewind_step(rewind: AnyRewind, per_epoch: int) -> int | None:
    """Return the training step whose weights `rewind: step` returns to; None for the other rewinds."""
    if rewind.kind != "step":
        return None
    return rewind.steps if rewind.epochs is None else steps_of(rewind.epochs, per_epoch)


def reinitialise(body: nn.Module, seed: int) -> None:
    """Draw all weights anew by each layer's own initialisation, from the stream `reinitialised` of `seed`."""
    with global_stream(seed, "reinitialised"):
        for module in body.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
