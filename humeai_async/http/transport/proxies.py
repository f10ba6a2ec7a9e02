"""Proxies: their URL apart from their password.

aiohttp shows a proxy's URL, with user and password, in its reprs and warnings, and refuses
characters beyond Latin-1 in them. The transport and the sockets read all proxies here.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import getproxies_environment, proxy_bypass

from humeai_async._base.secret import Secret
from humeai_async.errors import ConfigurationError
from humeai_async.settings import is_proxy


class Proxy(NamedTuple):
    """A proxy as aiohttp takes it."""

    url: str
    """Without user and password."""
    authorization: Secret | None = None
    """Value of the header that holds user and password."""

    @classmethod
    def read(cls, url: Secret) -> Proxy:
        """Read a URL that `is_proxy`."""
        parts = urlsplit(url.reveal())
        bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
        if parts.username is None:
            return cls(bare)
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return cls(bare, Secret("Basic " + b64encode(pair.encode()).decode("ascii")))


def through(proxy: Proxy, url: str) -> dict[str, Any]:
    """Return what the HTTP library is told of a proxy for a URL.

    A proxy is told user and password when a tunnel is opened, and with each request where there
    is none.
    """
    settings: dict[str, Any] = {"proxy": proxy.url}
    if proxy.authorization is not None:
        receiver = "proxy_headers" if url.startswith("https:") else "headers"
        settings[receiver] = {"Proxy-Authorization": proxy.authorization.reveal()}
    return settings


def proxy_of(url: str) -> Proxy | None:
    """Return the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name for a URL.

    Raises:
        ConfigurationError: What they name is no proxy that can be used.
    """
    parts = urlsplit(url)
    proxy = _find_variable(parts.scheme)
    if proxy is None or proxy_bypass(parts.netloc):
        return None
    if is_proxy(proxy.reveal()):
        return Proxy.read(proxy)
    # Not shown: it may hold a password.
    raise ConfigurationError(
        f"{parts.scheme.upper()}_PROXY must be a URL such as "
        "http://user:password@proxy.example:3128"
    )


def _find_variable(scheme: str) -> Secret | None:
    """Return the URL of a scheme's proxy variable, which often has no scheme of its own."""
    proxy = getproxies_environment().get(scheme)
    if not proxy:
        return None
    return Secret(proxy if "://" in proxy else f"http://{proxy}")
