"""A Hugging Face model as a body: the same layers under the same names, one mapping as its argument."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import global_stream
from robust_tickets.models.adaptations.adapted_body import AdaptedBody
from robust_tickets.models.adaptations.language.building import around
from robust_tickets.models.adaptations.language.configuration import content_of, name_classes
from robust_tickets.models.adaptations.language.head import LanguageHead
from robust_tickets.models.adaptations.language.library import ENCODERS
from robust_tickets.models.adaptations.language.text_heads import ASKED
from robust_tickets.models.forward_trace import trace_forward
from robust_tickets.models.interface import Interface
from robust_tickets.models.network import Network
from robust_tickets.models.tokens import Tokens


class LanguageBody(AdaptedBody):
    """A model of transformers, as a body.

    The model is not a submodule: body and model share their submodules, so that every layer has the very name it has
    in transformers (`bert.encoder.layer.0.attention.self.query.weight`), and what replaces a layer of one replaces that
    of the other.

    Args:
        model: with its encoder complete; see `building.py`.
        adaptation: which head it has.
    """

    adaptation: LanguageHead
    does = "works on texts"
    least_classes = 1

    def __init__(self, model: Any, adaptation: LanguageHead) -> None:
        super().__init__()
        self.adaptation = adaptation  # pyright: ignore[reportIncompatibleVariableOverride]
        self.does = adaptation.form.does
        self._held = [model]  # in a list, so that it does not become a submodule
        _encoder_first(model)
        for shared in ("_modules", "_parameters", "_buffers", "_non_persistent_buffers_set"):
            vars(self)[shared] = vars(model)[shared]
        self.training = model.training

    @property
    def held(self) -> Any:
        """The model of transformers."""
        return self._held[0]

    @property
    def encoder(self) -> Any:
        """Its base model, which every head shares."""
        return self.held.base_model

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Map tokens int64 [N, L] by the names of transformers to logits.

        Returns:
            [N, classes] of texts (regression: [N, 1]), [N, L, classes] of tokens, [N, L, vocabulary] of hidden words,
            and [N, L, 2] of spans: how much speaks for each token as the answer's first, and as its last. Where
            inputs say under `asked`, bool [N, L], of which tokens logits are wanted: those alone, [wanted, classes].
        """
        if (asked := inputs.get(ASKED)) is None:
            return self.adaptation.form.logits(self.held(**inputs))
        with only_at(self.encoder, asked):
            outputs = self.held(**{name: values for name, values in inputs.items() if name != ASKED})
        return self.adaptation.form.logits(outputs)[0]

    def embedded(self, ids: Tensor) -> Tensor:
        """Return the word embeddings of ids [N, L], which `forward` takes as `inputs_embeds` [N, L, width] instead."""
        return self.encoder.get_input_embeddings()(ids)

    def decided(self, inputs: Mapping[str, Tensor], outputs: Tensor) -> Tensor | None:
        """Return the class of each text or token without padding, or the first and the last token of each span."""
        return self.adaptation.form.decided(inputs, outputs)

    def train(self, mode: bool = True) -> LanguageBody:
        """Put the layers, and the model that holds them too, into training mode or out of it."""
        self.held.training = mode
        super().train(mode)
        return self

    @property
    def architecture(self) -> type[nn.Module]:
        """The class of transformers."""
        return type(self.held)

    @property
    def configuration(self) -> dict[str, Any]:
        """The content of the `config.json` that describes the model."""
        return content_of(self.held.config, self.architecture.__name__)

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes as transformers has them, unless it only numbers them."""
        names = self.held.config.id2label
        if not self.adaptation.form.has_classes or names == {place: f"LABEL_{place}" for place in names}:
            return None
        return tuple(names[place] for place in range(len(names)))

    def take_names(self, configuration: Mapping[str, Any] | None) -> None:
        """Take over transformers' names of the classes."""
        name_classes(self.held.config, (configuration or {}).get("id2label"))

    @property
    def stated(self) -> dict[str, Any]:
        """Which head it has: the logits of texts, tokens and spans look alike."""
        return {"adaptation": self.adaptation.model_dump(mode="json")}

    @property
    def num_classes(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Number of classes; of spans 2, of hidden words the size of the vocabulary."""
        return self.adaptation.form.width(self.held.config)

    @property
    def head_path(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Path of the last linear layer outside the encoder."""
        prefix = f"{self.held.base_model_prefix}."
        linear = [path for path, module in self.named_modules() if isinstance(module, nn.Linear)]
        return next(path for path in reversed(linear) if not path.startswith(prefix))

    @property
    def longest(self) -> int:
        """Most tokens of a text, by the table of positions."""
        settings = self.held.config
        unused = settings.pad_token_id + 1 if ENCODERS[settings.model_type].counts_from_padding else 0
        return settings.max_position_embeddings - unused

    @property
    def word_embeddings(self) -> str:
        """Name of the table of word embeddings."""
        table = self.encoder.get_input_embeddings().weight
        return next(name for name, parameter in self.named_parameters() if parameter is table)

    @property
    def fresh(self) -> tuple[str, ...]:
        """Paths of what is not the encoder; the pooler, where there is one, belongs to the encoder."""
        return tuple(name for name, _ in self.named_children() if name != self.held.base_model_prefix)

    def place(self, name: str) -> str:
        """Return the name itself: an encoder's weights have one name under every head."""
        return name

    def shape_fault(self, shape: tuple[int, ...]) -> str | None:
        """Return what the logits of two texts should be, where they are not of this shape."""
        wanted = self.adaptation.form.shape(self.num_classes)
        if len(shape) == len(wanted) and all(one in (None, found) for one, found in zip(wanted, shape, strict=True)):
            return None
        return f"[{', '.join('tokens' if one is None else str(one) for one in wanted)}]"

    def fresh_head(self, num_classes: int, seed: int) -> nn.ModuleDict:
        """Return all that is not the encoder, by name, initialised by transformers from stream `head` of `seed`."""
        with global_stream(seed, "head"):
            made = around(self.encoder, self.adaptation.head, num_classes)
        return nn.ModuleDict({name: part for name, part in made.named_children() if part is not self.encoder})

    def reset_head(self, path: str, num_classes: int, seed: int) -> None:
        """Put a fresh head in the place of all that is not the encoder; `path` is where its last layer is."""
        for name, part in self.fresh_head(num_classes, seed).items():
            setattr(self, name, part)
        self.held.num_labels = self.held.config.num_labels
        self.held.tie_weights()

    def require_input(self, interface: Interface, name: str) -> None:
        """Refuse images, tokens of another vocabulary, and texts that are longer than the network can take.

        Raises:
            UserError: says what it takes.
        """
        if not isinstance(interface, Tokens):
            raise UserError(f"{name}: takes texts, not {interface.noun}")
        rows = self.held.config.vocab_size
        if interface.vocabulary != rows:
            raise UserError(f"{name}: has {rows} word embeddings, not {interface.vocabulary}")
        if interface.length > self.longest:
            raise UserError(f"preprocessing.length: {name} takes up to {self.longest} tokens, not {interface.length}")


@contextmanager
def only_at(encoder: nn.Module, asked: Tensor) -> Iterator[None]:
    """Let the head on an encoder see the tokens alone that are asked for, bool [N, L], as if they were one text."""

    def chosen(module: nn.Module, inputs: Any, outputs: Any) -> Any:
        outputs["last_hidden_state"] = outputs["last_hidden_state"][asked][None]
        return outputs

    hook = encoder.register_forward_hook(chosen)
    try:
        yield
    finally:
        hook.remove()


def _encoder_first(model: Any) -> None:
    """Let a model name its encoder's layers before its head's: a tied weight goes by its first name."""
    children, prefix = model._modules, model.base_model_prefix
    ordered = {prefix: children[prefix], **children}
    children.clear()
    children.update(ordered)


def rehead(
    network: Network, adaptation: LanguageHead, num_classes: int, interface: Interface, seed: int, name: str
) -> Network:
    """Return a network of the same encoder under a fresh head.

    Args:
        network: of texts; it is taken apart.
        adaptation: which head.
        num_classes: number of classes of texts (1 for a number instead) or of tokens; for spans and hidden words it
            says nothing.
        interface: what goes in.
        seed: the head is initialised as transformers does it from stream `head`.
        name: what messages call the network.

    Raises:
        UserError: the network is not a language model.
    """
    body = network.body
    if not isinstance(body, LanguageBody):
        raise UserError(
            f"{name}: takes {network.interface.noun}, and only a language model {adaptation.form.does}; name one, "
            "such as hf/OWNER/NAME or a folder of transformers"
        )
    with global_stream(seed, "head"):
        made = LanguageBody(around(body.encoder, adaptation.head, num_classes), adaptation)
    made.require_input(interface, name)
    return Network(made, interface, made.head_path, trace_forward(made, interface, name).idle)
