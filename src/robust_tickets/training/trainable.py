"""What is to be trained: which parameters of a network train, and how its batch norm behaves meanwhile."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from robust_tickets.models.adaptations.adapted_body import AdaptedBody
from robust_tickets.models.frozen_norms import frozen_parameters
from robust_tickets.models.network import Network

BatchNorm = Literal["updated", "frozen"]


@dataclass(frozen=True, eq=False)
class Trainable:
    """A network and which part of it trains, described before any training: there is no optimiser and no mask yet."""

    network: nn.Module
    """Maps a batch to logits."""
    body: nn.Module
    """The module inside `network` (or `network` itself) whose parameter names are those of the masks."""
    head: str
    """Module path of the head inside `body`; empty if the body is the head itself."""
    linear: bool = False
    """Whether only the head trains."""
    batch_norm: BatchNorm = "updated"
    """Whether batch-norm statistics follow the training batches, or stay as they are."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Peak learning rates of parameters that have another one than body or head, by name."""

    @classmethod
    def of(cls, network: Network, *, linear: bool = False, batch_norm: BatchNorm = "updated") -> "Trainable":
        """Return a network as it trains; under `linear` the body's parameters stop requiring gradients.

        Scales and shifts of frozen norms never require them.
        """
        trainable = cls(network, network.body, network.head, linear, batch_norm)
        frozen = frozen_parameters(network.body)
        for name, parameter in network.body.named_parameters():
            parameter.requires_grad_(name not in frozen and (not linear or trainable.is_head(name)))
        return trainable

    @classmethod
    def of_head(cls, head: nn.Module) -> "Trainable":
        """Return a head that trains alone, on features."""
        return cls(head, head, "")

    @property
    def heads(self) -> tuple[str, ...]:
        """Module paths inside `body` of what linear evaluation trains: the head; of an adapted body all that is new."""
        return self.body.fresh if isinstance(self.body, AdaptedBody) else (self.head,)

    def is_head(self, name: str) -> bool:
        """Say whether a parameter of the body belongs to the head."""
        return not self.head or name.startswith(tuple(f"{path}." for path in self.heads))

    def train_mode(self, network: nn.Module) -> None:
        """Put `network`, which is this one or wraps it, into training mode.

        A frozen body is evaluated as it is (no dropout), apart from batch norm where its statistics are to
        follow the batches; the head that trains alone is in training mode, whatever is in it.
        """
        network.train(not self.linear)
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.train(self.batch_norm == "updated")
        if self.linear and self.head:
            for path in self.heads:
                self.body.get_submodule(path).train()
