"""What holds a credential from the moment that it is given, so that nothing shows it.

A traceback may be printed with the values of all variables. So whatever takes a credential holds it
first, deletes its own argument, and checks the rest after that. It knows nothing of requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import NoReturn, ParamSpec, Self, TypeVar
from urllib.parse import quote, quote_plus

from humeai_async._base.base_values import as_base
from humeai_async.errors import HumeError

__all__ = ["SHORTEST_KEY", "Secret", "call_without_frames", "hold"]

T = TypeVar("T")
P = ParamSpec("P")

SHORTEST_KEY = 8
"""Characters of a key at least."""

_SHORTEST_INSIDE = 4
"""Characters of a credential that is looked for inside of words too. No real one is shorter, and
a single letter is in every sentence."""


def hold(given: object, origin: str = "") -> Secret | type | None:
    """Hold what may be a secret; what is no text is found out by whoever checks it.

    Args:
        given: What was given, of any type.
        origin: As of `Secret`.

    Returns:
        A `Secret` of a text, `None` of `None`, and of anything else its type.
    """
    given = as_base(given)
    if given is None or isinstance(given, Secret):
        return given
    return Secret(given, origin) if isinstance(given, str) else type(given)


def call_without_frames(
    function: Callable[P, T], *args: P.args, **settings: P.kwargs
) -> T | HumeError:
    """Call a function whose arguments may hold a secret, and return its error if it fails.

    The error has no frames, which would show the arguments: whoever calls deletes its own, and
    raises it then.
    """
    try:
        return function(*args, **settings)
    except HumeError as problem:
        return problem.with_traceback(None)


class Secret:
    """A credential that shows itself only when asked.

    Args:
        text: The credential.
        origin: Where it comes from, such as `the variable HUME_API_KEY`; for messages.
    """

    __slots__ = ("_text", "origin")

    def __init__(self, text: str, origin: str = "") -> None:
        self._text: str = as_base(text)
        self.origin: str = origin

    @property
    def escaped(self) -> str:
        """The credential as it stands in a query."""
        return quote_plus(self._text)

    def reveal(self) -> str:
        """Return the credential, for the one place that sends it."""
        return self._text

    def is_whole(self) -> bool:
        """Whether it can be a credential: some text without white space or control characters."""
        return bool(self._text) and self._text.isprintable() and " " not in self._text

    def redact(self, text: str) -> str:
        """Remove the credential from a text, as it is or escaped as in a URL or in JSON."""
        in_json = json.dumps(self._text, ensure_ascii=False)[1:-1]
        in_url = quote(self._text, safe="")
        for form in (self._text, in_url, self._text.replace("/", "\\/"), in_json):
            if len(form) >= _SHORTEST_INSIDE:
                text = text.replace(form, "***")
            elif form:
                text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", "***", text)
        return text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: the pickle would show the credential."""
        raise TypeError("what holds a credential cannot be pickled: make it anew where it is used")

    def __repr__(self) -> str:
        return "Secret(***)"
