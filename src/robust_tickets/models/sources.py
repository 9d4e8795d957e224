"""The pretrained network a ticket is drawn from."""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from robust_tickets.foundation.digests import tensors_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path
from robust_tickets.foundation.settings import parse
from robust_tickets.models.classifier import Classifier
from robust_tickets.models.families.user_code import stated_preprocessing
from robust_tickets.models.fitting import name_of
from robust_tickets.models.folders import is_saved, load_folder
from robust_tickets.models.heads import find_head, input_channels
from robust_tickets.models.identity import SourceIdentity
from robust_tickets.models.named import Loaded, load_named
from robust_tickets.models.preprocessing import Preprocessing, identity_preprocessing
from robust_tickets.models.settings import DEFAULT, RANDOM, SourceSettings


@dataclass(frozen=True, eq=False)
class Source:
    """A pretrained network, what it is, and what loads it again."""

    classifier: Classifier
    identity: SourceIdentity
    settings: SourceSettings
    """What loads it again on this machine; for a module given from Python, a name that says whose it is."""


def load_source(
    source: SourceSettings | str | Path | nn.Module | Source,
    *,
    preprocessing: Preprocessing | None = None,
    head: str | None = None,
    like: Classifier | None = None,
) -> Source:
    """Return a source: from settings, from a name or folder alone, or from a module at hand.

    Args:
        source: settings; a name or folder, which is settings with nothing else given; an nn.Module, which is
            taken as it is, not copied; or a source, which is returned as it is.
        preprocessing: of an nn.Module given as `source`; without it the module's own `preprocessing` or
            `pretrained_cfg`, and without these mean 0, std 1 and 224 x 224, stated in the identity's notes.
        head: module path of the last layer of an nn.Module given as `source`, where it is not recognised.
        like: a classifier of the same architecture, for a folder whose architecture is the user's own code.

    Raises:
        UserError: no such network, weights that do not fit it, or a preprocessing nobody states.
    """
    if isinstance(source, Source):
        return source
    if isinstance(source, nn.Module):
        return _from_module(source, preprocessing, head)
    settings = source if isinstance(source, SourceSettings) else SourceSettings(name=str(source))
    folder = given_path(settings.name)
    if is_saved(folder):
        return _from_folder(settings, folder, like)
    return _from_name(settings)


def _from_name(settings: SourceSettings) -> Source:
    """Load by name, and let what the settings state take precedence."""
    loaded = load_named(settings)
    given = settings.preprocessing.given()
    if loaded.preprocessing is None and not {"mean", "std", "size"} <= given.keys():
        raise UserError(
            f"{loaded.name}: nothing says how its inputs were normalised; give preprocessing: mean, std and "
            "size (mean [0, 0, 0] and std [1, 1, 1] if it takes images in [0, 1] as they are)"
        )
    base = loaded.preprocessing.model_dump() if loaded.preprocessing else {}
    preprocessing = parse(Preprocessing, {**base, **given}, "preprocessing")
    classifier = Classifier(loaded.body, preprocessing, settings.head or find_head(loaded.body))
    _check(settings, classifier, loaded.name)
    file = given_path(settings.weights)
    if settings.weights not in (DEFAULT, RANDOM) and file.exists():
        settings = settings.model_copy(update={"weights": str(file.resolve())})
    if settings.cache is not None:
        settings = settings.model_copy(update={"cache": str(given_path(settings.cache).resolve())})
    return Source(classifier, _identify(classifier, loaded), settings)


def _from_folder(settings: SourceSettings, folder: Path, like: Classifier | None) -> Source:
    """Read a network saved by us; only its preprocessing may be overridden."""
    for field in ("weights", "num_classes", "in_channels", "head"):
        if getattr(settings, field) != SourceSettings.model_fields[field].default:
            raise UserError(f"{field}: a saved network brings its own; leave it out for {folder}")
    classifier, identity = load_folder(folder, like)
    if given := settings.preprocessing.given():
        merged = parse(Preprocessing, {**identity.preprocessing.model_dump(), **given}, "preprocessing")
        classifier = Classifier(classifier.body, merged, classifier.head)
        _check(settings, classifier, str(folder))
        identity = identity.model_copy(update={"preprocessing": merged})
    place = str(folder.resolve())
    own_code = ":" in identity.name
    reload = {"name": identity.name, "weights": place} if own_code else {"name": place}
    return Source(classifier, identity, settings.model_copy(update=reload))


def _from_module(module: nn.Module, preprocessing: Preprocessing | None, head: str | None) -> Source:
    """Take a module at hand; a Classifier is taken apart, anything else is a body."""
    notes: tuple[str, ...] = ()
    if isinstance(module, Classifier):
        preprocessing, head, module = preprocessing or module.preprocessing, head or module.head, module.body
    preprocessing = preprocessing or stated_preprocessing(module)
    if preprocessing is None:
        channels = input_channels(module)
        if channels is None:
            raise UserError(
                f"{type(module).__name__}: no convolution says how many channels it reads; give preprocessing"
            )
        preprocessing = identity_preprocessing(channels, (224, 224))
        notes = ("preprocessing: not given; mean 0, std 1 and 224 x 224 assumed",)
    classifier = Classifier(module, preprocessing, head or find_head(module))
    name = name_of(module, classifier.num_classes)
    settings = SourceSettings(name=f"{type(module).__module__}:{type(module).__qualname__}")
    _check(settings, classifier, name)
    loaded = Loaded(name, module, preprocessing, "in memory", "Python module", notes)
    return Source(classifier, _identify(classifier, loaded), settings)


def _check(settings: SourceSettings, classifier: Classifier, name: str) -> None:
    """Refuse settings that contradict the network."""
    if settings.num_classes not in (None, classifier.num_classes):
        raise UserError(
            f"num_classes: {name} has {classifier.num_classes} classes, not {settings.num_classes}; "
            "leave it out, transfer gives the network a fresh head"
        )
    channels, normalised = input_channels(classifier.body), classifier.preprocessing.channels
    if channels is not None and settings.in_channels not in (None, channels):
        raise UserError(f"in_channels: {name} reads {channels} channels, not {settings.in_channels}; leave it out")
    if channels not in (None, normalised):
        raise UserError(f"preprocessing: mean has {normalised} channels, {name} reads {channels}")


def _identify(classifier: Classifier, loaded: Loaded) -> SourceIdentity:
    return SourceIdentity(
        name=loaded.name,
        weights=loaded.weights,
        format=loaded.format,
        digest=tensors_digest(classifier.plain_state()),
        num_classes=classifier.num_classes,
        head=classifier.head,
        preprocessing=classifier.preprocessing,
        modules=loaded.modules,
        notes=loaded.notes,
    )
