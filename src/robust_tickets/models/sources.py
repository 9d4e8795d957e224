"""The pretrained network a ticket is drawn from."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field
from torch import nn

from robust_tickets.foundation.digests import tensors_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.seeds import global_stream
from robust_tickets.foundation.settings import Settings
from robust_tickets.models.classifier import Classifier
from robust_tickets.models.families.family import Family, Shape
from robust_tickets.models.families.user_code import stated_preprocessing
from robust_tickets.models.folders import is_saved, load_folder
from robust_tickets.models.formats.file import read_checkpoint
from robust_tickets.models.formats.recognise import find_state, recognise
from robust_tickets.models.heads import classes_of, find_head, first_convolution, get_head
from robust_tickets.models.identity import SourceIdentity
from robust_tickets.models.preprocessing import Preprocessing, PreprocessingOverrides, identity_preprocessing
from robust_tickets.models.registry import resolve
from robust_tickets.models.strict import load_strictly, mismatches
from robust_tickets.models.suggest import suggest

DEFAULT = "default"
RANDOM = "random"


class SourceSettings(Settings):
    """Which network, with which weights."""

    name: str = Field(
        min_length=1,
        description="`timm/resnet18` (or bare), `timm/resnet18.a1_in1k`, `torchvision/resnet50`, "
        "`cifar/resnet20`, `small/resnet18`, `package.module:function`, or a folder saved by us.",
    )
    weights: str = Field(
        default=DEFAULT,
        min_length=1,
        description="`default` (the library's pretrained weights, or the function's own), the tag of other "
        "pretrained weights, a path to a file, or `random`.",
    )
    preprocessing: PreprocessingOverrides = Field(
        default=PreprocessingOverrides(),
        description="What differs from the preprocessing that comes with the weights.",
    )
    num_classes: int | None = Field(
        default=None,
        ge=2,
        description="Classes of a network with random weights; pretrained ones bring their own.",
    )
    in_channels: int | None = Field(
        default=None,
        ge=1,
        description="Input channels of a network with random weights; pretrained ones bring their own.",
    )
    head: str | None = Field(
        default=None, description="Module path of the last layer, where it is not recognised."
    )


@dataclass(frozen=True)
class Source:
    """A pretrained network, what it is, and the settings that load it again."""

    classifier: Classifier
    identity: SourceIdentity
    settings: SourceSettings


def load_source(
    source: "SourceSettings | str | Path | nn.Module | Source",
    *,
    preprocessing: Preprocessing | None = None,
    head: str | None = None,
    seed: int = 0,
) -> Source:
    """Return a source: from settings, from a name or folder alone, or from a module at hand.

    Args:
        source: settings; a name or folder, which is settings with nothing else given; an nn.Module; or a
            source, which is returned as it is.
        preprocessing: of an nn.Module given as `source`; without it the module's own `preprocessing` or
            `pretrained_cfg`, and without these mean 0, std 1 and 224 x 224, stated in the identity's notes.
        head: module path of the last layer of an nn.Module given as `source`, where it is not recognised.
        seed: of the streams `init` and `head`, which matter for random weights only.

    Raises:
        UserError: no such network, weights that do not fit it, or a preprocessing nobody states.
    """
    if isinstance(source, Source):
        return source
    if isinstance(source, nn.Module):
        return _from_module(source, preprocessing, head)
    settings = source if isinstance(source, SourceSettings) else SourceSettings(name=str(source))
    folder = Path(settings.name).expanduser()
    if is_saved(folder):
        return _from_folder(settings, folder)
    family, name = resolve(settings.name)
    with global_stream(seed, "init"):
        if settings.weights == RANDOM:
            return _random(settings, family, name, seed)
        file = Path(settings.weights).expanduser()
        if settings.weights == DEFAULT or (settings.weights in family.tags(name) and not file.exists()):
            return _pretrained(settings, family, name)
        return _from_file(settings, family, name, file)


def _random(settings: SourceSettings, family: Family, name: str, seed: int) -> Source:
    overrides = settings.preprocessing
    channels = settings.in_channels or (len(overrides.mean) if overrides.mean else None)
    body = family.build(name, Shape(settings.num_classes, channels, overrides.size))
    presumed, _ = family.preprocessing(name, body, channels or 3)
    if presumed is None and channels:
        recorded, _ = family.preprocessing(name, body, 3)
        presumed = recorded and identity_preprocessing(channels, recorded.size)
    return _source(
        settings, family, name, body, presumed, f"random (seed {seed})", "random initialisation", ()
    )


def _pretrained(settings: SourceSettings, family: Family, name: str) -> Source:
    tag = None if settings.weights == DEFAULT else settings.weights
    found = family.pretrained(name, tag, Shape(size=settings.preprocessing.size))
    own = f"{family.prefix.rstrip('/') or 'user'} pretrained"
    return _source(settings, family, name, found.body, found.preprocessing, found.tag, own, ())


def _from_file(settings: SourceSettings, family: Family, name: str, file: Path) -> Source:
    if not file.exists():
        tags = ", ".join(family.tags(name)[:6])
        raise UserError(
            f"weights: {settings.weights!r} is neither a file nor pretrained weights of {settings.name}"
            f"{f' ({tags})' if tags else ''}; give a path, `default` or `random`"
        )
    state = find_state(read_checkpoint(file), str(file))
    body = family.build(name, Shape(size=settings.preprocessing.size))
    unwrapped = recognise(state, body.state_dict().keys())
    state = unwrapped.state

    head = settings.head or find_head(body)
    get_head(body, head)
    classes = state[f"{head}.weight"].shape[0] if f"{head}.weight" in state else None
    stem = f"{first_convolution(body)[0]}.weight"
    channels = state[stem].shape[1] if stem in state and state[stem].ndim == 4 else None
    body = family.build(name, Shape(classes, channels, settings.preprocessing.size))
    if classes and classes_of(get_head(body, head)) != classes:
        Classifier(body, identity_preprocessing(1, (1, 1)), head).reset_head(classes, seed=0)
    if wrong := mismatches(body, state):
        meant = suggest(state, settings.name)
        raise UserError(
            f"{file}: does not fit {settings.name} (read as {unwrapped.layout}): {'; '.join(wrong)}"
            f"{f'; it fits {meant}' if meant else ''}"
        )
    load_strictly(body, state)

    presumed, note = family.preprocessing(name, body, channels or 3)
    notes = (note,) if note and not settings.preprocessing.given() and unwrapped.mean is None else ()
    if unwrapped.mean is not None and unwrapped.std is not None:
        size = settings.preprocessing.size or (presumed.size if presumed else (224, 224))
        base = presumed or identity_preprocessing(len(unwrapped.mean), size)
        presumed = base.model_copy(update={"mean": unwrapped.mean, "std": unwrapped.std})
    layout = unwrapped.layout
    if layout == "plain state dict" and family.prefix:
        layout = f"{family.prefix.rstrip('/')} state dict"
    return _source(settings, family, name, body, presumed, file.name, layout, notes)


def _source(
    settings: SourceSettings,
    family: Family,
    name: str,
    body: nn.Module,
    presumed: Preprocessing | None,
    weights: str,
    layout: str,
    notes: tuple[str, ...],
) -> Source:
    """Wrap a body, check it against what was asked, and record what it is."""
    full = f"{family.prefix}{name}"
    given = settings.preprocessing.given()
    if presumed is None and not {"mean", "std", "size"} <= given.keys():
        raise UserError(
            f"{full}: nothing says how its inputs were normalised; give preprocessing: mean, std and size "
            "(mean [0, 0, 0] and std [1, 1, 1] if it takes images in [0, 1] as they are)"
        )
    merged = Preprocessing(**{**(presumed.model_dump() if presumed else {}), **given})
    head = settings.head or find_head(body)
    classifier = Classifier(body, merged, head)
    _check(settings, classifier, full)
    return Source(classifier, _identity(classifier, full, weights, layout, notes), settings)


def _check(settings: SourceSettings, classifier: Classifier, full: str) -> None:
    """Refuse settings that contradict the network."""
    if settings.num_classes not in (None, classifier.num_classes):
        raise UserError(
            f"num_classes: {full} has {classifier.num_classes} classes, not {settings.num_classes}; "
            "leave it out, transfer gives the network a fresh head"
        )
    reads = first_convolution(classifier.body)[1].in_channels
    if settings.in_channels not in (None, reads):
        raise UserError(
            f"in_channels: {full} reads {reads} channels, not {settings.in_channels}; leave it out"
        )
    if classifier.preprocessing.channels != reads:
        raise UserError(
            f"preprocessing: mean has {classifier.preprocessing.channels} channels, {full} reads {reads}"
        )


def _identity(
    classifier: Classifier, name: str, weights: str, layout: str, notes: tuple[str, ...]
) -> SourceIdentity:
    return SourceIdentity(
        name=name,
        weights=weights,
        format=layout,
        digest=tensors_digest(classifier.plain_state()),
        num_classes=classifier.num_classes,
        head=classifier.head,
        preprocessing=classifier.preprocessing,
        notes=notes,
    )


def _from_folder(settings: SourceSettings, folder: Path) -> Source:
    """Read a network saved by us; only its preprocessing may be overridden."""
    for field in ("num_classes", "in_channels", "head"):
        if getattr(settings, field) is not None:
            raise UserError(f"{field}: a saved network brings its own; leave it out for {folder}")
    if settings.weights != DEFAULT:
        raise UserError(f"weights: a saved network brings its own; leave it out for {folder}")
    classifier, identity = load_folder(folder)
    if given := settings.preprocessing.given():
        merged = Preprocessing(**{**identity.preprocessing.model_dump(), **given})
        classifier = Classifier(classifier.body, merged, classifier.head)
        identity = identity.model_copy(update={"preprocessing": merged})
    return Source(classifier, identity, settings)


def _from_module(module: nn.Module, preprocessing: Preprocessing | None, head: str | None) -> Source:
    """Take a module at hand; a Classifier is taken apart, anything else is a body."""
    notes: tuple[str, ...] = ()
    if isinstance(module, Classifier):
        preprocessing, head, module = preprocessing or module.preprocessing, head or module.head, module.body
    preprocessing = preprocessing or stated_preprocessing(module)
    if preprocessing is None:
        preprocessing = identity_preprocessing(first_convolution(module)[1].in_channels, (224, 224))
        notes = ("preprocessing: not given; mean 0, std 1 and 224 x 224 assumed",)
    classifier = Classifier(module, preprocessing, head or find_head(module))
    name = f"{type(module).__module__}:{type(module).__qualname__}"
    settings = SourceSettings(name=name)
    _check(settings, classifier, name)
    return Source(classifier, _identity(classifier, name, "in memory", "Python module", notes), settings)
