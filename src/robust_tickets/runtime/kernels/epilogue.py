"""What a kernel does to a value before it stores it."""

from dataclasses import dataclass


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
        assert self.kind == "relu"
        return [
            f"  %{prefix}.c = fcmp olt <16 x float> {value}, zeroinitializer",
            f"  %{prefix} = select <16 x i1> %{prefix}.c, <16 x float> zeroinitializer, <16 x float> {value}",
        ], f"%{prefix}"


def declarations(activation: Activation) -> list[str]:
    """Return what the activation calls."""
    return []
