"""The one training loop: steps, and between them the events of a timeline.

Pretraining is a plan without events or masks; transfer, one without events under a ticket's masks; every
way of drawing a ticket, a plan with events. The loop knows none of them by name.
"""

import bisect
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import generator, seed_default
from robust_tickets.measures.predict import evaluation_mode
from robust_tickets.pruning.actions import Rewind
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.plans import Event, Plan, steps_of
from robust_tickets.training.batch_source import BatchSource, ImageBatches
from robust_tickets.training.checkpoints import load_checkpoint, save_checkpoint
from robust_tickets.training.criterion import mix
from robust_tickets.training.determinism import deterministic
from robust_tickets.training.kept import Kept, check_selection
from robust_tickets.training.lone_images import require_pairs_of_images
from robust_tickets.training.metrics import MetricsLog
from robust_tickets.training.overfitting import OverfittingCheck, first_collapse, warning
from robust_tickets.training.placement import Placement, memory_format
from robust_tickets.training.precision import Resolved, autocast, resolved
from robust_tickets.training.processes import accelerator
from robust_tickets.training.progress import progress
from robust_tickets.training.schedules import rate_factor
from robust_tickets.training.settings import Training
from robust_tickets.training.subject import Subject
from robust_tickets.training.task import Classification, Task
from robust_tickets.training.trainee import Drawing, Trainee, copied, rewind_step
from robust_tickets.training.validation import validate

logger = logging.getLogger("robust_tickets")

STEPS_BETWEEN_CHECKS = 16
"""On an accelerator the loss is fetched, and checked for being finite, once in so many steps."""


@dataclass(frozen=True)
class Fit:
    """What a training came to; the subject's weights are changed in place."""

    masks: Masks
    steps: int
    """Training steps done; fewer than planned where patience ran out."""
    validation: float | None
    """Validation score of the weights kept: the task's, or that under attack where the objective is adversarial."""
    history: list[dict[str, Any]]
    catastrophic_overfitting: float | None = None
    """Epoch at which training against a single step was found to have collapsed; None where it was not."""


OnTicket = Callable[[Event, Masks], None]


def fit(
    subject: Subject,
    batches: BatchSource | None,
    training: Training,
    plan: Plan,
    *,
    seed: int,
    masks: Masks | None = None,
    drawing: Drawing | None = None,
    classes: int = 0,
    task: Task | None = None,
    folder: Path | None = None,
    title: str = "training",
    on_ticket: OnTicket | None = None,
) -> Fit:
    """Train a subject along a plan.

    Args:
        subject: the network; its weights, buffers and head are changed in place.
        batches: training and validation batches; None where the plan has no steps.
        training: optimiser, schedule, objective, precision and the rest.
        plan: how many steps, and which events between them.
        seed: of the run; order, noise, dropout and ties have streams of their own under it.
        masks: in force from the start, by parameter name; none are needed without a ticket.
        drawing: selection, parametrisation and rewind point of the plan's events.
        classes: number of classes, for mixed labels.
        task: what a label is; without it, the class of an image.
        folder: keeps `checkpoint.pt` and `metrics.jsonl`; a second call goes on from there, bit for bit
            (of several processes under free training, all go on with the first one's perturbation).
        title: what the progress display calls this training.
        on_ticket: called at every event that leaves a ticket, with the masks; weights are in the subject.

    Raises:
        UserError: the loss is not finite, a checkpoint is damaged, the disk is full, or epochs are to be
            selected without a validation part, or where events decide, or a batch norm would see one image alone.
    """
    with deterministic():
        loop = Loop(
            subject,
            batches,
            training,
            plan,
            seed,
            masks or {},
            drawing or Drawing(),
            classes,
            task or Classification(),
            folder,
        )
        return loop.run(title, on_ticket or (lambda event, masks: None))


class Loop:
    """The state of one call of `fit`."""

    def __init__(
        self,
        subject: Subject,
        batches: BatchSource | None,
        training: Training,
        plan: Plan,
        seed: int,
        masks: Masks,
        drawing: Drawing,
        classes: int,
        task: Task,
        folder: Path | None,
    ) -> None:
        if plan.steps and (batches is None or not batches.per_epoch):
            raise UserError("training needs data: the training part holds fewer than two images a step")
        check_selection(training, batches, plan)
        if isinstance(batches, ImageBatches):
            require_pairs_of_images(subject, batches.data, training)
        self.subject, self.batches, self.training, self.plan = subject, batches, training, plan
        self.seed, self.classes, self.folder, self.task = seed, classes, folder, task
        self.per_epoch = batches.per_epoch if batches is not None else 1
        self.accelerator = accelerator()
        self.device = self.accelerator.device
        subject.network.to(self.device)
        self.trainee = Trainee(subject, training, {n: m.to(self.device) for n, m in masks.items()}, drawing, seed)
        self.network = self.accelerator.prepare_model(self.trainee.network)
        self.objective = training.objective.build()
        self.criterion = task.criterion(training)
        self.precision: Resolved = resolved(training.precision, self.trainee.network, self.device)
        self.placement = Placement(self.device, memory_format(self.trainee.network, self.device, self.precision))
        self.kept = Kept(training)
        self.overfitting = OverfittingCheck(training, batches, seed, task.score)
        logs = folder if self.accelerator.is_main_process else None
        self.log = MetricsLog(logs / "metrics.jsonl" if logs is not None else None)
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self.loss_count = 0
        self.pending: list[tuple[int, Tensor]] = []
        self.events = {step: [e for e in plan.events if e.step == step] for step in {e.step for e in plan.events}}
        self.round_ends = sorted(
            {plan.steps, *(e.step for e in plan.events if any(isinstance(a, Rewind) for a in e.actions))}
        )
        self.rewind_step = rewind_step(drawing.rewind, self.per_epoch)

    def run(self, title: str, on_ticket: OnTicket) -> Fit:
        """Do the plan from the start, or from the checkpoint of a run that was cut off."""
        self.resume()
        stream = self.stream()
        saved = time.monotonic()
        with progress(title, self.plan.steps, self.trainee.step) as display:
            for step in range(self.trainee.step, self.plan.steps):
                images, labels = self.placement(*next(stream))
                self.fire(step, on_ticket, images, labels)
                if step == self.rewind_step and self.trainee.rewind_point is None:
                    self.agree_on_buffers()
                    self.trainee.remember_rewind_point()
                self.train_step(images, labels)
                self.trainee.step += 1
                if self.is_validation_due():
                    self.validate()
                    if self.kept.is_exhausted:
                        break
                if self.folder is not None and time.monotonic() - saved >= self.training.checkpoint_seconds:
                    self.checkpoint()
                    saved = time.monotonic()
                display.advance(len(images) * self.accelerator.num_processes, self.note())
        self.check_losses()
        if self.trainee.step == self.plan.steps:
            self.fire(self.plan.steps, on_ticket)
        self.take_kept_weights()
        self.network.eval()
        collapse = first_collapse(self.log.rows)
        return Fit(self.trainee.masks, self.trainee.step, self.kept.score, self.log.rows, collapse)

    def stream(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the training batches from the current step on, epoch after epoch."""
        assert self.batches is not None
        while True:
            epoch, start = divmod(self.trainee.step, self.per_epoch)
            yield from self.batches.train(epoch, start)

    def fire(self, step: int, on_ticket: OnTicket, images: Tensor | None = None, labels: Tensor | None = None) -> None:
        """Apply the events that stand before training step `step`, in order."""
        if step in self.events:
            self.agree_on_buffers()
        for event in self.events.get(step, ()):
            if images is not None and labels is not None:
                self.trainee.dense_gradients = lambda: self.dense_gradients(images, labels)
            for action in event.actions:
                action.apply(self.trainee)
            self.trainee.dense_gradients = None
            if event.ticket:
                with self.averaged():
                    on_ticket(event, self.trainee.masks)

    def train_step(self, images: Tensor, labels: Tensor) -> None:
        """Take the optimiser steps of one batch: one, or as many as the objective yields losses."""
        step = self.trainee.step
        self.set_rate()
        images, labels = mix(images, labels, self.classes, self.training, self.seed, step)
        self.subject.train_mode(self.network)
        for own in self.backward_losses(images, labels, "attack"):
            loss = self.mean(own)
            self.pending.append((step, loss))
            if self.device.type == "cpu" or len(self.pending) >= STEPS_BETWEEN_CHECKS:
                self.check_losses()
            self.loss_sum += loss
            self.loss_count += 1
            self.update()

    def set_rate(self) -> None:
        """Set the learning rates of this step by the schedule, which began with the last rewind."""
        start = self.trainee.round_start
        end = self.round_ends[min(bisect.bisect_right(self.round_ends, start), len(self.round_ends) - 1)]
        warmup = steps_of(self.training.warmup, self.per_epoch)
        factor = rate_factor(self.training.schedule, warmup, self.trainee.step - start, end - start)
        for group in self.trainee.optimiser.param_groups:
            group["lr"] = group["peak_lr"] * factor

    def backward_losses(self, images: Tensor, labels: Tensor, stream: str) -> Iterator[Tensor]:
        """Yield each loss of the objective with the gradients of the whole batch in place."""
        parts = list(zip(images.chunk(self.training.accumulate), labels.chunk(self.training.accumulate), strict=True))
        place = (self.trainee.step, self.accelerator.process_index)
        losses = [
            self.objective.losses(
                self.network, x, y, self.criterion, generator(self.seed, stream, *place, number, device=self.device)
            )
            for number, (x, y) in enumerate(parts)
        ]
        seed_default(self.device, self.seed, "dropout", stream, *place)
        while True:
            self.trainee.optimiser.zero_grad(set_to_none=True)
            total: Tensor | None = None
            for (part, _), iterator in zip(parts, losses, strict=True):
                with autocast(self.precision, self.device):
                    loss = next(iterator, None)
                if loss is None:
                    continue
                share = loss * (len(part) / len(images))
                self.accelerator.backward(share)
                total = share.detach() if total is None else total + share.detach()
            if total is None:
                return
            yield total

    def update(self) -> None:
        """Step the optimiser; what is masked neither moves nor gathers momentum."""
        trainee = self.trainee
        trainee.applier.apply_to_gradients()
        if self.training.clip_norm:
            parameters = [p for group in trainee.optimiser.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, self.training.clip_norm)
        trainee.optimiser.step()
        trainee.applier.apply_to_weights()
        if trainee.average is not None:
            trainee.average.update()

    def dense_gradients(self, images: Tensor, labels: Tensor) -> Mapping[str, Tensor]:
        """Return the unmasked gradients on a batch; weights, buffers and the objective's state stay as they are."""
        body = self.subject.body
        buffers = copied(dict(body.named_buffers()))
        kept = self.objective.state()
        self.subject.train_mode(self.network)
        next(iter(self.backward_losses(images, labels, "growth")))
        gradients: dict[str, Tensor] = {}
        for name in self.trainee.prunable:
            gradient = self.trainee.parameters[name].grad
            assert gradient is not None
            gradients[name] = gradient.detach().clone()
        self.trainee.optimiser.zero_grad(set_to_none=True)
        with torch.no_grad():
            for name, buffer in body.named_buffers():
                buffer.copy_(buffers[name])
        self.objective.load_state(kept)
        return gradients

    def check_losses(self) -> None:
        """Stop at the first loss that is not finite.

        Raises:
            UserError: says at which step, and which checkpoint is the last good one.
        """
        # One answer is waited for, not one a loss.
        are_finite = torch.stack([loss for _, loss in self.pending]).isfinite().tolist() if self.pending else []
        for (step, loss), is_finite in zip(self.pending, are_finite, strict=True):
            if not is_finite:
                checkpoint = self.folder / "checkpoint.pt" if self.folder is not None else None
                kept = f"the last good checkpoint is {checkpoint}" if checkpoint and checkpoint.exists() else ""
                rate = self.training.optimiser.lr
                raise UserError(
                    f"the loss became {loss.item()} at step {step} (epoch {step // self.per_epoch}); lower "
                    f"training.optimiser.lr (now {rate:g}) or set clip_norm{'; ' * bool(kept)}{kept}"
                )
        self.pending.clear()

    def mean(self, loss: Tensor) -> Tensor:
        """Return the mean of a loss over all processes."""
        if self.accelerator.num_processes > 1:
            torch.distributed.all_reduce(loss)
            loss /= self.accelerator.num_processes
        return loss

    def agree_on_buffers(self) -> None:
        """Give every process the first one's batch-norm statistics, as the next forward pass would."""
        if self.accelerator.num_processes > 1:
            for buffer in self.subject.body.buffers():
                torch.distributed.broadcast(buffer, 0)

    def is_validation_due(self) -> bool:
        """Say whether the step just done ends a validation period."""
        every = max(1, steps_of(self.training.validate_every, self.per_epoch))
        return self.trainee.step % every == 0 or self.trainee.step == self.plan.steps

    def validate(self) -> None:
        """Measure the weights on the validation part, log a row, and keep them where they are the best so far."""
        self.check_losses()
        self.agree_on_buffers()
        assert self.batches is not None
        with self.averaged():
            with evaluation_mode(self.trainee.network, self.device) as predict:
                found = validate(predict, self.batches.validation(), self.training, self.seed, self.task.score)
                since_rewind = [row for row in self.log.rows if row["step"] > self.trainee.round_start]
                scores = found.row | self.overfitting.measure(predict, since_rewind)
            self.kept.offer(found.selects, self.subject.body.state_dict())
        row = {
            "step": self.trainee.step,
            "epoch": self.trainee.step / self.per_epoch,
            "loss": self.loss_sum.item() / max(1, self.loss_count),
            "lr": self.trainee.optimiser.param_groups[0]["lr"],
            **scores,
        }
        self.loss_sum.zero_()
        self.loss_count = 0
        if row.get("catastrophic_overfitting") and first_collapse(self.log.rows) is None:
            logger.warning("%s", warning([*since_rewind, row], self.task.score))
        self.log.write(row)

    def averaged(self) -> AbstractContextManager[None]:
        """Return a context in which the moving average, if there is one, is in the place of the weights."""
        return self.trainee.average.applied() if self.trainee.average is not None else nullcontext()

    def take_kept_weights(self) -> None:
        """End on the best weights, the average or the last, as the training asks."""
        if self.kept.best is not None:
            self.subject.body.load_state_dict(self.kept.best)
        elif self.trainee.average is not None:
            self.trainee.average.apply()

    def note(self) -> str:
        """Return the newest validation score for the progress display."""
        return f"validation {100 * self.kept.last_score:.1f} %" if self.kept.last_score is not None else ""

    def checkpoint(self) -> None:
        """Write everything that going on from here needs."""
        self.check_losses()
        if self.folder is None or not self.accelerator.is_main_process:
            return
        state = {
            "trainee": self.trainee.state(),
            "objective": self.objective.state(),
            "kept": self.kept.state(),
            "loss_sum": self.loss_sum,
            "loss_count": self.loss_count,
            "rows": self.log.rows,
        }
        save_checkpoint(self.folder / "checkpoint.pt", state)

    def resume(self) -> None:
        """Take up the checkpoint in the folder, if there is one."""
        state = load_checkpoint(self.folder / "checkpoint.pt") if self.folder is not None else None
        if state is None:
            self.log.resume(())
            return
        self.trainee.load_state(state["trainee"])
        self.objective.load_state(state["objective"])
        self.kept.load_state(state["kept"])
        self.loss_sum.copy_(state["loss_sum"])
        self.loss_count = state["loss_count"]
        self.log.resume(state["rows"])
