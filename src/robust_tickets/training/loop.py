"""The one training loop: steps, and between them the events of a timeline.

Pretraining is a plan without events or masks; transfer, one without events under a ticket's masks; every
way of drawing a ticket, a plan with events. The loop knows none of them by name.
"""

import bisect
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from robust_tickets.attacks.predict import evaluation_mode
from robust_tickets.foundation.batch import Batch
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.kept_memory import kept_memory
from robust_tickets.foundation.seeds import generator, seed_default
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.plans import Event, steps_of
from robust_tickets.training.batch_source import Batches
from robust_tickets.training.checkpoints import load_checkpoint, save_checkpoint
from robust_tickets.training.determinism import deterministic
from robust_tickets.training.in_training import NetworkInTraining, copied
from robust_tickets.training.job import Job
from robust_tickets.training.kept import KeptWeights
from robust_tickets.training.metrics import MetricsLog
from robust_tickets.training.overfitting import OverfittingWatch, first_collapse, warning
from robust_tickets.training.placement import BatchPlacement, memory_format
from robust_tickets.training.precision import Resolved, autocast, resolved
from robust_tickets.training.preview import show
from robust_tickets.training.processes import accelerator
from robust_tickets.training.progress import progress
from robust_tickets.training.result import TrainingResult
from robust_tickets.training.schedules import rate_factor
from robust_tickets.training.steadiness import VARIANCE, Steadiness
from robust_tickets.training.targets import mix
from robust_tickets.training.validation import validate

logger = logging.getLogger("robust_tickets")

STEPS_BETWEEN_CHECKS = 16
"""On an accelerator the loss is fetched, and checked for being finite, once every so many steps."""


class Work(NamedTuple):
    """What led to a ticket, what was done before an interruption included."""

    steps: int
    """Training steps: fewer than the plan has before the event, where an earlier event ended the training."""
    seconds: float


OnTicket = Callable[[Event, Masks, Work], None]
"""What is called with an event that leaves a ticket, its masks, and the work that led there."""


def fit(job: Job, on_ticket: OnTicket | None = None) -> TrainingResult:
    """Do a job: train its network along its plan.

    Args:
        job: what is trained, and how; see `Job`.
        on_ticket: called at every event that leaves a ticket, with the masks and the work that it took; weights are in
            the job's network.

    Raises:
        UserError: the loss is not finite, a checkpoint is damaged, the disk is full, or what `Job.require` refuses.
    """
    with deterministic(), kept_memory():
        return TrainingLoop(job).run(on_ticket or (lambda event, masks, work: None))


class TrainingLoop:
    """The state of one call of `fit`."""

    def __init__(self, job: Job) -> None:
        job.require()
        training, batches = job.training, job.batches
        self.job, self.batches, self.training, self.plan = job, batches, training, job.plan
        self.seed, self.folder, self.metric = job.seed, job.folder, job.task.metric(job.classes)
        self.per_epoch = batches.per_epoch if batches is not None else 1
        self.accelerator = accelerator()
        self.device = self.accelerator.device
        teacher = job.imitated()
        self.trainee = NetworkInTraining(job, self.device)
        self.network = self.accelerator.prepare_model(self.trainee.network)
        self.objective = training.objective.build(
            self.trainee.body, teacher.to(self.device) if teacher is not None else None
        )
        self.criterion = job.task.criterion(training.label_smoothing)
        self.precision: Resolved = resolved(training.precision, self.trainee.network, self.device)
        self.placement = BatchPlacement(self.device, memory_format(self.trainee.network, self.device, self.precision))
        self.kept = KeptWeights(training, self.metric)
        self.steadiness = Steadiness(training.window) if "pictures" in job.task.provides else None
        self.overfitting = OverfittingWatch(training, batches, job.seed, self.metric, self.criterion.aim)
        logs = job.folder if self.accelerator.is_main_process else None
        self.log = MetricsLog(logs / "metrics.jsonl" if logs is not None else None)
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self.loss_count = 0
        self.started, self.earlier = time.monotonic(), 0.0
        self.pending: list[tuple[int, Tensor]] = []
        events = job.plan.events
        self.events = {step: [e for e in events if e.step == step] for step in {e.step for e in events}}
        self.round_ends = sorted({job.plan.steps, *(event.step for event in events if event.rewinds)})
        self.kept_step = job.drawing.rewind.kept_step(self.per_epoch)

    def run(self, on_ticket: OnTicket) -> TrainingResult:
        """Do the plan from the start, or from the checkpoint of a run that was interrupted."""
        self.resume()
        stream = self.stream()
        saved = time.monotonic()
        with progress(self.job.title, self.plan.steps, self.trainee.step, noun=self.job.noun) as display:
            for step in range(self.trainee.step, self.plan.steps):
                batch = self.job.task.asking(self.placement(Batch(*next(stream))))
                self.fire(step, on_ticket, batch)
                if self.trainee.is_finished:
                    break
                if step == self.kept_step and self.trainee.rewind_point is None:
                    self.agree_on_buffers()
                    self.trainee.remember_rewind_point()
                self.train_step(batch)
                self.trainee.step += 1
                if self.is_validation_due():
                    self.validate()
                    if self.kept.is_exhausted or self.fits():
                        break
                if self.folder is not None and time.monotonic() - saved >= self.training.checkpoint_seconds:
                    self.checkpoint()
                    saved = time.monotonic()
                display.advance(batch.count * self.accelerator.num_processes, self.note())
        self.require_finite_losses()
        if self.trainee.step == self.plan.steps or self.trainee.is_finished:
            self.prune_the_best()
            self.fire(self.plan.steps, on_ticket)
        self.take_kept_weights()
        self.network.eval()
        masks = self.trainee.make_whole()
        collapse = first_collapse(self.log.rows)
        distances = tuple(self.trainee.history.distances)
        removals = tuple(self.trainee.removals)
        return TrainingResult(masks, self.trainee.step, self.kept.score, self.log.rows, collapse, distances, removals)

    def stream(self) -> Batches:
        """Yield the training batches from the current step on, epoch after epoch."""
        assert self.batches is not None
        while True:
            epoch, start = divmod(self.trainee.step, self.per_epoch)
            yield from self.batches.train(epoch, start)

    def fire(self, step: int, on_ticket: OnTicket, batch: Batch | None = None) -> None:
        """Apply the events that stand before training step `step`, in order."""
        if step in self.events:
            self.agree_on_buffers()
        for event in self.events.get(step, ()):
            self.trainee.dense_gradients = partial(self.dense_gradients, batch) if batch is not None else None
            for action in event.actions:
                action.apply(self.trainee)
            self.trainee.dense_gradients = None
            self.objective.after_event(rewound=event.rewinds)
            if event.ticket:
                self.trainee.settle(event.sparsity)
                with self.averaged(), self.trainee.whole() as masks:
                    on_ticket(event, masks, Work(self.trainee.step, self.seconds))

    def train_step(self, batch: Batch) -> None:
        """Take the optimiser steps of one batch: one, or as many as the objective yields losses."""
        step = self.trainee.step
        self.set_rate()
        if self.trainee.parametrised.before_step is not None:
            self.trainee.parametrised.before_step(self.plan.moment(step))
        batch = mix(batch, len(self.job.classes), self.training, self.seed, step)
        self.trainee.trainable.train_mode(self.network)
        for own in self.backward_losses(batch, "attack"):
            loss = self.mean(own)
            self.pending.append((step, loss))
            if self.device.type == "cpu" or len(self.pending) >= STEPS_BETWEEN_CHECKS:
                self.require_finite_losses()
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

    def backward_losses(self, batch: Batch, stream: str) -> Iterator[Tensor]:
        """Yield each loss of the objective with the gradients of the whole batch in place."""
        parts = batch.chunk(self.training.accumulate)
        place = (self.trainee.step, self.accelerator.process_index)
        losses = [
            self.objective.losses(
                self.network, part, self.criterion, generator(self.seed, stream, *place, number, device=self.device)
            )
            for number, part in enumerate(parts)
        ]
        seed_default(self.device, self.seed, "dropout", stream, *place)
        penalty = self.trainee.parametrised.penalty
        while True:
            self.trainee.optimiser.zero_grad(set_to_none=True)
            total: Tensor | None = None
            for part, iterator in zip(parts, losses, strict=True):
                with autocast(self.precision, self.device):
                    loss = next(iterator, None)
                if loss is None:
                    continue
                if penalty is not None:
                    # In the same backward pass, since data parallelism expects only one after each forward pass.
                    loss = loss + penalty()
                share = loss * (part.count / batch.count)
                self.accelerator.backward(share)
                total = share.detach() if total is None else total + share.detach()
            if total is None:
                return
            yield total

    def update(self) -> None:
        """Step the optimiser; masked weights neither move nor gather momentum."""
        trainee = self.trainee
        trainee.applier.apply_to_gradients()
        if self.training.clip_norm:
            parameters = [p for group in trainee.optimiser.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, self.training.clip_norm)
        trainee.optimiser.step()
        trainee.applier.apply_to_weights()
        if trainee.average is not None:
            trainee.average.update()

    def dense_gradients(self, batch: Batch) -> Mapping[str, Tensor]:
        """Return the unmasked gradients on a batch; weights, buffers and the objective's state stay as they are."""
        body = self.trainee.body
        buffers = copied(dict(body.named_buffers()))
        kept = self.objective.state()
        self.trainee.trainable.train_mode(self.network)
        next(iter(self.backward_losses(batch, "growth")))
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

    def require_finite_losses(self) -> None:
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
                raise UserError(
                    f"the loss became {loss.item()} at step {step} (epoch {step // self.per_epoch}); {self.remedy()}"
                    f"{'; ' * bool(kept)}{kept}"
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
            for buffer in self.trainee.body.buffers():
                torch.distributed.broadcast(buffer, 0)

    def is_validation_due(self) -> bool:
        """Say whether the step just done ends a validation period."""
        every = max(1, steps_of(self.training.validate_every, self.per_epoch))
        return self.trainee.step % every == 0 or self.trainee.step == self.plan.steps

    def fits(self) -> bool:
        """Say whether the mean loss since the validation before is as low as it is to be."""
        return self.training.until > 0 and self.log.rows[-1]["loss"] <= self.training.until

    def remedy(self) -> str:
        """Say what may keep the loss finite."""
        if rates := self.trainee.trainable.rates.values():
            return f"leave out the highest of rates ({max(rates):g})"
        return f"lower training.optimiser.lr (now {self.training.optimiser.lr:g}) or set clip_norm"

    def validate(self) -> None:
        """Measure the weights on the validation part, log a row, and keep them if they are the best so far."""
        self.require_finite_losses()
        self.agree_on_buffers()
        assert self.batches is not None
        with self.averaged():
            with evaluation_mode(self.trainee.network, self.device) as predict:
                images, aim = self.batches.validation(), self.criterion.aim
                found = validate(predict, images, self.training, self.seed, self.metric, aim)
                since_rewind = [row for row in self.log.rows if row["step"] > self.trainee.round_start]
                scores = found.row | self.overfitting.measure(predict, since_rewind)
                if self.steadiness is not None:
                    inputs, _ = next(iter(self.batches.chosen(1, 1)))
                    made = predict(inputs)
                    show(made)
                    scores[VARIANCE] = self.steadiness.variance(made)
            self.kept.offer(found.selects, self.trainee.trained.state_dict(), scores.get(VARIANCE))
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
            logger.warning("%s", warning([*since_rewind, row], self.metric))
        self.log.write(row)

    @property
    def seconds(self) -> float:
        """Return how long this training has taken, up to now and over all its processes that were interrupted."""
        return self.earlier + time.monotonic() - self.started

    def averaged(self) -> AbstractContextManager[None]:
        """Return a context in which the moving average, if there is one, is in the place of the weights."""
        return self.trainee.average.applied() if self.trainee.average is not None else nullcontext()

    def prune_the_best(self) -> None:
        """Put the best state in place before the events at the end, which say what becomes of it."""
        if self.plan.events and self.kept.best is not None:
            self.trainee.trained.load_state_dict(self.kept.best)
            self.kept.best = None

    def take_kept_weights(self) -> None:
        """End on the best weights, the average or the last, as the training asks."""
        if self.kept.best is not None:
            self.trainee.body.load_state_dict(self.kept.best)
        elif self.trainee.average is not None:
            self.trainee.average.apply()

    def note(self) -> str:
        """Return the newest validation score for the progress display."""
        score = self.kept.last_score
        return f"validation {self.metric.unit.table(score)}" if score is not None else ""

    def checkpoint(self) -> None:
        """Write everything that is needed to resume from here."""
        self.require_finite_losses()
        if self.folder is None or not self.accelerator.is_main_process:
            return
        state = {
            "trainee": self.trainee.state(),
            "objective": self.objective.state(),
            "kept": self.kept.state(),
            "steadiness": self.steadiness.state() if self.steadiness is not None else None,
            "loss_sum": self.loss_sum,
            "loss_count": self.loss_count,
            "rows": self.log.rows,
            "seconds": self.seconds,
        }
        save_checkpoint(self.folder / "checkpoint.pt", state)

    def resume(self) -> None:
        """Resume from the checkpoint in the folder, if there is one."""
        state = load_checkpoint(self.folder / "checkpoint.pt") if self.folder is not None else None
        if state is None:
            self.log.resume(())
            return
        self.trainee.load_state(state["trainee"])
        self.objective.load_state(state["objective"])
        self.kept.load_state(state["kept"])
        if self.steadiness is not None:
            self.steadiness.load_state(state["steadiness"])
        self.loss_sum.copy_(state["loss_sum"])
        self.loss_count = state["loss_count"]
        self.earlier = state.get("seconds", 0.0)
        self.log.resume(state["rows"])
