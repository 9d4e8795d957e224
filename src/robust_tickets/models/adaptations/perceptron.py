"""A classifier under a head of two layers."""

from torch import Tensor, nn

from robust_tickets.foundation.seeds import global_stream
from robust_tickets.models.adaptations.adapted_body import AdaptedBody
from robust_tickets.models.adaptations.perceptron_head import PerceptronHead
from robust_tickets.models.adaptations.without_head import without_head
from robust_tickets.models.interface import Interface
from robust_tickets.models.network import Network

HEAD = "head"


class PerceptronNetwork(AdaptedBody):
    """A backbone that gives features [N, width], and two layers that tell classes apart by them."""

    does = "labels whole images"
    head_path = HEAD

    def __init__(self, backbone: nn.Module, width: int, num_classes: int, adaptation: PerceptronHead) -> None:
        """Put a head on a backbone whose features are `width` wide."""
        super().__init__()
        self.backbone, self.width, self.num_classes, self.adaptation = backbone, width, num_classes, adaptation
        self.hidden = adaptation.hidden
        self.head = layers(width, self.hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised images [N, C, H, W] to logits [N, classes]."""
        return self.head(self.backbone(x))

    def fresh_head(self, num_classes: int, seed: int) -> nn.Module:
        """Return a head of the same width, initialised by torch's default."""
        with global_stream(seed, "head"):
            return layers(self.width, self.hidden, num_classes)

    def shape_fault(self, shape: tuple[int, ...]) -> str | None:
        """Return what the logits of two images should be, where they are not of this shape."""
        return None if shape == (2, self.num_classes) else f"[2, {self.num_classes}]"


def layers(width: int, hidden: int, num_classes: int) -> nn.Sequential:
    """Return the two layers, initialised by torch's default."""
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))


def under_perceptron(
    classifier: Network, adaptation: PerceptronHead, num_classes: int, interface: Interface, seed: int, name: str
) -> Network:
    """Return a network of the classifier's own layers, without its head, under two fresh ones.

    Args:
        classifier: its head is its last operation. It is taken apart.
        adaptation: how wide the hidden layer is.
        num_classes: number of classes, 2 or more.
        interface: what goes in.
        seed: the head is initialised by torch's default from its stream `head`.
        name: what messages call the network.

    Raises:
        UserError: what its head looks at is not a row of features for each image.
    """
    refusal = f"task.hidden: {name} cannot have a head of two layers"
    body, width = without_head(classifier, interface, refusal, "leave it out")
    with global_stream(seed, "head"):
        made = PerceptronNetwork(body, width, num_classes, adaptation)
    return Network(made.to(classifier.device), interface, HEAD)
