"""The networks, dense and pruned, as the files that engines read. Each is made once a run."""

import copy
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.inference.engines import as_tensors
from benchmarks.inference.team import ROOT
from benchmarks.scale import Inference
from robust_tickets.foundation.files import write_json
from robust_tickets.models.layers import prunable_weights
from robust_tickets.models.network import Network
from robust_tickets.models.prunable import Prunable
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import load_source
from robust_tickets.pruning.applier import MaskApplier
from robust_tickets.pruning.groups import AnyGroup, Block, Element
from robust_tickets.pruning.masks import Masks
from robust_tickets.pruning.scopes import LayerScope
from robust_tickets.pruning.select import Selection
from robust_tickets.runtime.storage.file import write_file
from robust_tickets.shrinking.conversion import convert
from robust_tickets.shrinking.export import export_onnx, feed, metadata
from robust_tickets.shrinking.quantisation import quantise, quantise_matrices
from robust_tickets.verbs.draw import draw

Pattern = Literal["uniform", "block8x1", "global"]
"""Which weights are zero: as many in every layer, one by one or 8 outputs together, or what ranks lowest of all."""
Format = Literal["onnx", "int8", "torch", "runtime"]

LANGUAGE: dict[str, dict[str, int]] = {
    "language/minilm": {
        "hidden_size": 384,
        "num_hidden_layers": 6,
        "num_attention_heads": 12,
        "intermediate_size": 1536,
        "vocab_size": 30522,
    },
    "language/bert_base": {
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "vocab_size": 30522,
    },
    "language/tiny": {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "vocab_size": 4000,
    },
}
"""BERTs of these sizes, with random weights: what a call costs does not depend on the weights."""
PATTERNS: dict[Pattern, AnyGroup] = {"uniform": Element(), "block8x1": Block(out=8, inputs=1)}
SEED = 0
TRAINED = "trained.json"
"""In the folder of a trained network, written last: what it was trained on, and how long."""
CALIBRATION = 16
"""Images for the int8 file: random, as the weights are; ranges do not change what a call costs."""


@cache
def workspace() -> tempfile.TemporaryDirectory[str]:
    """Return the folder of this run's files; it goes with the process."""
    return tempfile.TemporaryDirectory(prefix="benchmark-networks-")


def random_images(scale: Inference, count: int) -> NDArray[np.float32]:
    """Return float32 images [N, 3, H, W], uniform in [0, 1], the same on every call."""
    return np.random.default_rng(SEED).random((count, 3, scale.size, scale.size), dtype=np.float32)


def given(scale: Inference, source: str, count: int) -> Any:
    """Return what a network is given: random images, or texts of `scale.tokens` random tokens, by name."""
    if source in LANGUAGE:
        return feed(dense(scale, source).interface.timed(count, scale.tokens))
    return random_images(scale, count)


def trained_folder(scale: Inference, source: str) -> Path | None:
    """Return where the trained network lies, or None: nobody has trained one (`python -m benchmarks.trained`)."""
    folder = ROOT / scale.trained / label(source) if scale.trained else None
    return folder if folder is not None and (folder / TRAINED).is_file() else None


def label(source: str) -> str:
    """Return the part of a network's name that files are called by: `resnet18` of `torchvision/resnet18`."""
    return source.rpartition("/")[2]


@cache
def dense(scale: Inference, source: str, trained: bool = False) -> Network:
    """Return a network by its name, with random weights or as trained, in eval mode.

    A trained one gets a random head of as many classes as the random one has: they cost the same.
    """
    if source in LANGUAGE:
        folder = Path(workspace().name, label(source))
        write_json(folder / "config.json", {"model_type": "bert", **LANGUAGE[source]})
        settings = {"name": str(folder), "weights": "random", "tokenizer": "tales"}
        return load_source(SourceSettings.model_validate(settings)).network.eval()
    size = {"size": (scale.size, scale.size)}
    if not trained:
        settings = {"name": source, "weights": "random", "preprocessing": size}
        return load_source(SourceSettings.model_validate(settings)).network.eval()
    folder = trained_folder(scale, source)
    settings = SourceSettings.model_validate({"name": str(folder), "preprocessing": size})
    classifier = copy.deepcopy(load_source(settings).network)
    classifier.reset_head(dense(scale, source).num_classes, SEED)
    return classifier.eval()


def is_trained(scale: Inference, pattern: Pattern) -> bool:
    """Tell whether the pattern is measured on a trained network: ranking all weights together needs one."""
    return pattern == "global" and scale.trained is not None


@cache
def masks(scale: Inference, source: str, pattern: Pattern, percent: int) -> Masks:
    """Return what is kept: stem and head are dense, but for `global`, which is what `draw` gives."""
    if pattern == "global":
        return draw(dense(scale, source, is_trained(scale, pattern)), sparsity=percent / 100).masks
    classifier = dense(scale, source)
    names = prunable_weights(classifier, Prunable(include_stem=False)) if percent else []
    weights = {name: classifier.body.get_parameter(name).detach() for name in names}
    return Selection(group=PATTERNS[pattern], scope=LayerScope()).select(weights, sparsity=percent / 100)


@cache
def pruned(scale: Inference, source: str, pattern: Pattern, percent: int) -> Network:
    """Return the network with its zeros."""
    classifier = copy.deepcopy(dense(scale, source, is_trained(scale, pattern)))
    MaskApplier(dict(classifier.body.named_parameters()), masks(scale, source, pattern, percent)).apply_to_weights()
    return classifier


@cache
def dense_file(scale: Inference, source: str, form: Format, trained: bool = False) -> Path:
    """Return the dense network as a file of one format."""
    path = path_of(source, form, "trained" if trained else "dense")
    if form != "int8":
        return written(dense(scale, source, trained), form, path)
    if source in LANGUAGE:
        quantise_matrices(dense_file(scale, source, "onnx", trained), path)
        return path
    quantise(dense_file(scale, source, "onnx", trained), path, random_images(scale, CALIBRATION))
    return path


@cache
def pruned_file(scale: Inference, source: str, pattern: Pattern, percent: int, form: Format) -> Path:
    """Return a pruned network as a file of one format."""
    return written(pruned(scale, source, pattern, percent), form, path_of(source, form, f"{pattern}-{percent}"))


def path_of(source: str, form: Format, kind: str) -> Path:
    """Return the place of a file."""
    ending = {"onnx": "onnx", "int8": "int8.onnx", "torch": "pt", "runtime": "rtk"}[form]
    return Path(workspace().name, f"{label(source)}-{kind}.{ending}")


def written(classifier: Network, form: Format, path: Path) -> Path:
    """Write a network in one format and return the file."""
    if form == "torch":
        torch.save(classifier, path)
    elif form == "runtime":
        write_file(convert(classifier, metadata(classifier, None, None)), path)
    else:
        export_onnx(classifier, path)
    return path


@cache
@torch.no_grad()
def expected(scale: Inference, source: str, pattern: Pattern, percent: int, batch: int) -> Tensor:
    """Return the logits that the pruned network's own modules compute for what the benchmark gives them."""
    return pruned(scale, source, pattern, percent)(as_tensors(given(scale, source, batch)))
