"""Where downloads are kept and whether any are made; one clear line if one is impossible."""

import socket
import textwrap
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from robust_tickets.foundation.errors import UserError


@dataclass(frozen=True)
class Downloads:
    """How pretrained weights may be downloaded."""

    cache: Path | None = None
    """Where downloads are kept; None: where the library that downloads keeps them."""
    offline: bool = False
    """Whether only what is already kept is used."""

    @property
    def hub_cache(self) -> Path:
        """The folder of the Hugging Face cache."""
        return self.cache or Path(constants.HF_HUB_CACHE)

    @property
    def obstacle(self) -> str:
        """Why nothing can be fetched from the Hugging Face Hub, in a few words; empty if it can."""
        if self.offline:
            return "source.offline is set"
        if constants.HF_HUB_OFFLINE:
            return "HF_HUB_OFFLINE is set"
        return "" if reachable(constants.ENDPOINT) else "no network"

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Let a library fetch the pretrained weights of `name` from its cache or its server.

        Raises:
            UserError: the weights are neither cached nor reachable.
        """
        try:
            yield
        except (OSError, HfHubHTTPError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            if isinstance(error, LocalEntryNotFoundError):  # says nothing but that the cache was all that was asked
                reason = self.obstacle or reason
            raise UserError(
                f"{name}: its pretrained weights are neither cached nor reachable ({in_short(reason)}); "
                f"give a local file as `weights: path/to/file`"
            ) from error

    @contextmanager
    def hub(self) -> Iterator[None]:
        """Use the Hub's cache at once if nothing can be fetched; its client would retry for most of a minute."""
        before = constants.HF_HUB_OFFLINE
        constants.HF_HUB_OFFLINE = bool(self.obstacle)
        try:
            yield
        finally:
            constants.HF_HUB_OFFLINE = before

    @contextmanager
    def torch_hub(self, url: str) -> Iterator[None]:
        """Let torch.hub keep its downloads in this cache.

        Raises:
            FileNotFoundError: offline, and the file at `url` is not kept there.
        """
        # `get_dir` would turn a place that follows the environment into a fixed one.
        before = torch.hub._hub_dir
        if self.cache is not None:
            torch.hub.set_dir(self.cache)
        try:
            file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urllib.parse.urlparse(url).path).name
            if self.offline and not file.exists():
                raise FileNotFoundError(f"source.offline is set, no checkpoints/{file.name} in the cache")
            yield
        finally:
            torch.hub._hub_dir = before


def in_short(reason: str) -> str:
    """Return the beginning of a library's message, without cutting a word in two."""
    return textwrap.shorten(reason, 100, placeholder=" ...")


def reachable(url: str) -> bool:
    """Return whether a request could leave: the host's name resolves, or a proxy is asked to."""
    if urllib.request.getproxies():
        return True
    try:
        socket.getaddrinfo(urllib.parse.urlparse(url).hostname, 443)
    except OSError:
        return False
    return True
