"""Which proxy a URL is reached through, as the environment says.

aiohttp has a setting for this, but with it reads `~/.netrc` too and sends what it finds there
along, beside the credential that the client was given. The transport calls it.
"""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from humeai_async.errors import ConfigurationError
from humeai_async.settings import is_proxy


def proxy_of(url: str) -> str | None:
    """Return the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name for a URL.

    Raises:
        ConfigurationError: What they name is no proxy that can be used.
    """
    parts = urlsplit(url)
    proxy = getproxies_environment().get(parts.scheme)
    if not proxy or proxy_bypass(parts.netloc):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if is_proxy(proxy):
        return proxy
    # Not shown: it may hold a password.
    raise ConfigurationError(
        f"{parts.scheme.upper()}_PROXY must be a URL such as "
        "http://user:password@proxy.example:3128"
    )
