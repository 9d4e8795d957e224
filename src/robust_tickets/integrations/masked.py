"""Your own training loop: a ticket's zeros stay exact, whatever the optimiser does."""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.hooks import RemovableHandle

from robust_tickets.foundation.errors import UserError
from robust_tickets.integrations.placement import AnyTicket, masked_parameters, masks_of


class MaskedTraining:
    """A ticket's masks in force on a model, between `hold` and `release`, or inside a `with` statement.

    Removed weights are set to zero at once and after each optimiser step. Their gradients are set to zero as they are
    accumulated, so that clipping norms, momentum and second moments do not see them. Nothing is added to the
    model or to its forward pass; its state dict stays plain.
    """

    def __init__(
        self,
        model: nn.Module,
        ticket: AnyTicket,
        optimizers: Iterable[Any] = (),
        copies: Iterable[nn.Module] = (),
    ) -> None:
        """Find the parameters; see `masked` for the arguments."""
        masks = masks_of(ticket)
        self._parameters = masked_parameters(model, masks)
        self._removed = {name: ~mask for name, mask in masks.items() if not bool(mask.all())}
        self._copies = [masked_parameters(copy, masks) for copy in copies]
        self._optimizers = [bare_optimizer(optimizer) for optimizer in optimizers]
        self._handles: list[RemovableHandle] = []
        trained = {
            id(parameter) for one in self._optimizers for group in one.param_groups for parameter in group["params"]
        }
        if (
            self._optimizers
            and self._removed
            and not any(id(self._parameters[name]) in trained for name in self._removed)
        ):
            raise UserError("the optimiser trains none of the parameters that the ticket masks; give the one that does")

    def hold(self) -> Self:
        """Put the masks in force; calling it again does no harm."""
        if self._handles:
            return self
        self.apply()
        self._clear_slots()
        for name in self._removed:
            if (parameter := self._parameters[name]).requires_grad:
                hook = self._gradient_hook(name)
                self._handles.append(parameter.register_post_accumulate_grad_hook(hook))
        if not self._optimizers:
            self._handles.append(register_optimizer_step_post_hook(self._after_step))
        for optimizer in self._optimizers:
            # A parameter that was frozen at first has no hook yet.
            self._handles.append(optimizer.register_step_pre_hook(lambda *_: self._clear_gradients()))
            self._handles.append(optimizer.register_step_post_hook(self._after_step))
        return self

    def release(self) -> None:
        """Leave the model as it is, its zeros exact, to train as it would without masks."""
        if self._handles:
            self.apply()
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    @torch.no_grad()
    def apply(self) -> None:
        """Set removed weights to zero, in place, in the model and in its copies."""
        for parameters in (self._parameters, *self._copies):
            for name in self._removed:
                parameters[name].masked_fill_(self._of(name, parameters[name]), 0)

    def __enter__(self) -> Self:
        return self.hold()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        removed = sum(int(gone.sum()) for gone in self._removed.values())
        total = sum(parameter.numel() for parameter in self._parameters.values())
        state = "held" if self._handles else "not held"
        return f"MaskedTraining({removed} of {total} weights in {len(self._parameters)} tensors removed, {state})"

    def _of(self, name: str, parameter: Tensor) -> Tensor:
        """Return where a parameter is zero, on its device, to which the model may have moved."""
        if self._removed[name].device != parameter.device:
            self._removed[name] = self._removed[name].to(parameter.device)
        return self._removed[name]

    def _gradient_hook(self, name: str) -> Callable[[Tensor], None]:
        @torch.no_grad()
        def clear(parameter: Tensor) -> None:
            # Filled, not multiplied: an infinite gradient times zero would be NaN.
            if parameter.grad is not None:
                parameter.grad.masked_fill_(self._of(name, parameter), 0)

        return clear

    @torch.no_grad()
    def _clear_gradients(self) -> None:
        for name in self._removed:
            if (gradient := self._parameters[name].grad) is not None:
                gradient.masked_fill_(self._of(name, gradient), 0)

    @torch.no_grad()
    def _clear_slots(self) -> None:
        """Let momentum and second moments of an optimiser that has trained before forget removed weights."""
        for optimizer in self._optimizers:
            for name in self._removed:
                parameter = self._parameters[name]
                for slot in optimizer.state.get(parameter, {}).values():
                    if torch.is_tensor(slot) and slot.shape == parameter.shape:
                        slot.masked_fill_(self._of(name, slot), 0)

    def _after_step(self, *_: Any) -> None:
        self.apply()


def masked(model: nn.Module, ticket: AnyTicket, *optimizers: Any, copies: Iterable[nn.Module] = ()) -> MaskedTraining:
    """Keep a ticket's zeros exact while your own loop trains the model.

    ```python
    with rt.masked(model, ticket, optimizer):
        for images, labels in loader:
            ...
            optimizer.step()
    ```

    Any torch optimiser works, with momentum, weight decay, fused or foreach, parameter groups, gradient accumulation,
    clipping and GradScaler.

    Args:
        model: the network that the ticket was drawn from, with any head, or what contains it: compiled, in DDP, as
            part of a larger module. Its weights are those to start from: `ticket.subnetwork()`, or your own.
        ticket: a ticket, its folder, or masks: parameter name -> bool tensor, True = kept.
        optimizers: the optimisers of the model; without any, masks are applied after each step of every optimiser in
            the process.
        copies: further modules with the same names whose removed weights are kept at zero: averages of weights (EMA).

    Raises:
        UserError: the masks do not fit the model, or an optimiser trains none of its masked parameters or is not
            torch's.
    """
    return MaskedTraining(model, ticket, optimizers, copies)


def bare_optimizer(optimizer: Any) -> torch.optim.Optimizer:
    """Return torch's optimiser inside what Accelerate and Lightning put around it.

    Raises:
        UserError: there is none.
    """
    inner = optimizer
    # Accelerate's wrapper is an Optimizer by inheritance, but has none of its hooks.
    while (wrapped := getattr(inner, "optimizer", None)) is not None:
        inner = wrapped
    if not isinstance(inner, torch.optim.Optimizer):
        raise UserError(
            f"{type(optimizer).__name__} is not one of torch's optimisers; leave it out, and after each of its steps "
            "call `apply()` of the object that rt.masked returns"
        )
    return inner
