"""A file from a Hugging Face repository, its hash recorded at the first download and enforced ever after.

The Hub serves whatever a repository holds today. What was loaded first is written down, one small JSON a file
under `$HF_HOME/robust-tickets/`, outside the cache, so that it outlives a cleared one.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from pydantic import Field

from robust_tickets.foundation.digests import file_digest
from robust_tickets.foundation.errors import UserError
from robust_tickets.foundation.files import read_json, write_json
from robust_tickets.foundation.settings import Settings, parse
from robust_tickets.models.families.downloads import Downloads, in_short

LATEST = "main"


class Pin(Settings):
    """What was seen when a file was loaded for the first time."""

    revision: str = Field(description="The repository's commit.")
    digest: str = Field(description="`sha256:...` over the file's bytes.")


@dataclass(frozen=True)
class PinnedFile:
    """A file in the cache whose content is the recorded one."""

    path: Path
    pin: Pin


def fetch(repository: str, file: str, downloads: Downloads, revision: str = LATEST) -> PinnedFile:
    """Return a file of a Hugging Face repository from the cache, or download it at the recorded commit.

    Args:
        repository: `owner/name`.
        file: its path there.
        downloads: the cache, and whether anything may be fetched.
        revision: a branch, tag or commit, each of which has its own records.

    Raises:
        UserError: it is neither cached nor reachable, or not the file that was recorded or that the Hub names.
    """
    whose = repository if revision == LATEST else f"{repository}@{revision}"
    record, pin = record_of(whose, file), recorded(whose, file)
    path = cached(repository, file, downloads, pin, revision) or download(repository, file, downloads, pin, revision)
    # The cache links from `snapshots/<commit>/<file>` to `blobs/<hash>`; a file put there by hand is not a link.
    content, digest = path.resolve(), file_digest(path)
    if re.fullmatch(r"[0-9a-f]{64}", content.name) and digest != f"sha256:{content.name}":
        raise UserError(
            f"{file}: {content} is {digest}, but the Hub names sha256:{content.name}; delete it to download it again"
        )
    if pin is None:
        pin = Pin(revision=path.parent.name, digest=digest)
        write_json(record, pin.model_dump(mode="json"))
    if digest != pin.digest:
        raise UserError(
            f"{file}: {content} is {digest}, but {pin.digest} was recorded at its first download; delete it to "
            f"download it again, or delete {record} if you trust the current file"
        )
    return PinnedFile(path, pin)


def record_of(repository: str, file: str) -> Path:
    """Return where a file's pin is kept."""
    return Path(constants.HF_HOME) / "robust-tickets" / repository.replace("/", "--") / f"{file}.json"


def recorded(repository: str, file: str) -> Pin | None:
    """Return what was recorded of a file; None before its first download."""
    record = record_of(repository, file)
    return parse(Pin, read_json(record), str(record)) if record.exists() else None


def cached(repository: str, file: str, downloads: Downloads, pin: Pin | None, revision: str = LATEST) -> Path | None:
    """Return the file if the cache has it: at the recorded commit, else at the newest one known of its revision."""
    for known in [pin.revision, revision] if pin is not None else [revision]:
        found = try_to_load_from_cache(repository, file, cache_dir=downloads.hub_cache, revision=known)
        if isinstance(found, str):
            return Path(found)
    return None


def download(repository: str, file: str, downloads: Downloads, pin: Pin | None, revision: str = LATEST) -> Path:
    """Download a file into the cache.

    Raises:
        UserError: it cannot be reached; says why, and how to bring it here by hand.
    """
    reason = downloads.obstacle
    try:
        if not reason:
            revision = pin.revision if pin is not None else revision
            return Path(hf_hub_download(repository, file, revision=revision, cache_dir=downloads.hub_cache))
    except LocalEntryNotFoundError as error:
        reason = first_line(error.__cause__ or error)
    except (OSError, HfHubHTTPError) as error:
        reason = first_line(error)
    raise UserError(
        f"{file} is neither in {downloads.hub_cache} nor reachable ({in_short(reason)}); on a machine with a "
        f"connection, run: hf download {repository} {file}; then give that file as `weights: path/to/{file}`"
    )


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says."""
    return (str(error).splitlines() or [type(error).__name__])[0]
