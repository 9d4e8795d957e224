"""The architecture's own names, bare or behind the prefix of what the network was trained in."""

from collections.abc import Set

from robust_tickets.models.formats.layout import State, Unwrapped, strip

PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")


class Plain:
    """Names as the architecture has them."""

    def unwrap(self, state: State, wanted: Set[str]) -> Unwrapped | None:
        """Return the tensors as they are, if any name is the architecture's."""
        return Unwrapped(dict(state), "plain state dict") if wanted & state.keys() else None


class Prefixed:
    """Every name behind `module.` (DataParallel), `_orig_mod.` (torch.compile), `model.`, or several."""

    def unwrap(self, state: State, wanted: Set[str]) -> Unwrapped | None:
        """Return the tensors without what all names begin with."""
        stripped = ""
        while prefix := next((p for p in PREFIXES if all(name.startswith(stripped + p) for name in state)), ""):
            stripped += prefix
        if not stripped:
            return None
        label = "DataParallel" if stripped == "module." else "prefixed"
        return Unwrapped(strip(state, stripped), f"{label} state dict ({stripped}*)")
