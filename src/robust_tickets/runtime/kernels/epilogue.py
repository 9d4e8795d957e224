"""What a kernel does to a value before it stores it."""

from dataclasses import dataclass

from robust_tickets.runtime.kernels.activations import EXPRESSIONS, LONG
from robust_tickets.runtime.kernels.vector_code import DECLARATIONS, V, VectorCode


@dataclass(frozen=True, order=True)
class Activation:
    """An activation with its parameters."""

    kind: str = ""
    """Empty: none."""
    attributes: tuple[tuple[str, float], ...] = ()

    def of(self, code: VectorCode, value: str) -> str:
        """Return it of a vector; a long one is a function, called for every vector."""
        if not self.kind:
            return value
        if self.kind in LONG:
            return code.line(f"call {V} @activation({V} {value})")
        return EXPRESSIONS[self.kind](code, value, dict(self.attributes))


def declarations(activation: Activation) -> list[str]:
    """Return what may be called where an activation is written down: its function if it is long, and LLVM's own."""
    if activation.kind not in LONG:
        return [*DECLARATIONS]
    code = VectorCode("v")
    result = EXPRESSIONS[activation.kind](code, "%x", dict(activation.attributes))
    head = f"define internal {V} @activation({V} %x) noinline #0 {{"
    return [head, *code.lines, f"  ret {V} {result}", "}", *DECLARATIONS]
