"""URLs and texts in the one form that all their spellings have in common.

Services repeat a URL as their libraries write it: the host in lower case or in punycode, a
space as %20, a slash behind the host. It knows no request; the matching of results and the
search for lost jobs compare with it.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import unicodedata
from urllib.parse import quote, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SIMPLE = re.compile(r"(https?)://([a-z0-9.-]*[a-z0-9](?:/[\w.,=@-]+)+)", re.ASCII)
"""Most URLs are in normal form already, or nearly so."""
_LEGAL = "%!$&'()*+,;=:@/?[]~"
"""Signs that are not escaped; letters, digits and -._ are not either."""


def normal_form(url: str) -> str:
    """Return what stands for all spellings of a URL; one that is none is returned as it is."""
    if (simple := _SIMPLE.fullmatch(url)) and "/." not in url:
        return f"{simple[1]}://@{simple[2]}"
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return url
    scheme = parts.scheme.lower()
    host = _host(parts.hostname or "")
    if port is not None and port != _DEFAULT_PORTS.get(scheme):
        host = f"{host}:{port}"
    user = parts.netloc.rpartition("@")[0]
    path = _quoted(parts.path)
    if "/." in path:
        end = "/" if path.endswith(("/", "/.", "/..")) else ""
        path = f"/{posixpath.normpath(path).strip('/')}{end}".replace("//", "/")
    query = f"?{_quoted(parts.query)}" if parts.query else ""
    # Without a path is the same as with nothing but a slash; elsewhere `a` and `a/` are two.
    return f"{scheme}://{user}@{host}{'' if path == '/' else path}{query}"


def mark_of(kind: str, given: str, size: int) -> bytes:
    """Return a digest of the normal form of a URL, or of a text."""
    form = normal_form(given) if kind == "urls" else normal_text(given)
    return hashlib.blake2b(form.encode(errors="surrogatepass"), digest_size=size).digest()


def normal_text(text: str) -> str:
    """Return what stands for a text however its spaces and accents are written."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _host(name: str) -> str:
    try:
        return name.rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        return name.lower()


def _quoted(text: str) -> str:
    """Escape what must be escaped, once, and nothing that need not be."""
    text = _BARE_PERCENT.sub("%25", text)
    text = quote(text.encode(errors="surrogatepass"), safe=_LEGAL)
    return _ESCAPED.sub(_unescaped, text)


def _unescaped(found: re.Match[str]) -> str:
    """Return an escape as every writer of URLs agrees on it."""
    sign = chr(int(found[1], 16))
    is_plain = sign.isascii() and (sign.isalnum() or sign in "-._~")
    return sign if is_plain else found[0].upper()
