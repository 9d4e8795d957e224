"""A network by its family's name for it: with random or pretrained weights, or those of a file."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import Tensor, nn

from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import given_path
from robust_tickets.foundation.seeds import global_stream
from robust_tickets.models.families.downloads import Downloads
from robust_tickets.models.families.family import ArchitectureOptions, Family, Loaded
from robust_tickets.models.families.hub_folders import explain, is_hub_folder, read_hub_folder
from robust_tickets.models.families.language_sources import language_source
from robust_tickets.models.fitting import twins_of, what_it_is
from robust_tickets.models.folders import is_saved, load_folder
from robust_tickets.models.formats.file import read_checkpoint
from robust_tickets.models.formats.layout import Unwrapped
from robust_tickets.models.formats.likeness import of_other_size
from robust_tickets.models.formats.recognise import Checkpoint
from robust_tickets.models.formats.renames import doubt, unlike
from robust_tickets.models.formats.reparametrised import NNCF
from robust_tickets.models.heads import (
    classes_of,
    first_convolution,
    fresh_head,
    get_head,
    input_channels,
    presumed_head,
    put_head,
)
from robust_tickets.models.interface import Interface
from robust_tickets.models.pixels import Pixels, identity_preprocessing
from robust_tickets.models.registry import resolve
from robust_tickets.models.settings import DEFAULT, RANDOM, SourceSettings
from robust_tickets.models.strict import load_strictly, mismatches, missing_layer, with_layer, with_ties


def load_named(settings: SourceSettings) -> Loaded:
    """Load the network that `settings` name.

    Raises:
        UserError: no such network, no such weights, or weights that do not fit.
    """
    with global_stream(settings.seed, "init"):
        if (language := language_source(settings)) is not None:
            return language
    if settings.tokenizer is not None:
        raise UserError(f"tokenizer: {settings.name} is not a language model; leave it out")
    if is_hub_folder(folder := given_path(settings.name)):
        settings = _of_hub_folder(settings, folder)
    family, name = resolve(settings.name)
    file = given_path(settings.weights)
    with global_stream(settings.seed, "init"):
        own = settings.weights == DEFAULT or (settings.weights in family.tags(name) and not file.exists())
        if settings.weights_entry is not None and (own or settings.weights == RANDOM):
            raise UserError(f"weights_entry: only a weights file has entries, but weights is {settings.weights!r}")
        if settings.weights == RANDOM:
            return _random(settings, family, name)
        if own:
            return _pretrained(settings, family, name)
        return _from_file(settings, family, name, file)


def _of_hub_folder(settings: SourceSettings, folder: Path) -> SourceSettings:
    """Return the same settings with the architecture's name, and the folder as its weights."""
    name = read_hub_folder(folder).name
    if name is None:
        raise UserError(explain(folder))
    weights = str(folder) if settings.weights == DEFAULT else settings.weights
    return settings.model_copy(update={"name": name, "weights": weights})


def _random(settings: SourceSettings, family: Family, name: str) -> Loaded:
    overrides = settings.preprocessing
    channels = settings.in_channels or (len(overrides.mean) if overrides.mean else None)
    body = family.build(name, ArchitectureOptions(settings.num_classes, channels, overrides.size))
    presumed, _ = family.preprocessing(name, body, channels or 3)
    if presumed is None and channels:
        colour, _ = family.preprocessing(name, body, 3)
        presumed = identity_preprocessing(channels, colour.size) if isinstance(colour, Pixels) else colour
    weights = f"random (seed {settings.seed})"
    return Loaded(f"{family.prefix}{name}", body, presumed, weights, "random initialisation")


def _pretrained(settings: SourceSettings, family: Family, name: str) -> Loaded:
    tag = None if settings.weights == DEFAULT else settings.weights
    downloads = Downloads(given_path(settings.cache) if settings.cache is not None else None, settings.offline)
    return family.pretrained(name, tag, ArchitectureOptions(size=settings.preprocessing.size), downloads)


def _from_file(settings: SourceSettings, family: Family, name: str, file: Path) -> Loaded:
    full = f"{family.prefix}{name}"
    if not file.exists():
        tags = ", ".join(family.tags(name)[:6])
        raise UserError(
            f"weights: {settings.weights!r} is neither a file nor pretrained weights of "
            f"{full}{f' ({tags})' if tags else ''}; give a path, `default` or `random`"
        )
    hub = read_hub_folder(file) if is_hub_folder(file) else None
    if hub is not None:
        file = hub.weights
        if hub.preprocessing is not None and settings.preprocessing.size is None:
            overrides = settings.preprocessing.model_copy(update={"size": hub.preprocessing.size})
            settings = settings.model_copy(update={"preprocessing": overrides})
    body = family.build(name, ArchitectureOptions(size=settings.preprocessing.size))
    if is_saved(file):
        classifier, identity = load_folder(file, like=body)
        return Loaded(
            full,
            classifier.body,
            identity.preprocessing,
            identity.weights,
            identity.format,
            identity.notes,
            identity.modules,
            identity.head,
            headless=identity.head if identity.headless else None,
            projector=classifier.projector,
        )
    checkpoint = Checkpoint(read_checkpoint(file), str(file))
    found = checkpoint.unwrap(body.state_dict(), settings.weights_entry)
    bare = found.state
    if found.instead_of_head and (head := presumed_head(body)) is not None:
        bare = {tensor: value for tensor, value in bare.items() if not tensor.startswith(f"{head}.")}
    body = _of_the_same_shape(settings, family, name, body, bare)
    if found.unknown:
        raise UserError(
            f"{file}: {found.unknown[0]} has a parametrisation whose code is not in the file (torch.ao.pruning "
            "keeps its masks elsewhere, too); call squash_mask() or remove_parametrizations before saving"
        )
    state = with_ties(body, bare)
    if (headless := missing_layer(body, state)) is not None:
        state = with_layer(body, headless, state)
    if wrong := mismatches(body, state):
        size = of_other_size(state, body.state_dict())
        why = size or "; ".join(what_it_is(checkpoint, full) or wrong)
        raise UserError(f"{file}: does not fit {full} (read as {found.layout}): {why}")
    if difference := unlike(found.code, body):
        raise UserError(f"{file}: does not fit {full}: {difference}")
    load_strictly(body, state, str(file))
    preprocessing, notes = _preprocessing(settings, family, name, body, found)
    if hub is not None and hub.preprocessing is not None:
        preprocessing, notes = hub.preprocessing, ("preprocessing: from the folder's config.json",)
    layout = found.layout
    if layout.startswith("plain state dict") and family.prefix:
        layout = layout.replace("plain", family.prefix.removesuffix("/"), 1)
    others = () if found.code else twins_of(full, body)
    twins = (f"twin: {phrase}; if the accuracy is low, try that name" for phrase in others)
    doubts = (phrase for phrase in [doubt(found.code, body)] if phrase is not None)
    notes += (*found.notes, *_about(found, headless, state), *doubts, *twins)
    masks = {weight: mask for weight, mask in found.masks.items() if weight in bare and weight in state}
    return Loaded(full, body, preprocessing, file.name, layout, notes, masks=masks, headless=headless)


def _about(found: Unwrapped, headless: str | None, state: Mapping[str, Tensor]) -> Iterator[str]:
    """Say what is special about the weights, of which those in `state` were loaded."""
    if found.masks:
        weights = sum(mask.numel() for mask in found.masks.values())
        removed = 1 - sum(int(mask.sum()) for mask in found.masks.values()) / weights
        yield (
            f"pruned: {len(found.masks)} masks came with the weights, which make {100 * removed:.1f} % of those "
            "weights zero; `tickets draw --score zeros` takes them as the ticket"
        )
    if NNCF in found.reparametrised:
        yield "nncf: its masks were applied; nncf.strip does that before saving only with StripFormat.IN_PLACE"
    if headless is None:
        return
    replaced = [name for name in found.state if name not in state or name.startswith(f"{headless}.")]
    if not replaced:
        yield f"head: the weights came without {headless}; it is random until a transfer trains it"
        return
    layers = ", ".join(dict.fromkeys(name.rpartition(".")[0] for name in replaced))
    what = f"{found.instead_of_head} ({layers})" if found.instead_of_head else f"layers ({layers}), perhaps a projector"
    yield f"head: in place of {headless} the file has {what}; left out, so that the head is random"


def _of_the_same_shape(
    settings: SourceSettings, family: Family, name: str, body: nn.Module, state: dict[str, Tensor]
) -> nn.Module:
    """Return the architecture with as many classes and input channels as the checkpoint has."""
    heads = _heads_of_other_size(body, state)
    classes = next(iter(heads.values()), None)
    stem = first_convolution(body)
    weight = state.get(f"{stem[0]}.weight") if stem else None
    channels = weight.shape[1] * stem[1].groups if stem and weight is not None and weight.ndim == 4 else None
    if classes is None and channels in (None, input_channels(body)):
        return body
    body = family.build(name, ArchitectureOptions(classes, channels, settings.preprocessing.size))
    for path, count in heads.items():
        if count != classes_of(head := get_head(body, path)):
            put_head(body, path, fresh_head(head, count, seed=0))
    return body


def _heads_of_other_size(body: nn.Module, state: dict[str, Tensor]) -> dict[str, int]:
    """Return the layers for which a checkpoint has more or fewer outputs, and how many, all the same number.

    A layer inside a network of another width is recognised by what follows it, which then differs too.
    """
    found: dict[str, int] = {}
    for path, module in body.named_modules():
        weight, own = state.get(f"{path}.weight"), getattr(module, "weight", None)
        if not isinstance(module, nn.Linear | nn.Conv2d) or weight is None or not isinstance(own, Tensor):
            continue
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            continue
        if weight.ndim == own.ndim and weight.shape[1:] == own.shape[1:] and len(weight) != len(own):
            found[path] = len(weight)
    return found if len({*found.values()}) == 1 else {}


def _preprocessing(
    settings: SourceSettings, family: Family, name: str, body: nn.Module, found: Unwrapped
) -> tuple[Interface | None, tuple[str, ...]]:
    """Return the checkpoint's own mean and std where it has them, else what the family presumes, and why."""
    presumed, note = family.preprocessing(name, body, input_channels(body) or 3)
    if found.mean is not None and found.std is not None:
        unknown = identity_preprocessing(len(found.mean), settings.preprocessing.size or (224, 224))
        base = presumed if isinstance(presumed, Pixels) else unknown
        own = base.model_copy(update={"mean": found.mean, "std": found.std})
        return own, (f"preprocessing: mean and std from {found.normaliser}",)
    stated = settings.preprocessing.mean is not None and settings.preprocessing.std is not None
    return presumed, (note,) if note and not stated else ()
