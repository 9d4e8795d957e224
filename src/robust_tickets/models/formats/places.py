"""Where in a checkpoint an architecture is found: in which state dict, behind which prefix of the names in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from robust_tickets.models.formats.layout import Unwrapped
from robust_tickets.models.formats.madry import madry
from robust_tickets.models.formats.renames import Renamed, renamed
from robust_tickets.models.formats.reparametrised import Plain, put_together
from robust_tickets.models.formats.wrappers import without_wrappers


@dataclass(frozen=True)
class Reading:
    """One state dict of a checkpoint, read for one architecture; names still have their prefix."""

    entry: str
    """Its place in the checkpoint; "" for the checkpoint itself."""
    wrappers: tuple[str, ...]
    """Who wrapped modules of the network, parts of names that are gone here."""
    plain: Plain
    renamed: Renamed
    """All tensors, reparametrisations put together, under the architecture's names."""
    madry: Unwrapped | None = None
    """The network of the robustness library, where it is one."""

    @property
    def state(self) -> dict[str, Tensor]:
        """Return the tensors."""
        return self.renamed.state if self.madry is None else self.madry.state


@dataclass(frozen=True)
class NetworkPlace:
    """A network inside a checkpoint."""

    reading: Reading
    prefix: str
    agreeing: int
    """How many of the architecture's tensors are there, of its shape but for their first side (the classes)."""
    named: int
    """How many are there, whatever their shape."""

    @property
    def name(self) -> str:
        """What `weights_entry` calls it; "." if it is all that the file holds."""
        return ".".join(part for part in (self.reading.entry, self.prefix.removesuffix(".")) if part) or "."

    @property
    def depth(self) -> int:
        """How many modules are around it in its state dict."""
        return self.prefix.count(".")

    @property
    def completeness(self) -> tuple[int, int]:
        """Return what two places are compared by: a wider network may have the same names."""
        return self.agreeing, self.named


def places(entry: str, state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> Iterator[NetworkPlace]:
    """Yield a place for every prefix behind which any of the architecture's names is found.

    Args:
        entry: where in the checkpoint the state dict is.
        state: the state dict.
        wanted: the architecture's own tensors by name.
    """
    bare, wrappers = without_wrappers(state)
    plain = put_together(bare, wanted.keys())
    reading = Reading(entry, tuple(wrappers), plain, renamed(plain.state, wanted))
    if not wanted.keys() & reading.state.keys():
        reading = Reading(entry, tuple(wrappers), plain, reading.renamed, madry(reading.state))
    named: dict[str, int] = {}
    agreeing: dict[str, int] = {}
    for name, tensor in reading.state.items():
        for start in starts(name):
            like = wanted.get(name[start:])
            if like is not None and not name.endswith("num_batches_tracked"):
                prefix = name[:start]
                named[prefix] = named.get(prefix, 0) + 1
                agreeing[prefix] = agreeing.get(prefix, 0) + (like.shape[1:] == tensor.shape[1:])
    for prefix in named:
        yield NetworkPlace(reading, prefix, agreeing[prefix], named[prefix])


def starts(name: str) -> list[int]:
    """Return where in a dotted name its parts begin."""
    return [0, *(at + 1 for at, letter in enumerate(name) if letter == ".")]
