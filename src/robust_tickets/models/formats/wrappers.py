"""Names that wrappers put anywhere inside a name, and nothing else: the module in them is the network's."""

from collections.abc import Mapping

from torch import Tensor

WRAPPERS = {
    "_orig_mod": "torch.compile",
    "_fsdp_wrapped_module": "FSDP",
    "_checkpoint_wrapped_module": "activation checkpointing",
    "_forward_module": "Lightning Fabric",
}
"""The part of a name, and who puts it there."""


def without_wrappers(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Return the tensors under names without the parts that wrappers add, and who had added some."""
    found: dict[str, Tensor] = {}
    seen: dict[str, None] = {}
    for name, tensor in state.items():
        parts = name.split(".")
        if WRAPPERS.keys() & set(parts):
            seen |= {WRAPPERS[part]: None for part in parts if part in WRAPPERS}
            name = ".".join(part for part in parts if part not in WRAPPERS)
        found[name] = tensor
    return found, list(seen)
