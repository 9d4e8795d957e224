"""A language model as a source: of the Hub, of a folder, of a module of transformers, or with random weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path, read_json
from robust_tickets.models.adaptations.language.body import LanguageBody
from robust_tickets.models.adaptations.language.building import missing_parts
from robust_tickets.models.adaptations.language.configuration import configuration_of, content_of
from robust_tickets.models.adaptations.language.head import LanguageHead
from robust_tickets.models.adaptations.language.library import (
    class_for,
    head_of,
    is_of_language,
    require_encoder,
)
from robust_tickets.models.families.downloads import Downloads
from robust_tickets.models.families.family import ArchitectureOptions, Loaded
from robust_tickets.models.families.hub_folders import CONFIG, FILES
from robust_tickets.models.families.hub_snapshots import HubSnapshot, snapshot
from robust_tickets.models.families.language_models import LanguageModels, TinyLanguageModels
from robust_tickets.models.families.language_weights import weighted_body
from robust_tickets.models.families.token_interfaces import (
    TokenizerFound,
    special_id,
    tokenizer_at,
    tokenizer_given,
    tokenizer_in,
    tokens_for,
)
from robust_tickets.models.formats.file import read_checkpoint
from robust_tickets.models.formats.states import states_in
from robust_tickets.models.plain_modules import plain_module
from robust_tickets.models.settings import DEFAULT, RANDOM, SourceSettings
from robust_tickets.models.tokens import Tokens

HUB, TINY = LanguageModels(), TinyLanguageModels()

FOR_IMAGES = ("in_channels", "weights_entry")
"""Settings that say nothing of a language model."""


def is_language_folder(folder: Path) -> bool:
    """Return whether a folder holds a model that reads text alone, laid out as transformers does it."""
    if not (folder / CONFIG).is_file():
        return False
    content = read_json(folder / CONFIG)
    return isinstance(content, dict) and "architecture" not in content and is_of_language(content.get("model_type"))


def language_source(settings: SourceSettings) -> Loaded | None:
    """Load the language model that settings name; None if they name something else.

    What is random is initialised from torch's global generator.

    Raises:
        UserError: no such model, weights that do not fit it, or a setting that says nothing of it.
    """
    place, weights = given_path(settings.name), given_path(settings.weights)
    family = next((family for family in (HUB, TINY) if settings.name.startswith(family.prefix)), None)
    if not is_language_folder(place) and family is None:
        return None
    if given := [name for name in FOR_IMAGES if getattr(settings, name) is not None]:
        raise UserError(f"{given[0]}: says nothing of a language model; leave it out")
    if family is not None and family.knows(name := settings.name.removeprefix(family.prefix)):
        if settings.weights == RANDOM:
            return _random_of_type(settings, family, name)
        if not is_language_folder(weights):
            return family.pretrained(name, None, ArchitectureOptions(), Downloads())
        place = weights
    elif family is TINY:
        raise UserError(f"unknown network {settings.name!r}; there is {', '.join(TINY.names())}")
    elif family is not None:
        cache = given_path(settings.cache) if settings.cache is not None else None
        wanted = settings.weights == DEFAULT
        found = snapshot(settings.name.removeprefix(HUB.prefix), Downloads(cache, settings.offline), weights=wanted)
        return _of_folder(settings, found.folder, found)
    return _of_folder(settings, place, None)


def _random_of_type(settings: SourceSettings, family: LanguageModels, name: str) -> Loaded:
    """Return a model of a type, with random weights and a tokenizer from elsewhere."""
    texts = settings.tokenizer or family.texts
    if texts is None:
        raise UserError(
            f"{family.prefix}{name}: has no vocabulary yet; give `tokenizer`, a tokenizer.json or a text file to learn "
            "one from"
        )
    found = tokenizer_at(texts, settings.vocabulary_size)
    content = {**family.configuration(name), "vocab_size": found.tokenizer.size}
    if (pad := special_id(found, "pad_token")) is not None:
        content["pad_token_id"] = pad
    return _random(settings, f"{family.prefix}{name}", content, found)


def _random(settings: SourceSettings, name: str, content: Mapping[str, Any], found: TokenizerFound) -> Loaded:
    """Return a model of a configuration, with random weights and a head to label texts."""
    family = TINY if name.startswith(TINY.prefix) else HUB
    bare = {key: value for key, value in content.items() if key != "architectures"}
    body = family.build(name.removeprefix(family.prefix), ArchitectureOptions(settings.num_classes, configuration=bare))
    assert isinstance(body, LanguageBody)
    interface, notes = tokens_for(body, found, name)
    weights = f"random (seed {settings.seed})"
    return Loaded(name, body, interface, weights, "random initialisation", notes, head=body.head_path)


def _of_folder(settings: SourceSettings, folder: Path, hub: HubSnapshot | None) -> Loaded:
    """Return the model in a folder of transformers."""
    where = folder / CONFIG
    content = read_json(where)
    if not isinstance(content, dict):
        raise UserError(f"{where}: is not a network's configuration")
    whose = str(where) if hub is None else f"hf/{hub.repository}"
    configuration = configuration_of(content, whose)
    chosen = settings.tokenizer
    found = tokenizer_in(folder) if chosen is None else tokenizer_at(chosen, settings.vocabulary_size)
    name = f"{HUB.prefix}{configuration.model_type}"
    if settings.weights == RANDOM:
        return _random(settings, name, content, found)
    file = _weights_file(settings, folder)
    state = next(iter(states_in(read_checkpoint(file), str(file)).values()))
    architectures = content.get("architectures") or [None]
    body, headless, notes = weighted_body(configuration, architectures[0], state, str(file))
    interface, more = tokens_for(body, found, str(folder) if hub is None else whose)
    notes = (*notes, *more, *_tuned(folder))
    weights = file.name
    if hub is not None and hub.digest is not None:
        weights = f"{hub.repository}@{hub.commit}/{file.name}"
        notes += (f"file: {hub.digest} of {hub.repository} at {hub.commit}",)
    layout = f"transformers {architectures[0] or configuration.model_type}"
    pinned = f"{HUB.prefix}{hub.repository}@{hub.commit}" if hub is not None else None
    return Loaded(name, body, interface, weights, layout, notes, head=body.head_path, pinned=pinned, headless=headless)


def _weights_file(settings: SourceSettings, folder: Path) -> Path:
    """Return the file of weights: the one that is named, or that in the folder."""
    given = given_path(settings.weights)
    if settings.weights != DEFAULT and given.is_file():
        return given
    if settings.weights != DEFAULT and not is_language_folder(given):
        raise UserError(
            f"weights: {settings.weights!r} is neither a file nor a folder of transformers; give a path, `default` or "
            "`random`"
        )
    place = folder if settings.weights == DEFAULT else given
    file = next((place / name for name in FILES if (place / name).is_file()), None)
    if file is None:
        raise UserError(f"{place}: has {CONFIG} but none of {', '.join(FILES[:3])}; download the weights too")
    return file


def _tuned(folder: Path) -> tuple[str, ...]:
    """Say what a model was tuned for where its folder tells: sentence-transformers keeps files of its own."""
    if not (folder / "modules.json").is_file():
        return ()
    said = folder / "sentence_bert_config.json"
    content = read_json(said) if said.is_file() else {}
    most = content.get("max_seq_length") if isinstance(content, dict) else None
    length = f" of up to {most} tokens" if isinstance(most, int) else ""
    return (
        f"tuned for the similarity of sentences{length} (sentence-transformers), whose pooling over tokens is not part "
        "of the network here",
    )


def is_language_module(module: nn.Module) -> bool:
    """Return whether a module is a model of transformers that reads text; the library is not loaded for that."""
    bases = {f"{kind.__module__}.{kind.__name__}" for kind in type(module).__mro__}
    of_transformers = "transformers.modeling_utils.PreTrainedModel" in bases
    return of_transformers and getattr(module, "main_input_name", None) == "input_ids"


def of_module(module: nn.Module, given: object) -> tuple[Loaded, Tokens]:
    """Return a model of transformers that was given from Python, and what goes into it.

    It is used as it is, not copied, unless it has to be made plain first, or lacks a head or a pooler of its class.

    Args:
        module: the model.
        given: what goes in: `Tokens`, or a mapping with the tokenizer and what else is stated.

    Raises:
        UserError: it is not one of the supported encoders, or there is no tokenizer.
    """
    what, model = type(module).__name__, module
    configuration: Any = model.config
    require_encoder(configuration.model_type, what, what)
    if not type(module).__module__.startswith("transformers.models."):
        raise UserError(f"{what}: is your own subclass of a model of transformers; give an instance of their class")
    plain, notes = plain_module(module, what)
    head = head_of(what, configuration)
    whole = head is not None and type(plain) is class_for(configuration, head) and not missing_parts(_encoder(plain))
    if whole:
        assert head is not None
        configuration_of(content_of(configuration, what), what)
        body, headless = LanguageBody(plain, LanguageHead(head=head)), None
    else:
        again = configuration_of(content_of(configuration, what), what)
        body, headless, more = weighted_body(again, what, plain.state_dict(), what)
        notes = (*notes, f"weights: copied from the {what}, whose class is not the one used here", *more)
    interface, more = _interface_given(body, given, what)
    name = f"{HUB.prefix}{configuration.model_type}"
    loaded = Loaded(
        name, body, interface, "in memory", "Python module", (*notes, *more), head=body.head_path, headless=headless
    )
    return loaded, interface


def _encoder(model: Any) -> Any:
    return model.base_model


def _interface_given(body: LanguageBody, given: object, what: str) -> tuple[Tokens, tuple[str, ...]]:
    if isinstance(given, Tokens):
        return given, ()
    stated = dict(given) if isinstance(given, Mapping) else {}
    if "tokenizer" not in stated:
        raise UserError(
            f"{what}: its tokenizer is unknown; give preprocessing={{'tokenizer': ...}}, a path or a fast tokenizer, "
            "or a pair (model, tokenizer)"
        )
    interface, notes = tokens_for(body, tokenizer_given(stated.pop("tokenizer")), what)
    return interface.changed(stated), notes
