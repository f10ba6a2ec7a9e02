"""URLs as they may be shown: without user, password and query, which can be secrets.

A signed media URL opens the media to whoever reads it. Errors, reprs and the command line
show it without its signature; what is sent, and the results, keep it whole. It imports
nothing of ours.
"""

from __future__ import annotations

import re

__all__ = ["repr_host_only", "repr_without_query", "short_name", "without_queries"]

_HIDDEN = "***"
# A slash may be escaped, as in JSON. All but the scheme is optional, so that no text is gone
# through twice.
_PLACE = r"(?P<scheme>(?:https?|wss?|s?ftp|smb):\\?/\\?/)(?:[^\s/@\"'<>\\]{0,1000}@)?"
# A quote or an angle bracket may be of the URL itself; it ends one where no more of it follows.
_INSIDE = r"[\"'<>](?=[\w%&+./=~-])"
_PATH = rf"(?:[^\s\"'<>?#]|{_INSIDE})*"
_REST = rf"(?:[^\s\"'<>]|{_INSIDE})*"
_QUERY = _PLACE + rf"(?P<path>{_PATH})(?P<query>[?#]{_REST})?"
# What stands of a query behind a blank, which a URL may have that somebody has written down.
_BEHIND_BLANK = rf"(?P<mark>[?&])[\w.~%\[\]-]{{1,100}}={_REST}"
_SCHEME = r"[a-z][a-z0-9+.-]*://"
_SUFFIX = r"\.\w{2,5}$"
_BEHIND_HOST = _PLACE + rf"(?P<host>[^\s\"'<>?#/\\]*){_REST}"
# They are compiled when the first text is shown, which most programs never do.


def without_queries(text: str) -> str:
    """Hide the query and the user of every URL in a text."""

    def hide(found: re.Match[str]) -> str:
        query = found["query"]
        return found["scheme"] + found["path"] + (query[0] + _HIDDEN if query else "")

    if ":" not in text:
        return text
    hidden, count = re.subn(_QUERY, hide, text, flags=re.IGNORECASE)
    return re.sub(_BEHIND_BLANK, rf"\g<mark>{_HIDDEN}", hidden) if count else text


def repr_without_query(value: object) -> str:
    """Return the repr of a value that may hold URLs, for a field's own repr."""
    return without_queries(repr(value))


def repr_host_only(value: object) -> str:
    """Return the repr of a value that may hold URLs whose path is a secret too."""
    return re.sub(_BEHIND_HOST, rf"\g<scheme>\g<host>/{_HIDDEN}", repr(value), flags=re.IGNORECASE)


def short_name(source: str, most: int) -> str:
    """Return a source on one line, without its query, for people who look for it in a list.

    Of a URL or path the end tells most, of a text the beginning.

    Args:
        source: A URL, a path or a text.
        most: Characters at most.
    """
    text = " ".join(without_queries(source).split())
    text = text.removesuffix(f"?{_HIDDEN}").removesuffix(f"#{_HIDDEN}")
    if len(text) <= most:
        return text
    if not re.search(r"[/\\]", text) or (" " in text and not re.search(_SUFFIX, text)):
        return f"{text[: most - 3]}..."
    bare = re.sub(_SCHEME, "", text, count=1, flags=re.IGNORECASE)
    if len(bare) <= most:
        return bare
    end = bare[3 - most :]
    between_parts = re.search(r"[/\\].", end[: len(end) // 2])
    return f"...{end[between_parts.start() :] if between_parts else end}"
