"""A checkpoint of any format turned into safetensors, legacy pickles on explicit request only."""

from pathlib import Path
from typing import Any

from pydantic import Field
from safetensors.torch import save

from robust_tickets.foundation.digests import file_digest, tensors_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import write_bytes, write_json
from robust_tickets.foundation.ownership import STAMP, json_of, require_ours
from robust_tickets.foundation.settings import Settings
from robust_tickets.models.formats.file import file_kind, read_checkpoint
from robust_tickets.models.formats.inert import read_inert
from robust_tickets.models.formats.pickles import foreign_globals
from robust_tickets.models.formats.recognise import layout_of
from robust_tickets.models.formats.states import states_in


class Conversion(Settings):
    """What was converted; written next to the weights, as `<out>.json`."""

    file: str = Field(description="Name of the file that was read.")
    file_digest: str = Field(description="`sha256:...` over its bytes.")
    format: str = Field(description="The layout that was recognised.")
    digest: str = Field(description="`sha256:...` over the names, shapes and bytes of the tensors written.")
    tensors: int = Field(description="Number of tensors written.")
    mean: tuple[float, ...] | None = Field(description="Mean of the checkpoint's own normaliser, if any.")
    std: tuple[float, ...] | None = Field(description="Standard deviation of the checkpoint's own normaliser.")
    ignored: tuple[str, ...] = Field(description="Globals that the pickle would have imported; none was imported.")


def convert(path: Path | str, out: Path | str, allow_pickle: bool = False, entry: str | None = None) -> Conversion:
    """Write the state dict of a checkpoint as safetensors, names unchanged, and report what it was.

    Give the result as `weights`, like the original: a normaliser stays with its network. A pickle
    is never executed: with `allow_pickle` its tensors are rebuilt and everything else is ignored, whether or
    not the packages it names are installed. A whole pickled network is turned into its state dict.

    Args:
        path: a PyTorch or safetensors file.
        out: the file to write, ending in `.safetensors`; its facts go to `<out>.json`.
        allow_pickle: consent to read a pickle that would import code.
        entry: which state dict of several, by its place in the checkpoint; None takes the average if there is one.

    Raises:
        UserError: the pickle would import code and there is no consent; the message lists what. Or the file
            is broken, or there is no state dict in it, or another's file is at `out`.
    """
    path, out = Path(path), Path(out)
    if out.suffix != ".safetensors":
        raise UserError(f"{out}: the file to write must end in .safetensors")
    require_ours(out)
    require_ours(record := out.with_name(f"{out.name}.json"), is_record)
    foreign = foreign_globals(path) if file_kind(path) != "safetensors" else []
    if foreign and not allow_pickle:
        raise UserError(
            f"{path}: is a pickle that imports {', '.join(foreign[:12])}{' ...' if foreign[12:] else ''}; "
            "allow it (--allow-pickle) to extract its tensors and ignore these"
        )
    content: Any = read_inert(path) if foreign else read_checkpoint(path)
    states = states_in(content, str(path))
    name, state = next(iter(states.items())) if entry is None else (entry, states.get(entry))
    if state is None:
        raise UserError(f"{path}: has no entry {entry!r}; it has {', '.join(map(repr, states))}")
    found = layout_of(state)
    if found.duplicates:
        state = {name: tensor for name, tensor in state.items() if name not in found.duplicates}
    tensors = {name: tensor.detach().contiguous().clone() for name, tensor in state.items()}
    facts = Conversion(
        file=path.name,
        file_digest=file_digest(path),
        format=found.layout if len(states) == 1 else f"{found.layout}, {name} of {', '.join(states)}",
        digest=tensors_digest(tensors),
        tensors=len(tensors),
        mean=found.mean,
        std=found.std,
        ignored=tuple(foreign),
    )
    write_bytes(out, save(tensors, STAMP))
    write_json(record, facts.model_dump(mode="json"))
    return facts


def is_record(path: Path) -> bool:
    """Return whether a file holds the facts of a conversion."""
    return (content := json_of(path)) is not None and content.keys() == Conversion.model_fields.keys()
