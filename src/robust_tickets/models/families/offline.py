"""One clear line where a download is impossible, and no minutes of retries before it."""

import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError

from robust_tickets.foundation.errors import UserError


@contextmanager
def downloads(name: str) -> Iterator[None]:
    """Let a library fetch the pretrained weights of `name` from its cache or its server.

    Raises:
        UserError: the weights are neither cached nor reachable.
    """
    try:
        yield
    except (OSError, HfHubHTTPError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{name}: its pretrained weights are neither cached nor reachable (offline? {reason:.80}); "
            f"give a local file as `weights: path/to/file`"
        ) from error


@contextmanager
def hub_cache_if_offline() -> Iterator[None]:
    """Use the Hub's cache at once where there is no network; its client would retry for most of a minute."""
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not _reachable(constants.ENDPOINT)
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _reachable(url: str) -> bool:
    """Return whether a request could leave: the host's name resolves, or a proxy is asked to."""
    if urllib.request.getproxies():
        return True
    try:
        socket.getaddrinfo(urllib.parse.urlparse(url).hostname, 443)
    except OSError:
        return False
    return True
