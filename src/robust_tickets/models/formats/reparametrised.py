"""Weights that a file holds in parts, put together as their library does in the forward pass.

| kind | names in the file | weight |
|---|---|---|
| `torch.nn.utils.prune` | `W_orig`, `W_mask` | W_orig * W_mask |
| weight norm (1602.07868) | `W_g`, `W_v` | g v / norm of v |
| the same, newer | `parametrizations.W.original0`, `.original1` | |
| spectral norm (1802.05957) | `W_orig`, `W_u`, `W_v` | W / (u W v) |
| the same, newer | `parametrizations.W.original`, `.0._u`, `.0._v` | |
| torch.ao.pruning | `parametrizations.W.original`, `.0.mask` | W * mask |
| nncf | `W`, `__nncf_hooks.post_hooks.<W with : for .>__0.0.binary_mask`, or `.mask` of logits | W * mask |
"""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

import torch
from torch import Tensor

NNCF = "nncf"
PARAMETRISED = re.compile(r"(?P<owner>|.*\.)parametrizations\.(?P<leaf>\w+)\.(?P<part>original\d*|\d+\..+)")
HOOK = re.compile(r"(?P<outer>|.*\.)__nncf_hooks\.post_hooks\.(?P<node>.+)__0\.\d+\.(?P<kind>binary_mask|mask)")


@dataclass
class Plain:
    """A state dict with the weights themselves."""

    state: dict[str, Tensor]
    masks: dict[str, Tensor] = field(default_factory=dict)
    """Weight name -> bool tensor of its shape, True = kept, of weights that were pruned."""
    kinds: dict[str, list[str]] = field(default_factory=dict)
    """The tensors that were put together, by the library's name for it."""
    unknown: list[str] = field(default_factory=list)
    """Weights under a parametrisation whose code is not known and not in the file."""

    def put(self, kind: str, name: str, weight: Tensor, mask: Tensor | None = None) -> None:
        """Take in a weight, and its mask if it has one."""
        self.state[name] = weight
        self.kinds.setdefault(kind, []).append(name)
        if mask is not None:
            self.masks[name] = mask.expand(weight.shape) != 0


def put_together(state: Mapping[str, Tensor], wanted: Set[str]) -> Plain:
    """Return a state dict without reparametrisations, but for those that the architecture itself has.

    Args:
        state: tensors by name, perhaps behind a prefix.
        wanted: the architecture's own names; a tensor that is one of them is left as it is.
    """
    plain = Plain({})
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        match = PARAMETRISED.fullmatch(name)
        if match is None or _own(name, wanted):
            plain.state[name] = tensor
        else:
            parts.setdefault(f"{match['owner']}{match['leaf']}", {})[match["part"]] = tensor
    for name, found in parts.items():
        _parametrised(plain, name, found)
    for name in [name for name in plain.state if not _own(name, wanted)]:
        if (match := HOOK.fullmatch(name)) is not None:
            weight = f"{match['outer']}{match['node'].replace(':', '.')}"
            if weight in plain.state and plain.state[weight].shape == plain.state[name].shape:
                logits = plain.state.pop(name)
                mask = logits if match["kind"] == "binary_mask" else torch.sigmoid(logits) > 0.5
                plain.put(NNCF, weight, plain.state[weight] * mask, mask)
        elif name.endswith("_orig"):
            _hooked(plain, name.removesuffix("_orig"))
        elif name.endswith("_g"):
            _weight_norm(plain, name.removesuffix("_g"))
    return plain


def _own(name: str, wanted: Set[str]) -> bool:
    """Return whether a name is the architecture's, bare or behind a prefix."""
    return any(name[start:] in wanted for start in [0, *(at + 1 for at, letter in enumerate(name) if letter == ".")])


def _parametrised(plain: Plain, name: str, parts: dict[str, Tensor]) -> None:
    """Put together a list of parametrisations (`torch.nn.utils.parametrize`), in its order."""
    steps: dict[int, dict[str, Tensor]] = {}
    for part, tensor in parts.items():
        if not part.startswith("original"):
            index, _, rest = part.partition(".")
            steps.setdefault(int(index), {})[rest] = tensor
    kind, mask = "", None
    if "original0" in parts and "original1" in parts:
        weight, kind = normed(parts["original0"], parts["original1"]), "weight_norm"
    else:
        weight = parts.get("original")
    for index in sorted(steps):
        step = steps[index]
        if weight is None:
            break
        if step.keys() == {"_u", "_v"}:
            weight, kind = spectral(weight, step["_u"], step["_v"]), "spectral_norm"
        elif step.keys() == {"mask"} and _covers(step["mask"], weight):
            # a structured sparsifier has one value an output
            mask = step["mask"].reshape(step["mask"].shape + (1,) * (weight.ndim - step["mask"].ndim))
            weight, kind = weight * mask, "torch.ao.pruning"
        else:
            kind = ""
            break
    if weight is None or not kind:
        plain.unknown.append(name)
        plain.state |= {f"{_list_of(name)}.{part}": tensor for part, tensor in parts.items()}
    else:
        plain.put(kind, name, weight, mask)


def _covers(mask: Tensor, weight: Tensor) -> bool:
    """Return whether a mask is of the weight's sides, from the first one on; those with one entry are repeated."""
    sides = zip(mask.shape, weight.shape, strict=False)
    return 1 <= mask.ndim <= weight.ndim and all(own in (1, side) for own, side in sides)


def _list_of(name: str) -> str:
    owner, dot, leaf = name.rpartition(".")
    return f"{owner}{dot}parametrizations.{leaf}"


def _hooked(plain: Plain, name: str) -> None:
    """Put together what a hook before the forward pass would: pruning or spectral norm."""
    state = plain.state
    original, mask = state[f"{name}_orig"], state.get(f"{name}_mask")
    u, v = state.get(f"{name}_u"), state.get(f"{name}_v")
    if mask is not None and mask.shape == original.shape:
        del state[f"{name}_orig"], state[f"{name}_mask"]
        plain.put("torch.nn.utils.prune", name, original * mask, mask)
    elif u is not None and v is not None and (weight := spectral(original, u, v)) is not None:
        del state[f"{name}_orig"], state[f"{name}_u"], state[f"{name}_v"]
        plain.put("spectral_norm", name, weight)
    else:
        return
    if name.endswith(("_g", "_v")):  # pruned below its weight norm
        _weight_norm(plain, name[:-2])


def _weight_norm(plain: Plain, name: str) -> None:
    g, v = plain.state.get(f"{name}_g"), plain.state.get(f"{name}_v")
    if g is None or v is None or name in plain.state or (weight := normed(g, v)) is None:
        return
    del plain.state[f"{name}_g"], plain.state[f"{name}_v"]
    mask = plain.masks.pop(f"{name}_v", None)
    plain.masks.pop(f"{name}_g", None)
    plain.put("weight_norm", name, weight, mask)


def normed(g: Tensor, v: Tensor) -> Tensor | None:
    """Return g v / norm of v, the norm over all dimensions in which g has one entry (all, if g is a number).

    None if their shapes are not those of such a pair.
    """
    shapes = [[v.shape[at] if at == side else 1 for at in range(v.ndim)] for side in range(v.ndim)]
    if g.ndim and list(g.shape) not in shapes:
        return None
    side = shapes.index(list(g.shape)) if g.ndim else -1
    library = torch._weight_norm  # pyright: ignore[reportPrivateImportUsage] - what its modules call
    return library(_at_least_single(v), _at_least_single(g), side)


def spectral(weight: Tensor, u: Tensor, v: Tensor) -> Tensor | None:
    """Return W / (u W v), W as a matrix of u's length: its first side in front, of transposed convolutions its second.

    The largest singular value is estimated by the vectors in the file, as a network in evaluation mode does. None if
    their lengths are not those of such vectors.
    """
    if u.ndim != 1 or v.ndim != 1 or u.numel() * v.numel() != weight.numel() or u.numel() not in weight.shape[:2]:
        return None
    weight, u, v = _at_least_single(weight), _at_least_single(u), _at_least_single(v)
    side = 0 if weight.shape[0] == u.numel() else 1
    matrix = weight.transpose(0, side) if side else weight
    if side:  # the library keeps the other sides in their order
        matrix = weight.permute(side, *(other for other in range(weight.ndim) if other != side))
    sigma = torch.dot(u, torch.mv(matrix.reshape(matrix.shape[0], -1), v))
    return weight / sigma


def _at_least_single(tensor: Tensor) -> Tensor:
    """Return half precision as single: the network computes in its own."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
