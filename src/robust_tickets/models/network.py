"""A network with its input preparation inside: images in [0, 1] or tokens go in, logits come out."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from robust_tickets.attacks.perturbable import Perturbable
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adapted_body import LOGITS, AdaptedBody, architecture_of
from robust_tickets.models.adaptations.projection_head import Projector
from robust_tickets.models.heads import classes_of, fresh_head, get_head, put_head
from robust_tickets.models.interface import Interface
from robust_tickets.models.outputs import logits_of
from robust_tickets.models.pixels import Pixels


class Network(nn.Module):
    """A plain architecture behind the preparation of its inputs.

    `body` is the architecture as its library defines it; the names of its parameters are the names used in
    masks, tickets and files. How inputs are prepared is not part of any state dict: it travels in `interface`.

    Args:
        body: maps normalised images [N, C, H, W] to logits [N, classes], or to an object that has them as `logits`;
            an adapted one (`adaptations/`) to what its task asks for. A language model takes a mapping of tokens.
        interface: what goes in: of images mean and std, size, interpolation, crop; of texts tokenizer and length.
        head: module path of the last layer inside `body`, a Linear or Conv2d: "fc", "classifier.6"; or of an
            adapted body's head.
        idle: names of the body's parameters without which its output is the same, such as those of a layer that is
            never called; they are not prunable.
        headless: whether the weights came without a head, so that the one in `body` is random and predicts nothing.
        projector: what it was pretrained under without labels; it is no part of the architecture, and kept beside it.

    Raises:
        UserError: `head` is not such a layer.
    """

    interface: Interface

    def __init__(
        self,
        body: nn.Module,
        interface: Interface,
        head: str,
        idle: Iterable[str] = (),
        headless: bool = False,
        projector: Projector | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(body, AdaptedBody):
            get_head(body, head)
        self.body = body
        self.interface = interface
        self.head = head
        self.idle = frozenset(idle)
        self.headless = headless
        self.projector = projector
        self.normalise = interface.preparation()

    @property
    def called(self) -> str:
        """What messages call it where nothing else is known: its architecture's class, `ResNet`."""
        return architecture_of(self.body).__name__

    @property
    def pixels(self) -> Pixels:
        """The interface of a network for images.

        Raises:
            UserError: other things go in.
        """
        if isinstance(self.interface, Pixels):
            return self.interface
        raise UserError(f"{self.called} takes {self.interface.noun}, not images")

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.body.parameters()).device

    @property
    def mean(self) -> Tensor:
        """Mean of each channel, [1, C, 1, 1], where the weights are."""
        return self.normalise.get_buffer("mean")

    @property
    def std(self) -> Tensor:
        """Standard deviation of each channel, [1, C, 1, 1]."""
        return self.normalise.get_buffer("std")

    def __repr__(self) -> str:
        """Return one line; `body` shows its layers."""
        count = sum(parameter.numel() for parameter in self.body.parameters())
        return (
            f"Network({self.called}, {self.interface.shape_words}, {self.num_classes} classes, head "
            f"{self.head}, {count:,} parameters)"
        )

    @property
    def num_classes(self) -> int:
        """Number of classes of the head."""
        if isinstance(self.body, AdaptedBody):
            return self.body.num_classes
        return classes_of(get_head(self.body, self.head))

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes, in the order of its outputs, if its library knows them."""
        return self.body.class_names if isinstance(self.body, AdaptedBody) else None

    @property
    def fresh(self) -> tuple[str, ...]:
        """Module paths inside `body` of what no mask is for: the head; of an adapted body all that is new."""
        return self.body.fresh if isinstance(self.body, AdaptedBody) else (self.head,)

    def forward(self, inputs: Any) -> Any:
        """Map float images [N, C, H, W] in [0, 1], or tokens by name, to logits [N, num_classes], or to what an adapted
        body returns."""
        outputs = self.body(self.normalise(inputs))
        return outputs if isinstance(self.body, AdaptedBody) else logits_of(outputs)

    def tensors(self, inputs: Any) -> Any:
        """Return what `forward` computes as tensors alone; see `tensors_of`."""
        if isinstance(self.body, AdaptedBody):
            return self.body.tensors(self.normalise(inputs))
        return self(inputs)

    @property
    def answers(self) -> tuple[str, ...]:
        """Names of what a file exported from it gives."""
        return self.body.answers if isinstance(self.body, AdaptedBody) else LOGITS

    @property
    def gives_logits(self) -> bool:
        """Whether these are logits alone."""
        return self.answers == LOGITS

    def require_exportable(self) -> None:
        """Refuse a network of which there is no such file.

        Raises:
            UserError: says why, and what to do.
        """
        if isinstance(self.body, AdaptedBody) and self.body.unexportable:
            raise UserError(f"{self.called} cannot be exported: {self.body.unexportable}")

    def exported(self, inputs: Any) -> Any:
        """Return what such a file gives for inputs as `forward` takes them: a tensor for each of `answers`."""
        if isinstance(self.body, AdaptedBody):
            return self.body.exported(self.normalise(inputs))
        return self(inputs)

    def answered(self, tensors: Sequence[Tensor]) -> Any:
        """Return what a metric takes in the place of `forward`'s outputs, from what such a file gave."""
        return self.body.answered(tensors) if isinstance(self.body, AdaptedBody) else tensors[0]

    def decided(self, inputs: Any, outputs: Tensor) -> Tensor | None:
        """Return which classes outputs decide for, int64 [decisions]; None where they are numbers.

        Args:
            inputs: what went in.
            outputs: logits [N, C], or what else an adapted body returns.
        """
        if isinstance(self.body, AdaptedBody):
            return self.body.decided(inputs, outputs)
        return outputs.argmax(1)

    def features(self, inputs: Any) -> Tensor:
        """Map inputs as `forward` takes them to what enters the head.

        That is [N, features] for most networks; for a convolutional head (SqueezeNet) it is the unpooled
        [N, features, h, w]. Gradients flow.

        Raises:
            UserError: not one tensor enters the head, as in a body whose head looks at several maps.
        """
        if isinstance(self.body, AdaptedBody) and self.body.gives_features:
            return self(inputs)
        caught: list[Tensor] = []
        hook = self.body.get_submodule(self.head).register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
        try:
            self(inputs)
        finally:
            hook.remove()
        if not caught or not isinstance(caught[-1], Tensor):
            raise UserError(f"{self.called} has no features: the input of its head is not a single tensor")
        return caught[-1]

    def perturbable(self, inputs: Any) -> Perturbable:
        """Return what an attack may move of inputs as `forward` takes them: pixels, or word embeddings."""
        return self.interface.perturbable(self.body, inputs)

    def reset_head(self, num_classes: int, seed: int) -> None:
        """Replace the head by a fresh one of the same kind, initialised by torch's default from `seed`.

        Raises:
            UserError: `num_classes` is below 2, or below what an adapted body takes.
        """
        least = self.body.least_classes if isinstance(self.body, AdaptedBody) else 2
        if num_classes < least:
            raise UserError(f"num_classes: {num_classes} is too small; give at least {least} class{'es' * (least > 1)}")
        if isinstance(self.body, AdaptedBody):
            self.body.reset_head(self.head, num_classes, seed)
        else:
            put_head(self.body, self.head, fresh_head(get_head(self.body, self.head), num_classes, seed))
        # Whoever asks for a head trains it, and with it the features that a projector was for.
        self.headless, self.projector = False, None

    def require_head(self, what: str) -> None:
        """Refuse `what`, which needs predictions, of a network whose head is random.

        Raises:
            UserError: the weights came without a head.
        """
        if self.headless:
            raise UserError(f"{what}: the weights came without a head, so it cannot predict; transfer it")

    def plain_state(self) -> dict[str, Tensor]:
        """Return the body's parameters and buffers by name, as copies on the CPU."""
        return {
            name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
            for name, tensor in self.body.state_dict().items()
        }


def tensors_of(module: nn.Module, inputs: Any) -> Any:
    """Return what a network or a body computes of its inputs as tensors alone: what is traced, compared and counted.

    Bodies of our own kind say themselves what that is (`AdaptedBody.tensors`), other modules return it.
    """
    return module.tensors(inputs) if isinstance(module, Network | AdaptedBody) else module(inputs)
