"""Credentials that change: a function of the user's, and the keys of access tokens.

A `CredentialSource` is asked when a request is about to be sent, so what waited long for its turn
has a credential that is new. Origins hold one in place of a `Secret`; the session asks it, and
tells it of a 401, after which it is asked once more.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias, cast, runtime_checkable

from humeai_async._base.secret import Secret, hold
from humeai_async.errors import ConfigurationError

AskCredential: TypeAlias = Callable[[], str | Awaitable[str]]
"""A function that returns a credential, perhaps asynchronously."""

_MOST_KNOWN = 256
"""Credentials that are looked for in what servers repeat; those before them are forgotten."""


@runtime_checkable
class CredentialSource(Protocol):
    """Gives the credential for a request that is about to be sent."""

    account: str
    """Stands for it in the limiter's buckets; does not reveal it."""
    origin: str
    """Where it comes from, for messages."""

    async def current(self) -> Secret:
        """Return the credential to send."""
        ...

    def reject(self, secret: Secret) -> None:
        """Learn that a credential was refused with 401."""

    def redact(self, text: str) -> str:
        """Remove the credentials that were given out from a text."""
        ...


class SourceBase:
    """What all sources share: they know what they gave out."""

    def __init__(self, account: str, origin: str) -> None:
        digest = hashlib.blake2b(account.encode(), digest_size=6)
        self.account: str = digest.hexdigest()
        self.origin: str = origin
        self._known: dict[str, Secret] = {}

    def hold(self, text: str) -> Secret:
        """Hold a credential, and take it out of texts from now on."""
        secret = self._known.pop(text, None) or Secret(text, self.origin)
        self._known[text] = secret
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return secret

    def redact(self, text: str) -> str:
        """Remove the credentials that were given out from a text."""
        for secret in list(self._known.values()):
            text = secret.redact(text)
        return text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.origin})"


class AskedSource(SourceBase):
    """Asks a function of the user's for each request.

    The quota is taken to be that of the function: two clients with the same one share it.

    Args:
        ask: The function.
        name: The argument that it was given as.
    """

    def __init__(self, ask: AskCredential, name: str) -> None:
        kind = type(ask)  # not all that can be called has names of its own
        module = getattr(ask, "__module__", kind.__module__)
        where = getattr(ask, "__qualname__", kind.__qualname__)
        super().__init__(f"{module}.{where}", f"the function given as {name}")
        self._ask = ask

    async def current(self) -> Secret:
        """Ask the function.

        Raises:
            ConfigurationError: It returned something that is no credential. What it raises
                itself goes to the caller as it is.
        """
        made = await _ask(self._ask)
        if not isinstance(made, Secret):
            kind = "NoneType" if made is None else made.__name__
            raise ConfigurationError(f"{self.origin} returned {kind}, not a str")
        if not made.is_whole():
            raise ConfigurationError(
                f"{self.origin} returned what is empty or holds white space or control characters"
            )
        return self.hold(made.reveal())

    def reject(self, secret: Secret) -> None:
        """Do nothing: the function is asked anew for the next request."""


async def _ask(ask: AskCredential) -> Secret | type | None:
    made = ask()
    return hold(await made if inspect.isawaitable(made) else made)


class OAuth:
    """Access tokens from an API key and its secret key, renewed before they end.

    ```python
    hume = HumeAI(access_token=OAuth(api_key, secret_key))
    ```

    A token is fetched when the first call needs one, with one request however many calls wait,
    and lives for 30 minutes. Hume documented tokens for EVI and TTS alone; batch jobs and the
    registry took the API key. The tokens come from `/oauth2-cc/token` below the client's base URL.

    Args:
        api_key: Hume API key.
        secret_key: The secret key that Hume shows beside it.

    Raises:
        ConfigurationError: One of them is no text, empty, or was not copied whole.

    Source: https://dev.hume.ai/docs/introduction/api-key
    """

    __slots__ = ("api_key", "pair")

    def __init__(self, api_key: str, secret_key: str) -> None:
        held = (hold(api_key), hold(secret_key))
        del api_key, secret_key  # so that no traceback shows them
        for name, secret in zip(("api_key", "secret_key"), held, strict=True):
            if not isinstance(secret, Secret):
                kind = "NoneType" if secret is None else secret.__name__
                raise ConfigurationError(f"OAuth: {name} is a str, not {kind}")
            if not secret.is_whole() or (name == "api_key" and ":" in secret.reveal()):
                raise ConfigurationError(
                    f"OAuth: {name} is empty or holds characters that none has; was it copied "
                    "whole?"
                )
        self.api_key: Secret
        self.pair: Secret
        self.api_key, self.pair = _joined(*cast("tuple[Secret, Secret]", held))

    def __repr__(self) -> str:
        return "OAuth(***)"


def _joined(key: Secret, secret_key: Secret) -> tuple[Secret, Secret]:
    """Return the key, and the pair as it is sent with `Authorization: Basic`."""
    pair = f"{key.reveal()}:{secret_key.reveal()}".encode()
    return key, Secret(base64.b64encode(pair).decode(), "the OAuth pair given as access_token")
