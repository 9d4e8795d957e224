"""What is to be written to a place, judged by its name before torch is loaded."""

from pathlib import Path

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.names import WEIGHT_FILES

EXPORTED = (".onnx", ".rtk")
"""What files are written, by their suffix."""


def is_folder(out: Path | str) -> bool:
    """Return whether a place means a folder: its name ends in `/` or has no suffix, or a folder is there."""
    return str(out).endswith("/") or not Path(out).suffix or Path(out).is_dir()


def require_form(out: Path | str) -> bool:
    """Return whether a folder is to be written, and not a file.

    Raises:
        UserError: the name does not say what to write.
    """
    if not str(out):
        raise UserError("out: is empty; give a name that ends in .onnx or .rtk, or a folder/")
    as_folder = is_folder(out)
    if not as_folder and Path(out).suffix not in EXPORTED:
        raise UserError(
            f"{out}: its suffix does not say what to write; end it in {' or '.join(EXPORTED)}, or in / for a folder"
        )
    return as_folder


def require_exported(path: Path) -> None:
    """Refuse a checkpoint, going by its suffix, where an exported network is expected.

    Raises:
        UserError: it is one; the message says where that goes.
    """
    if path.is_file() and path.suffix.lower() in WEIGHT_FILES:
        raise UserError(
            f"{path}: is neither an ONNX file (.onnx) nor a runtime file (.rtk); turn a checkpoint into one "
            f"with tickets export NETWORK --weights {path} --out model.onnx"
        )
