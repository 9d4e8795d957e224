"""What a kernel does to a value before it stores it."""

from dataclasses import dataclass

from robust_tickets.runtime.kernels.activations import LONG, expression
from robust_tickets.runtime.kernels.text import V
from robust_tickets.runtime.kernels.vector_code import DECLARATIONS


@dataclass(frozen=True, order=True)
class Activation:
    """An activation with its parameters."""

    kind: str = ""
    """Empty: none."""
    attributes: tuple[tuple[str, float], ...] = ()

    def ir(self, value: str, prefix: str) -> tuple[list[str], str]:
        """Return lines that compute it of the vector `value`, with names that begin with `prefix`, and the result."""
        if not self.kind:
            return [], value
        if self.kind in LONG:
            return [f"  %{prefix} = call {V} @activation({V} {value})"], f"%{prefix}"
        return expression(self.kind, dict(self.attributes), value, prefix)


def declarations(activation: Activation) -> list[str]:
    """Return what the lines call, `llvm.fmuladd` included; a long activation is a function, called for every vector."""
    if activation.kind not in LONG:
        return [*DECLARATIONS]
    lines, result = expression(activation.kind, dict(activation.attributes), "%x", "a")
    return [
        f"define internal {V} @activation({V} %x) noinline #0 {{",
        *lines,
        f"  ret {V} {result}",
        "}",
        *DECLARATIONS,
    ]
