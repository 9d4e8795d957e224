"""A body whose backbone is a source's own layers, and where its weights are now."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adaptation import Adaptation
from robust_tickets.models.interface import Interface
from robust_tickets.pruning.masks import Masks

BACKBONE = "backbone"
"""Where the source's own layers lie in an adapted body, as in torchvision's segmentation and detection networks."""


LOGITS = ("logits",)
"""What an exported file gives, unless an adapted body has other answers."""


class AdaptedBody(nn.Module, ABC):
    """A backbone under a head other than its own."""

    does: str
    """What it does, for messages: `labels pixels`."""
    head_path: str
    """Path of the layers that classify."""
    adaptation: Adaptation
    """What builds it again."""
    num_classes: int
    """Number of classes of the head."""
    least_classes: ClassVar[int] = 2
    """The smallest number that makes sense."""
    answers: ClassVar[tuple[str, ...]] = LOGITS
    """Names of what an exported file gives."""
    gives_features: ClassVar[bool] = False
    """Whether what it returns in evaluation are features [N, width]."""
    unexportable: ClassVar[str] = ""
    """Why there is no exported file, and what to do; empty if there is one."""

    @abstractmethod
    def fresh_head(self, num_classes: int, seed: int) -> nn.Module:
        """Return a head like this body's own for this many classes, initialised from stream `head` of `seed`."""

    @abstractmethod
    def shape_fault(self, shape: tuple[int, ...]) -> str | None:
        """Return what the output of two images should be where it is not of this shape; None if it is right."""

    def require_input(self, interface: Interface, name: str) -> None:
        """Refuse what this body cannot take.

        Args:
            interface: what would go in.
            name: what messages call the network.

        Raises:
            UserError: says what it takes.
        """

    @property
    def configuration(self) -> dict[str, Any] | None:
        """What its library builds it from, where its name alone does not say that."""
        return None

    @property
    def architecture(self) -> type[nn.Module]:
        """The class that readers know it by: its library's, where this one only gives its model another form."""
        return type(self)

    @property
    def word_embeddings(self) -> str | None:
        """Name of the table that words are looked up in; None if the inputs are no words."""
        return None

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes, if its library knows them."""
        return None

    def take_names(self, configuration: Mapping[str, Any] | None) -> None:
        """Take over the names of the classes from what is recorded as `configuration`, if its library names them."""

    @property
    def stated(self) -> dict[str, Any]:
        """What an exported file says of its answers, where it could not be understood otherwise."""
        return {}

    def reset_head(self, path: str, num_classes: int, seed: int) -> None:
        """Put a fresh head in the place of the one at `path`."""
        old = self.get_submodule(path)
        weight = next(old.parameters())
        setattr(self, path, self.fresh_head(num_classes, seed).to(weight.device, weight.dtype).train(old.training))
        self.num_classes = num_classes

    def tensors(self, x: Tensor) -> Any:
        """Return what is computed of normalised images [N, C, H, W] as tensors alone; by default as `forward` does.

        All of the parameters that matter have a part in them, and none is chosen by values, so that they change as
        little as the weights do.
        """
        return self(x)

    def exported(self, x: Tensor) -> Any:
        """Return what an exported file gives for normalised images: a tensor for each of `answers`."""
        return self(x)

    def answered(self, tensors: Sequence[Tensor]) -> Any:
        """Return what a metric takes in the place of outputs, from what an exported file gave."""
        (logits,) = tensors
        return logits

    def decided(self, inputs: Any, outputs: Tensor) -> Tensor | None:
        """Return which classes outputs decide for, int64 [decisions]; None where they are numbers."""
        return outputs.argmax(1).flatten()

    @property
    def fresh(self) -> tuple[str, ...]:
        """Paths of the modules that are new here, and not the source's own layers."""
        return tuple(name for name, _ in self.named_children() if name != BACKBONE)

    def place(self, name: str) -> str:
        """Return where a parameter or buffer of the source is in this body."""
        return f"{BACKBONE}.{name}"


def architecture_of(body: nn.Module) -> type[nn.Module]:
    """Return the class that messages call a body by: `ResNet`, `BertForSequenceClassification`."""
    return body.architecture if isinstance(body, AdaptedBody) else type(body)


def adaptation_of(body: nn.Module) -> Adaptation | None:
    """Return what made a body what it is; None of a plain architecture."""
    return body.adaptation if isinstance(body, AdaptedBody) else None


def place_in(body: nn.Module, name: str) -> str:
    """Return where a source's parameter is in a body, which may be an adapted one that was made of the source."""
    known = dict(body.named_parameters())
    return body.place(name) if isinstance(body, AdaptedBody) and name not in known else name


def places_of(source: nn.Module, body: nn.Module) -> dict[str, str]:
    """Return where a source's parameters and buffers are in a body made of it, by their names, but for lost ones."""
    moved = body if isinstance(body, AdaptedBody) and not isinstance(source, AdaptedBody) else None
    there = body.state_dict().keys()
    places = {name: moved.place(name) if moved is not None else name for name in source.state_dict()}
    return {name: place for name, place in places.items() if place in there}


def placed(masks: Mapping[str, Tensor], body: nn.Module) -> Masks:
    """Return a ticket's masks by the names that its weights have in `body`, which may be adapted.

    Raises:
        UserError: a mask's weight is not there, or has another shape.
    """
    parameters = dict(body.named_parameters())
    found: Masks = {}
    for name, mask in masks.items():
        place = place_in(body, name)
        if place not in parameters or parameters[place].shape != mask.shape:
            there = f"of shape {tuple(parameters[place].shape)}" if place in parameters else "not there"
            raise UserError(
                f"the ticket masks {name} of shape {tuple(mask.shape)}, which is {there} in the network trained here; "
                f"draw it with this layer exempt, as in draw.prunable.exempt: ['{name}']"
            )
        found[place] = mask
    return found
