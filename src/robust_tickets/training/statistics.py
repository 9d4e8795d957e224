"""What training and data say about the weights of a network in training: gradients, curvature, layers' inputs, flow."""

import re
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from robust_tickets.attacks.predict import eval_mode
from robust_tickets.foundation.batch import Batch, as_floats, moved
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.network import Network, tensors_of
from robust_tickets.objectives.objective import Criterion
from robust_tickets.pruning.statistics import Statistics
from robust_tickets.training.batch_source import BatchSource
from robust_tickets.training.layer_inputs import LayerInputs
from robust_tickets.training.synaptic_flow import synaptic_flow

AT_ONCE = 16
"""Examples in a pass where one gradient is of many, or where layers' inputs are summed up."""

POSITIONS = 4096
"""Rows of a layer's inputs that are multiplied at once."""

MUCH = 2**30
"""Bytes of gradients from which on they are kept in bf16."""

SHARE = 0.8
"""Of the free memory, how much gradients may take."""


class TrainingStatistics(Statistics):
    """Statistics of one network at its present weights; see `pruning/statistics.py` for what each is.

    Args:
        network: as it is evaluated, with its input preparation.
        body: where the prunable weights have their names.
        names: of the prunable weights.
        ranking: what the parametrisation has learned.
        batches: examples; None if there are no data.
        criterion: the task's own loss.
    """

    def __init__(
        self,
        network: nn.Module,
        body: nn.Module,
        names: tuple[str, ...],
        ranking: Callable[[], Mapping[str, Tensor]],
        batches: BatchSource | None,
        criterion: Criterion,
    ) -> None:
        self.network, self.body, self.names = network, body, names
        self.ranking, self.batches, self.criterion = ranking, batches, criterion
        self.known: dict[tuple[str | int, ...], dict[str, Tensor]] = {}
        self.often: dict[str, float] = {}

    def once(self, key: tuple[str | int, ...], compute: Callable[[], dict[str, Tensor]]) -> Mapping[str, Tensor]:
        """Return what was computed at these weights before, or compute it: ranking and making up ask for the same."""
        if key not in self.known:
            self.known = {key: compute()}
        return self.known[key]

    def forget(self) -> None:
        """Forget what was computed: weights have changed."""
        self.known = {}

    @property
    def weights(self) -> list[nn.Parameter]:
        """The prunable weights, in order."""
        return [self.body.get_parameter(name) for name in self.names]

    def learned_scores(self) -> Mapping[str, Tensor]:
        """Return by what the parametrisation has learned to rank weights."""
        return self.ranking()

    def gradients(self, count: int, together: int = 1) -> Mapping[str, Tensor]:
        """Return `count` gradients, each of the mean loss of `together` examples."""
        return self.once(("gradients", count, together), lambda: self.stacked_gradients(count, together))

    def stacked_gradients(self, count: int, together: int) -> dict[str, Tensor]:
        """Compute gradients one after the other."""
        weights = self.weights
        dtype = stored_as(count, sum(weight.numel() for weight in weights), weights[0].device)
        stacks: dict[str, Tensor] = {}
        done = 0
        with evaluated(self.network):
            for done, batch in enumerate(self.chosen(count * together, together), start=1):
                for name, one in zip(self.names, self.gradient_of(batch), strict=True):
                    if name not in stacks:
                        stacks[name] = torch.empty((count, *one.shape), dtype=dtype, device=one.device)
                    stacks[name][done - 1] = one
        return {name: stack[:done] for name, stack in stacks.items()}

    def curvature(self, direction: Mapping[str, Tensor], examples: int) -> Mapping[str, Tensor]:
        """Return the Hessian times a direction."""
        total = [torch.zeros_like(weight) for weight in self.weights]
        seen = 0
        with evaluated(self.network), sdpa_kernel(SDPBackend.MATH):  # the fused ones have no second derivative
            for batch in self.chosen(examples, AT_ONCE):
                first = torch.autograd.grad(self.loss(batch), self.weights, create_graph=True)
                slope = sum((one * direction[name]).sum() for one, name in zip(first, self.names, strict=True))
                assert torch.is_tensor(slope)
                second = torch.autograd.grad(slope, self.weights, allow_unused=True)
                for into, one in zip(total, second, strict=True):
                    if one is not None:
                        into += one.detach() * batch.count
                seen += batch.count
        return {name: into / seen for name, into in zip(self.names, total, strict=True)}

    def input_moments(self, examples: int) -> Mapping[str, Tensor]:
        """Return second moments of layers' inputs, summed in float64."""
        return self.once(("input moments", examples), lambda: self.summed_moments(examples))

    @torch.no_grad()
    def summed_moments(self, examples: int) -> dict[str, Tensor]:
        """Compute second moments in one pass over the examples."""
        weights = dict(zip(self.names, self.weights, strict=True))
        sums: dict[str, Tensor] = {}
        counts = dict.fromkeys(self.names, 0)

        def add(name: str, rows: Tensor) -> None:
            moment = sum((part.mT.double() @ part.double()) for part in rows.split(POSITIONS, dim=1))
            assert torch.is_tensor(moment)
            sums[name] = sums[name] + moment if name in sums else moment
            counts[name] += rows.shape[1]

        with evaluated(self.network):
            for batch in self.chosen(examples, AT_ONCE):
                with LayerInputs(weights, add, batch.counted):
                    self.network(batch.inputs)
        self.require_seen(sums, "choose a score that does not ask for inputs")
        return {name: total / counts[name] for name, total in sums.items()}

    @torch.no_grad()
    def multiplications(self) -> Mapping[str, float]:
        """Return how often weights are multiplied, which does not change while they do."""
        if not self.often:
            assert isinstance(self.network, Network)
            example = moved(self.network.interface.timed(1), self.network.device)
            counts = dict.fromkeys(self.names, 0)

            def add(name: str, rows: Tensor) -> None:
                counts[name] += rows.shape[1]

            with (
                evaluated(self.network),
                LayerInputs(dict(zip(self.names, self.weights, strict=True)), add, None),
            ):
                tensors_of(self.network, example)
            self.require_seen(
                {name for name, count in counts.items() if count},
                "leave out what counts multiply-adds (scope.cost, parametrisation gains)",
            )
            self.often = {name: float(count) for name, count in counts.items()}
        return self.often

    def require_seen(self, seen: Container[str], otherwise: str) -> None:
        """Refuse prunable weights whose inputs were not seen, with what else to do."""
        if unseen := next((name for name in self.names if name not in seen), None):
            raise UserError(
                f"the inputs of {unseen} are not known: no linear layer or convolution of one or two dimensions "
                f"multiplies it as it is; exempt it from pruning, or {otherwise}"
            )

    def flow(self) -> Mapping[str, Tensor]:
        """Return the derivative of the summed outputs by |w|; see `Statistics.flow`."""
        if not isinstance(self.network, Network) or not torch.is_tensor(self.network.interface.example(1)):
            raise UserError("score 'synflow' sends ones through a network, which takes images; this one does not")
        example = self.network.interface.example(1).to(self.network.device)
        return synaptic_flow(self.body, example, self.names)

    def chosen(self, examples: int, together: int) -> Iterator[Batch]:
        """Yield the examples, on the network's device."""
        if self.batches is None:
            raise UserError("this score asks for training examples: give draw.data")
        device = next(self.body.parameters()).device
        for batch in self.batches.chosen(examples, together):
            inputs, targets = Batch(*batch).to(device)
            yield Batch(as_floats(inputs), targets)

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean loss of a batch."""
        return self.criterion(self.network(batch.inputs), batch.targets)

    def gradient_of(self, batch: Batch) -> list[Tensor]:
        """Return the gradient of the mean loss of a batch, of which `AT_ONCE` examples are passed at a time."""
        total = [torch.zeros_like(weight, dtype=torch.float32) for weight in self.weights]
        for start in range(0, batch.count, AT_ONCE):
            part = batch.between(start, min(start + AT_ONCE, batch.count))
            found = torch.autograd.grad(self.loss(part), self.weights, allow_unused=True)
            for into, one in zip(total, found, strict=True):
                if one is not None:
                    into.add_(one.detach(), alpha=part.count / batch.count)
        return total


def stored_as(count: int, weights: int, device: torch.device) -> torch.dtype:
    """Return the format in which so many gradients of so many weights are kept: fp32 up to `MUCH`, then bf16.

    Raises:
        UserError: even so there is not enough memory.
    """
    dtype = torch.float32 if 4 * count * weights <= MUCH else torch.bfloat16
    free = free_bytes(device)
    if free is not None and count * weights * dtype.itemsize > SHARE * free:
        most = int(SHARE * free / (weights * 2))
        raise UserError(
            f"score: {count} gradients of {weights:,} weights take {count * weights * dtype.itemsize / 2**30:.1f} GiB, "
            f"and {free / 2**30:.1f} GiB are free; {most} would do: set score.gradients, and score.together to read "
            "as many examples"
        )
    return dtype


def free_bytes(device: torch.device) -> int | None:
    """Return how much memory a device has left; None where nobody says."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        told = Path("/proc/meminfo").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"MemAvailable:\s+(\d+) kB", told)
    return 1024 * int(found[1]) if found else None


@contextmanager
def evaluated(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode and fp32 for a while, its parameters with gradients."""
    with eval_mode(network), torch.autocast(next(network.parameters()).device.type, enabled=False):
        yield
