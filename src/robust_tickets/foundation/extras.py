"""Packages that only some jobs need, and what installs them."""

from importlib.util import find_spec

from robust_tickets.foundation.errors import UserError


def require_extra(package: str, extra: str, asker: str) -> None:
    """Refuse a job for which a package of an extra is missing.

    Args:
        package: by the name that is imported.
        extra: of robust-tickets, that installs it.
        asker: who needs it, as the message begins.

    Raises:
        UserError: says how to install it.
    """
    spec = find_spec(package)
    # A folder of that name in the working directory is found as a package without a file.
    if spec is None or spec.origin is None:
        raise UserError(f"{asker} needs the package {package}: pip install 'robust-tickets[{extra}]'")
