"""Which network, with which weights: the settings of a source."""

from pydantic import Field

from robust_tickets.foundation.settings import Settings, later_field
from robust_tickets.models.preprocessing import PreprocessingOverrides

DEFAULT = "default"
RANDOM = "random"


class SourceSettings(Settings):
    """Which network, with which weights."""

    name: str = Field(
        min_length=1,
        description="`timm/resnet18` (or bare), `timm/resnet18.a1_in1k`, `torchvision/resnet50`, "
        "`madry/resnet18-l2-3.0`, `cifar/resnet20`, `small/resnet18`, `package.module:function`; a language model of "
        "the Hugging Face Hub, `hf/OWNER/NAME` or `hf/OWNER/NAME@REVISION`, or `tiny/bert`; or a folder: one saved by "
        "robust-tickets, or one from timm, transformers or the Hub with `config.json` and weights.",
    )
    weights: str = Field(
        default=DEFAULT,
        min_length=1,
        description="`default` (the library's pretrained weights, or the function's own), the tag of other "
        "pretrained weights, a path to a file or to a folder (saved by robust-tickets, or from the Hugging "
        "Face Hub), or `random`.",
    )
    weights_entry: str | None = Field(
        default=None,
        min_length=1,
        description="Which weights to take from a file with several, as `state_dict` and `state_dict_ema`; absent: "
        "the most complete ones, and the moving average if there is one.",
    )
    preprocessing: PreprocessingOverrides = Field(
        default=PreprocessingOverrides(),
        description="Changes to the preprocessing that comes with the weights.",
    )
    num_classes: int | None = Field(
        default=None, ge=2, description="Classes of a network with random weights; others bring their own."
    )
    in_channels: int | None = Field(
        default=None,
        ge=1,
        description="Input channels of a network with random weights; others bring their own.",
    )
    head: str | None = Field(default=None, description="Module path of the last layer, if it is not recognised.")
    tokenizer: str | None = later_field(
        None,
        min_length=1,
        description="Of a language model: a tokenizer.json, a folder with one, or a plain text file, one text a line, "
        "or `tales` (the built-in texts), that a vocabulary is learned from; absent: the one that came with the "
        "model, of tiny/bert that of the tales.",
    )
    vocabulary_size: int = later_field(
        4000,
        ge=300,
        description="Most tokens of a vocabulary that is learned from a text file, the 256 bytes included.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the initialisation of random weights.")
    cache: str | None = Field(
        default=None, min_length=1, description="Folder for downloads; absent: the library's own."
    )
    offline: bool = Field(default=False, description="Use only what is already in the cache; contact no server.")
