"""A model's repository on the Hugging Face Hub as a folder: its files at one commit, pinned."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from robust_tickets.foundation.errors import UserError
from robust_tickets.models.families.downloads import Downloads, in_short
from robust_tickets.models.families.hub_folders import CONFIG, FILES
from robust_tickets.models.families.pinned import LATEST, fetch, first_line
from robust_tickets.models.formats.shards import shards_of

BESIDE = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "modules.json",
    "sentence_bert_config.json",
)
"""Small files that are wanted if they are there."""


@dataclass(frozen=True)
class HubSnapshot:
    """A repository's files in the cache, and which they are."""

    folder: Path
    repository: str
    commit: str
    digest: str | None
    """`sha256:...` of the file of weights, or of the index of sharded ones; None if they were not asked for."""


def snapshot(name: str, downloads: Downloads, *, weights: bool) -> HubSnapshot:
    """Return a model of the Hub from the cache, or download it.

    Args:
        name: `OWNER/NAME` or `NAME`, with `@REVISION` (branch, tag or commit) or without.
        downloads: the cache, and whether anything may be fetched.
        weights: whether its weights are wanted, and not only configuration and tokenizer.

    Raises:
        UserError: it is neither cached nor reachable, or not what was recorded at the first download.
    """
    repository, _, revision = name.partition("@")
    if re.fullmatch(r"[\w.-]+(/[\w.-]+)?", repository) is None:
        raise UserError(f"hf/{name}: is no name of a model on the Hub; those are hf/OWNER/NAME, hf/OWNER/NAME@REVISION")
    configuration = fetch(repository, CONFIG, downloads, revision or LATEST)
    folder = configuration.path.parent
    commit = folder.name
    there = {file.name for file in folder.iterdir()}
    if not {BESIDE[0], CONFIG} <= there or (weights and there.isdisjoint(FILES)):
        there |= _listed(repository, commit, downloads)
    wanted = [file for file in BESIDE if file in there]
    digest = None
    if weights:
        file = next((file for file in FILES if file in there), FILES[0])
        found = fetch(repository, file, downloads, commit)
        digest = found.pin.digest
        if file.endswith(".index.json"):
            wanted += _shards(found.path)
    for file in wanted:
        fetch(repository, file, downloads, commit)
    return HubSnapshot(folder, repository, commit, digest)


def _shards(index: Path) -> list[str]:
    """Return the names of the files that an index lists, there or not."""
    return sorted({file.name for file in shards_of(index, present=False)})


def _listed(repository: str, commit: str, downloads: Downloads) -> set[str]:
    """Return the names of a repository's files; none if it cannot be asked.

    Raises:
        UserError: the Hub refuses.
    """
    if downloads.obstacle:
        return set()
    try:
        return set(HfApi().list_repo_files(repository, revision=commit))
    except (OSError, HfHubHTTPError) as error:
        raise UserError(f"hf/{repository}: its files cannot be listed ({in_short(first_line(error))})") from None
