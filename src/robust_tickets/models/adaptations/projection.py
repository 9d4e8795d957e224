"""A network in self-supervised training: a projector on top of its features."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import global_stream
from robust_tickets.models.adaptations.adapted_body import AdaptedBody
from robust_tickets.models.adaptations.projection_head import ProjectionHead, Projector
from robust_tickets.models.adaptations.without_head import without_head
from robust_tickets.models.interface import Interface
from robust_tickets.models.network import Network
from robust_tickets.models.strict import mismatches

HEAD = "head"
BOTTLENECK = 256
"""Width of what is compared with prototypes, at most (DINO)."""


class ProjectionNetwork(AdaptedBody):
    """A backbone that gives features [N, width]; in training a projector on top, [N, outputs]."""

    does = "was trained without labels"
    gives_features = True
    head_path = HEAD
    unexportable = "it was trained by self-supervision, under a projector that only training needs; transfer the source"

    def __init__(self, backbone: nn.Module, width: int, num_classes: int, adaptation: ProjectionHead) -> None:
        """Put a projector, `num_classes` wide, on a backbone whose features are `width` wide."""
        super().__init__()
        self.backbone, self.width, self.num_classes, self.adaptation = backbone, width, num_classes, adaptation
        self.hidden = adaptation.hidden or width
        self.prototypes = adaptation.prototypes
        self.head = self.projector(num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images [N, C, H, W] to features, in training to projections or scores of prototypes."""
        features = self.backbone(x)
        return self.head(features) if self.training else features

    def projector(self, outputs: int) -> nn.Module:
        """Return a fresh projector."""
        if not self.prototypes:
            return nn.Sequential(nn.Linear(self.width, self.hidden), nn.ReLU(), nn.Linear(self.hidden, outputs))
        narrow = min(BOTTLENECK, self.hidden)
        layers = (
            nn.Linear(self.width, self.hidden),
            nn.Linear(self.hidden, self.hidden),
            nn.Linear(self.hidden, narrow),
        )
        for layer in layers:
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        return nn.Sequential(layers[0], nn.GELU(), layers[1], nn.GELU(), layers[2], Prototypes(narrow, outputs))

    def fresh_head(self, num_classes: int, seed: int) -> nn.Module:
        """Return a projector of other width, initialised from stream `head`."""
        with global_stream(seed, "head"):
            return self.projector(num_classes)

    def shape_fault(self, shape: tuple[int, ...]) -> str | None:
        """Return what the features of two images should be, where they are not of this shape."""
        return None if shape == (2, self.width) else f"[2, {self.width}]"

    def decided(self, inputs: object, outputs: Tensor) -> None:
        """Return None: features decide nothing."""


class Prototypes(nn.Module):
    """Cosines with learned prototypes: rows of length 1, as in DINO with a normalised last layer."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.Linear(width, count, bias=False).weight.detach())

    def forward(self, x: Tensor) -> Tensor:
        """Map rows [N, width] to cosines [N, count]."""
        # In fp32: temperatures of a few hundredths enlarge what bf16 rounds away.
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(F.normalize(x.float(), dim=-1), F.normalize(self.weight.float(), dim=-1))


def under_projector(
    classifier: Network, adaptation: ProjectionHead, outputs: int, interface: Interface, seed: int, name: str
) -> Network:
    """Return a network of the classifier's own layers, without its head, under a fresh projector.

    Args:
        classifier: its head is its last operation. It is taken apart.
        adaptation: what the projector is made of.
        outputs: how wide what it puts out is.
        interface: what goes in.
        seed: the projector is initialised by torch's default from its stream `head`.
        name: what messages call the network.

    Raises:
        UserError: what its head looks at is not a row of features for each image.
    """
    refusal = f"{name} cannot learn without labels"
    body, width = without_head(classifier, interface, refusal, "use a network that ends in a linear layer")
    with global_stream(seed, "head"):
        made = ProjectionNetwork(body, width, outputs, adaptation)
    return Network(made.to(classifier.device), interface, HEAD)


def put_projector(network: Network, projector: Projector, name: str) -> None:
    """Give a network under a fresh projector the one that it was pretrained under.

    Raises:
        UserError: its tensors are of another projector.
    """
    head = network.body.get_submodule(HEAD)
    if wrong := mismatches(head, projector.state):
        raise UserError(f"{name}: its projector does not fit: {'; '.join(wrong)}; use head: fresh")
    head.load_state_dict(projector.state)


def as_plain(trained: Network, plain: Network, adaptation: ProjectionHead) -> Network:
    """Return the plain architecture with the weights of a network that trained under a projector, which is kept beside.

    Its own head is random: whoever transfers the network trains one.

    Args:
        trained: made of `plain` by `under_projector`.
        plain: the network that it was made of; it stays as it is.
        adaptation: what the projector is made of.
    """
    assert isinstance(trained.body, ProjectionNetwork)
    network, state = copy.deepcopy(plain), trained.plain_state()
    own = network.body.state_dict()
    network.body.load_state_dict({name: state.get(trained.body.place(name), value) for name, value in own.items()})
    network.headless = True
    head = {name.removeprefix(f"{HEAD}."): value for name, value in state.items() if name.startswith(f"{HEAD}.")}
    network.projector = Projector(adaptation, trained.body.num_classes, head)
    return network
