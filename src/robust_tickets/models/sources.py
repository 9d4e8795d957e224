"""The pretrained network a ticket is drawn from."""

import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from robust_tickets.foundation.digests import tensors_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path
from robust_tickets.foundation.settings import changed, parse
from robust_tickets.models.adaptations.adapted_body import AdaptedBody, architecture_of
from robust_tickets.models.families.family import Loaded
from robust_tickets.models.families.language_sources import is_language_module, of_module
from robust_tickets.models.families.user_code import stated_preprocessing
from robust_tickets.models.fitting import name_of
from robust_tickets.models.folders import is_saved, load_folder, recorded
from robust_tickets.models.forward_trace import ForwardTrace, trace_forward
from robust_tickets.models.head_choice import choose_head
from robust_tickets.models.heads import input_channels
from robust_tickets.models.identity import SourceIdentity
from robust_tickets.models.interface import Interface
from robust_tickets.models.named import load_named
from robust_tickets.models.network import Network
from robust_tickets.models.own_code import code_digest
from robust_tickets.models.pixels import Pixels, identity_preprocessing, require_pixels
from robust_tickets.models.plain_modules import plain_module, unwrapped
from robust_tickets.models.settings import DEFAULT, RANDOM, SourceSettings
from robust_tickets.pruning.masks import Masks

SIZES = (224, 32, 28, 64, 96, 128, 160, 192, 256, 299, 384, 512)
"""Sides in pixels that are tried, in this order, if the size of a module's images is unknown."""


@dataclass(frozen=True, eq=False)
class Source:
    """A pretrained network, its identity, and the settings that load it again."""

    network: Network
    identity: SourceIdentity
    settings: SourceSettings
    """What loads it again on this machine; for a module given from Python, a name that says whose it is."""
    untrained: tuple[str, ...] = ()
    """Parameters that no gradient reaches, because its forward detaches them."""
    masks: Masks = field(default_factory=dict)
    """Of weights that were pruned before they were saved, by name, True = kept; the weights are zero elsewhere."""

    def __repr__(self) -> str:
        classes, preprocessing = self.identity.num_classes, self.identity.preprocessing
        return (
            f"Source({self.identity.name}, weights {Path(self.identity.weights).name}, {classes} classes, "
            f"{preprocessing.shape_words})"
        )


Stated = Interface | Mapping[str, Any]
"""A preprocessing, or the parts of one that are stated."""


def load_source(
    source: SourceSettings | str | Path | nn.Module | tuple[nn.Module, Any] | Source,
    *,
    weights: str | Path | None = None,
    preprocessing: Stated | None = None,
    head: str | None = None,
    like: Network | None = None,
    **changes: Any,
) -> Source:
    """Return a source: from settings, from only a name or folder, or from a module in memory.

    Args:
        source: settings; a name or folder, which is settings with nothing else given; an nn.Module, which is
            used as it is, not copied, unless it has to be made plain first (`plain_modules.py`); a pair of a model of
            transformers and its tokenizer; or a source, which is returned as it is.
        weights: a file, a folder, a tag, `random` or `default`, for a network given by name.
        preprocessing: changes to what comes with the weights, as in `{"size": 224}`. For an nn.Module all of it:
            mean, std and size; without it the module's own `preprocessing` or
            `pretrained_cfg`, and without these mean 0, std 1 and the first size of `SIZES` that it takes, stated in the
            identity's notes. For a model of transformers that reads text: `tokenizer`, a path or a fast tokenizer, and
            maybe `length`.
        head: module path of the last layer, if a forward pass cannot tell.
        like: a classifier of the same architecture, for a folder whose architecture is the user's own code.
        changes: other fields of `SourceSettings`, as in `num_classes=10`, for a network given by name.

    Raises:
        UserError: something is given that the source already has, no such network, weights that do not fit it, an
            unknown preprocessing, a forward pass that fails, or a head that the pass does not reveal.
    """
    named = {**({"weights": str(weights)} if weights is not None else {}), **changes}
    stated = {"preprocessing": preprocessing, "head": head}
    given = [name for name, value in {**named, **stated}.items() if value is not None]
    if isinstance(source, Source):
        if given:
            raise UserError(f"{given[0]}: {source.identity.name} is already loaded; give it to load_source")
        return source
    if isinstance(source, tuple) and len(source) == 2:
        source, tokenizer = source
        preprocessing = {**(preprocessing if isinstance(preprocessing, Mapping) else {}), "tokenizer": tokenizer}
    source = unwrapped(source)
    if isinstance(source, nn.Module):
        if named:
            raise UserError(f"{next(iter(named))}: a torch module brings its own; leave this out")
        if is_language_module(source):
            return _from_language_module(source, preprocessing, head)
        if isinstance(preprocessing, Mapping):
            preprocessing = parse(Pixels, dict(preprocessing), "preprocessing")
        return _from_module(source, preprocessing, head)
    if not isinstance(source, SourceSettings | str | Path):
        raise UserError(_no_source(source))
    settings = source if isinstance(source, SourceSettings) else SourceSettings(name=str(source))
    if isinstance(preprocessing, Interface):
        preprocessing = require_pixels(preprocessing, f"{settings.name} has an interface of its own").model_dump()
    stated = {name: value for name, value in (("preprocessing", preprocessing), ("head", head)) if value is not None}
    settings = changed(settings, {**named, **stated}, where="source")
    folder = given_path(settings.name)
    if is_saved(folder):
        return _from_folder(settings, folder, like)
    return _from_name(settings)


def _no_source(given: object) -> str:
    """Return what is wrong with something that is neither a name nor a network."""
    if isinstance(given, type) and issubclass(given, nn.Module):
        return f"{given.__name__}: is a class; give an instance of it, as in {given.__name__}()"
    if isinstance(given, Mapping):
        return (
            f"{type(given).__name__}: a mapping is not a network; load it into one (module.load_state_dict), "
            "or name the architecture and give the file as weights"
        )
    return f"source: should be a name, a path or a torch module (got {reprlib.repr(given)})"


def _from_name(settings: SourceSettings) -> Source:
    """Load by name, and let what the settings state take precedence."""
    loaded = load_named(settings)
    given = settings.preprocessing.given()
    if loaded.preprocessing is None and not {"mean", "std", "size"} <= given.keys():
        raise UserError(
            f"{loaded.name}: it is unknown how its inputs were normalised; give preprocessing: mean, std and "
            "size (mean [0, 0, 0] and std [1, 1, 1] if it takes images in [0, 1] as they are)"
        )
    if loaded.preprocessing is not None:
        preprocessing: Interface = loaded.preprocessing.changed(given)
    else:
        preprocessing = parse(Pixels, given, "preprocessing")
    source = _tried(loaded, preprocessing, settings, settings.head or loaded.head)
    if loaded.pinned is not None:
        settings = settings.model_copy(update={"name": loaded.pinned})
    if (folder := given_path(settings.name)).is_dir():
        settings = settings.model_copy(update={"name": str(folder.resolve())})
    file = given_path(settings.weights)
    if settings.weights not in (DEFAULT, RANDOM) and file.exists():
        settings = settings.model_copy(update={"weights": str(file.resolve())})
    if settings.tokenizer is not None and given_path(settings.tokenizer).exists():
        settings = settings.model_copy(update={"tokenizer": str(given_path(settings.tokenizer).resolve())})
    if settings.cache is not None:
        settings = settings.model_copy(update={"cache": str(given_path(settings.cache).resolve())})
    return replace(source, settings=settings)


def _from_folder(settings: SourceSettings, folder: Path, like: Network | None) -> Source:
    """Read a network saved by this library; only its preprocessing may be overridden."""
    for name in ("weights", "weights_entry", "num_classes", "in_channels", "head", "tokenizer"):
        if getattr(settings, name) != SourceSettings.model_fields[name].default:
            raise UserError(f"{name}: a saved network brings its own; leave this out for {folder}")
    classifier, identity = load_folder(folder, like)
    if given := settings.preprocessing.given():
        identity = identity.model_copy(update={"preprocessing": identity.preprocessing.changed(given)})
    preprocessing, body, name = identity.preprocessing, classifier.body, str(folder)
    _require_channels(settings, body, preprocessing, name)
    trace = trace_forward(body, preprocessing, name)
    choose_head(body, trace, preprocessing, name, identity.head)
    classifier = Network(body, preprocessing, identity.head, trace.idle, identity.headless, classifier.projector)
    identity = identity.model_copy(update={"code": code_digest(body)})
    place = str(folder.resolve())
    own_code = ":" in identity.name
    reload = {"name": identity.name, "weights": place} if own_code else {"name": place}
    return Source(classifier, identity, settings.model_copy(update=reload), trace.cut)


def _from_language_module(model: nn.Module, stated: object, head: str | None) -> Source:
    """Take a model of transformers in memory."""
    settings = SourceSettings(name=f"{type(model).__module__}:{type(model).__qualname__}")
    loaded, interface = of_module(model, stated)
    return _tried(loaded, interface, settings, head)


def _from_module(module: nn.Module, preprocessing: Interface | None, head: str | None) -> Source:
    """Take a module in memory; a Network is taken apart, anything else is a body."""
    missing, projector = None, None
    if isinstance(module, Network):
        missing, projector = module.head if module.headless else None, module.projector
        preprocessing, head, module = preprocessing or module.interface, head or module.head, module.body
    what = architecture_of(module).__name__
    module, notes = plain_module(module, what)
    kind = architecture_of(module)
    settings = SourceSettings(name=f"{kind.__module__}:{kind.__qualname__}")
    stated = preprocessing or stated_preprocessing(module)
    loaded = Loaded(what, module, stated, "in memory", "Python module", notes, headless=missing, projector=projector)
    if loaded.preprocessing is None:
        source = _of_unstated_size(loaded, settings, head)
    else:
        source = _tried(loaded, loaded.preprocessing, settings, head)
    name = name_of(module, source.network.num_classes)
    return replace(source, identity=source.identity.model_copy(update={"name": name}))


def _of_unstated_size(loaded: Loaded, settings: SourceSettings, head: str | None) -> Source:
    """Take a module about which nothing is known, at the first size that it accepts, and say so."""
    channels = input_channels(loaded.body)
    if channels is None:
        raise UserError(f"{loaded.name}: no convolution shows how many channels it reads; give preprocessing")
    first: UserError | None = None
    for side in SIZES:
        found = f"{side} x {side} assumed" if side == SIZES[0] else f"{side} x {side}, the first size it takes, assumed"
        note = f"preprocessing: not given; mean 0, std 1 and {found}"
        try:
            assumed = replace(loaded, notes=(*loaded.notes, note))
            return _tried(assumed, identity_preprocessing(channels, (side, side)), settings, head)
        except UserError as error:
            if not isinstance(error.__cause__, RuntimeError | ValueError | AssertionError | IndexError):
                raise
            first = first or error
    raise UserError(f"{first}; other sizes fail too, give preprocessing with the size of its images") from first


def _tried(loaded: Loaded, preprocessing: Interface, settings: SourceSettings, head: str | None) -> Source:
    """Run a loaded network once, and return it as a source with the findings.

    Raises:
        UserError: the pass fails, does not bear out `head`, or the settings contradict the network.
    """
    name = loaded.name
    _require_channels(settings, loaded.body, preprocessing, name)
    trace = trace_forward(loaded.body, preprocessing, name)
    head, notes = choose_head(loaded.body, trace, preprocessing, name, head)
    if loaded.headless not in (None, head):
        raise UserError(
            f"{loaded.weights}: does not fit {name}: {loaded.headless} is missing; only the head, {head}, may be"
        )
    classifier = Network(loaded.body, preprocessing, head, trace.idle, loaded.headless is not None, loaded.projector)
    if settings.num_classes not in (None, classifier.num_classes):
        raise UserError(
            f"num_classes: {name} has {classifier.num_classes} classes, not {settings.num_classes}; leave it out, a "
            "transfer gives the network a fresh head"
        )
    loaded = replace(loaded, notes=(*loaded.notes, *notes, *_seen(trace)))
    return Source(classifier, _identify(classifier, loaded), settings, trace.cut, loaded.masks)


def _seen(trace: ForwardTrace) -> tuple[str, ...]:
    """Return unexpected findings of a pass."""
    notes = []
    if trace.unused:
        notes.append(f"never called: {layers_of(trace.unused)}; neither pruned nor trained")
    if trace.dead:
        notes.append(f"without effect on the output: {layers_of(trace.dead)}; neither pruned nor trained")
    if trace.cut:
        notes.append(f"detached: no gradient reaches {layers_of(trace.cut)}; full transfer cannot train these")
    return tuple(notes)


def layers_of(parameters: Iterable[str]) -> str:
    """Return the layers of some parameters for a message, the first few by name."""
    layers = list(dict.fromkeys(name.rpartition(".")[0] or name for name in parameters))
    return ", ".join(layers[:4]) + (f" and {len(layers) - 4} more layers" if layers[4:] else "")


def _require_channels(settings: SourceSettings, body: nn.Module, preprocessing: Interface, name: str) -> None:
    """Refuse channels, or texts, that contradict the network."""
    if isinstance(body, AdaptedBody):
        body.require_input(preprocessing, name)
    channels, normalised = input_channels(body), preprocessing.channels
    if channels is not None and settings.in_channels not in (None, channels):
        raise UserError(f"in_channels: {name} reads {channels} channels, not {settings.in_channels}; leave it out")
    if channels is not None and normalised is not None and channels != normalised:
        raise UserError(f"preprocessing: mean has {normalised} channels, {name} reads {channels}")


def _identify(classifier: Network, loaded: Loaded) -> SourceIdentity:
    return SourceIdentity(
        name=loaded.name,
        weights=loaded.weights,
        format=loaded.format,
        digest=tensors_digest(classifier.plain_state()),
        code=code_digest(classifier.body, loaded.name if ":" in loaded.name else None),
        **recorded(classifier),
        modules=loaded.modules,
        notes=loaded.notes,
    )
