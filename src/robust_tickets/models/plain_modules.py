"""A user's module as a plain one: wrappers taken off, weights in float32 under plain names, or refused in one line."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize, prune
from torch.nn.utils.spectral_norm import SpectralNorm, remove_spectral_norm
from torch.nn.utils.weight_norm import WeightNorm, remove_weight_norm

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.forward_trace import copied_module
from robust_tickets.models.frozen_norms import adopt_norms, foreign_norms
from robust_tickets.pruning.masks import Masks

WRAPPERS = {
    "torch._dynamo.eval_frame.OptimizedModule": "_orig_mod",
    "torch.nn.parallel.data_parallel.DataParallel": "module",
    "torch.nn.parallel.distributed.DistributedDataParallel": "module",
    "torch.optim.swa_utils.AveragedModel": "module",
    "torch.distributed.algorithms._checkpoint.checkpoint_wrapper.CheckpointWrapper": "_checkpoint_wrapped_module",
    "timm.utils.model_ema.ModelEma": "ema",
    "timm.utils.model_ema.ModelEmaV2": "module",
    "timm.utils.model_ema.ModelEmaV3": "module",
    "lightning.fabric.wrappers._FabricModule": "module",
}
"""Classes that put a module inside another, which computes the same, and where it is in them."""

QUANTISED = ("torch.ao.nn.quantized", "torch.nn.quantized", "torch.ao.nn.intrinsic.quantized")


def unwrapped(module: Any) -> Any:
    """Return what torch.compile, DataParallel, DistributedDataParallel or a moving average of weights wraps."""
    while (place := _place_inside(module)) is not None:
        module = getattr(module, place)
    return module


def plain_module(module: nn.Module, name: str) -> tuple[nn.Module, tuple[str, ...]]:
    """Return a module of plain float32 weights, and notes on what had to be done to it.

    A module that is plain already is returned itself. Otherwise a copy is changed: wrapped parts are unwrapped, half
    and double precision become float32, and weights that something computes before each pass (the masks of
    torch.nn.utils.prune, weight and spectral norms, parametrisations) become the weights that it computes. Frozen batch
    norms of torchvision become batch norms that stay frozen.

    Args:
        module: the user's network.
        name: what messages call it.

    Raises:
        UserError: it is TorchScript, not initialised, without values, quantised, sparse, or of tensors of another kind.
    """
    module = unwrapped(module)
    _require_values(module, name)
    pruned = pruned_masks(module)
    computed = [path for path, part in module.named_modules() if _computes_weights(part)]
    wrapped = [part for part in module.modules() if _place_inside(part) is not None]
    tensors = [*module.parameters(), *module.buffers()]
    kinds = {tensor.dtype for tensor in tensors if tensor.is_floating_point()} - {torch.float32}
    frozen = len(foreign_norms(module))
    if not (computed or pruned or wrapped or kinds or frozen):
        return module, ()
    notes: list[str] = []
    memo: dict[int, Any] = {}
    for part in reversed(wrapped):  # inner ones first
        inner = unwrapped(part)
        memo[id(part)] = memo[id(inner)] if id(inner) in memo else copied_module(inner, memo, name)
    module = copied_module(module, memo, name)
    if computed or pruned:
        _settle(module)
    if computed:
        notes.append(f"weights: those computed by norms or parametrisations of {_some(computed)}, as plain weights")
    if pruned:
        zeros = sum(int((~mask).sum()) for mask in pruned.values())
        share = zeros / sum(mask.numel() for mask in pruned.values())
        notes.append(
            f"weights: the masks of torch.nn.utils.prune were applied; {100 * share:.1f} % of the weights in "
            f"{len(pruned)} tensors are zero; `--score zeros` takes these zeros as the ticket"
        )
    if frozen:
        adopt_norms(module)
        notes.append(f"norms: {frozen} frozen batch norms, whose statistics, scales and shifts stay as they are")
    if kinds:
        module.float()
        notes.append(f"weights: cast to float32 from {', '.join(sorted(str(kind)[6:] for kind in kinds))}")
    return module, tuple(notes)


def pruned_masks(module: nn.Module) -> Masks:
    """Return the masks that torch.nn.utils.prune applies before every pass, by the plain name of their weight."""
    return {
        f"{path}.{leaf}".lstrip("."): getattr(part, f"{leaf}_mask").bool()
        for path, part in module.named_modules()
        for leaf in _pruned_leaves(part)
    }


def _pruned_leaves(module: nn.Module) -> list[str]:
    hooks = module._forward_pre_hooks.values()
    return [hook._tensor_name for hook in hooks if isinstance(hook, prune.BasePruningMethod)]


def _place_inside(module: Any) -> str | None:
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(module).__mro__)
    return next((WRAPPERS[name] for name in names if name in WRAPPERS), None)


def _computes_weights(module: nn.Module) -> bool:
    hooks = module._forward_pre_hooks.values()
    return parametrize.is_parametrized(module) or any(isinstance(hook, WeightNorm | SpectralNorm) for hook in hooks)


def _settle(module: nn.Module) -> None:
    """Give every part of a module the weights that it would compute in evaluation, as plain parameters, in place."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    for part in list(module.modules()):
        for leaf in _pruned_leaves(part):
            prune.remove(part, leaf)
        for hook in list(part._forward_pre_hooks.values()):
            if isinstance(hook, WeightNorm):
                remove_weight_norm(part, hook.name)
            elif isinstance(hook, SpectralNorm):
                remove_spectral_norm(part, hook.name)
        if parametrize.is_parametrized(part):
            # A copy shares the class that torch made for the original, whose property removal would take away too.
            kind = type(part)
            part.__class__ = type(kind.__name__, kind.__bases__, dict(vars(kind)))  # pyright: ignore[reportAttributeAccessIssue]
            for leaf in list(part.parametrizations):  # pyright: ignore[reportArgumentType]
                parametrize.remove_parametrizations(part, leaf, leave_parametrized=True)
    for part in module.modules():
        part.training = modes.get(part, module.training)


def _require_values(module: nn.Module, name: str) -> None:
    if isinstance(module, torch.jit.ScriptModule):
        raise UserError(f"{name}: is TorchScript, whose layers cannot be replaced; give the Python module it came from")
    for path, part in module.named_modules():
        if type(part).__module__.startswith(QUANTISED):
            raise UserError(f"{name}: {path} is quantised; give the network in floating point, as it was before")
    parameters = dict(module.named_parameters())
    for path, tensor in [*parameters.items(), *module.named_buffers()]:
        if problem := _problem(tensor, is_parameter=path in parameters):
            raise UserError(f"{name}: {path} {problem}")


def _problem(tensor: Tensor, *, is_parameter: bool) -> str:
    if is_lazy(tensor):
        return "has no values yet, because its layer is lazy; pass one batch through the network first"
    if tensor.is_meta:
        return "has no values (device meta); load the weights first"
    if tensor.layout != torch.strided:
        return f"is sparse ({tensor.layout}); make it dense first with to_dense(); its zeros will be recognised"
    if tensor.is_quantized or (is_parameter and not (tensor.is_floating_point() or tensor.is_complex())):
        return f"is quantised ({tensor.dtype}); give the network in floating point, as it was before"
    if tensor.is_complex():
        return f"is complex ({tensor.dtype}); weights must be real"
    data = tensor.data if is_parameter else tensor
    if type(data) not in (Tensor, nn.Parameter, nn.Buffer):
        return f"is a {type(data).__name__}; it must be a plain tensor, all on one device"
    return ""


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more layers" if names[3:] else "")
