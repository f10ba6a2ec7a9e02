"""Where a client's calls go and with which credential, found from its arguments.

A credential is held from the first moment on so that it does not show. There is exactly one,
from the arguments or the environment; with it goes the origin, Hume or a gateway. The client
calls it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Mapping
from typing import cast

from humeai_async._base.secret import Secret, hold
from humeai_async.errors import ConfigurationError, HumeWarning
from humeai_async.http.credentials import (
    AskCredential,
    AskedSource,
    CredentialSource,
    OAuth,
    SourceBase,
)
from humeai_async.http.gateway import LOWCODEAPI_URL, LowCodeAPI
from humeai_async.http.oauth import TokenSource
from humeai_async.http.origins import CLOUD_URL, HUME_URL, Direct, Origin
from humeai_async.settings import check_setting

CREDENTIALS = {
    "api_token": "LOWCODEAPI_API_TOKEN",
    "api_key": "HUME_API_KEY",
    "access_token": "HUME_ACCESS_TOKEN",
}
"""Arguments that hold a credential, and the environment variables that stand in for them."""


def hold_credential(name: str, given: object) -> Secret | CredentialSource | type | None:
    """Hold a credential so that it does not show; what is none is found out later."""
    if isinstance(given, OAuth) and name == "access_token":
        return TokenSource(given)
    if callable(given) and not isinstance(given, (OAuth, type)):
        return AskedSource(cast("AskCredential", given), name)
    return hold(given, f"the argument {name}")


def find_origin(
    given: Mapping[str, object], base_url: Secret | type | None, carries: Collection[str]
) -> Origin:
    """Return where calls go, with the one credential.

    Args:
        given: Credentials by the names of their arguments, held.
        base_url: Where calls go, held: it may hold a password, which is refused.
        carries: What a gateway can be trusted with.

    Raises:
        ConfigurationError: Something is wrong with what was given.
    """
    check_setting("gateway_carries", carries, (set, frozenset, list, tuple), optional=False)
    for ability in carries:
        check_setting("each of gateway_carries", ability, str, optional=False)
    url = _find_url("base_url", base_url)
    name, credential = _find_credential(given)
    return _make_origin(name, credential, url, frozenset(carries))


def find_cloud(
    origin: Origin, given: Mapping[str, object], cloud_url: Secret | type | None
) -> Origin:
    """Return where calls of the newer products go, with the same credential.

    Raises:
        ConfigurationError: An address for them goes with a gateway, which does not reach them.
    """
    if origin.has_envelopes:
        if cloud_url is not None:
            raise ConfigurationError(
                "cloud_url goes with api_key or access_token: a LowCodeAPI token opens the gateway "
                "only"
            )
        return origin
    usual = CLOUD_URL if origin.is_hume else origin.base_url
    name, credential = _find_credential(given)
    url = _find_url("cloud_url", cloud_url) or usual
    return _make_origin(name, credential, url, frozenset())


def _find_url(name: str, held: Secret | type | None) -> Secret | None:
    """Return a URL, held, that was given as an argument or by its environment variable.

    Raises:
        ConfigurationError: The argument is no text.
    """
    if isinstance(held, type):
        raise ConfigurationError(f"{name} is a str, not {held.__name__}")
    if held is not None and held.reveal():
        return held
    variable = f"HUME_{name.upper()}"
    found = os.environ.get(variable)
    return Secret(found, variable) if found else None


def _find_credential(given: Mapping[str, object]) -> tuple[str, Secret | CredentialSource]:
    """Return name and text of the one credential.

    Raises:
        ConfigurationError: There is none, or more than one.
    """
    found: dict[str, Secret | CredentialSource] = {}
    for name, held in given.items():
        if isinstance(held, (Secret, SourceBase)):
            found[name] = cast("Secret | CredentialSource", held)
        elif isinstance(held, type):
            raise ConfigurationError(
                f"{name} is a str or a function that returns one, not {held.__name__}"
            )
    if not found:
        found = {
            name: Secret(os.environ[CREDENTIALS[name]], f"the variable {CREDENTIALS[name]}")
            for name in given
            if os.environ.get(CREDENTIALS[name])
        }
    if len(found) > 1:
        names = " and ".join(f"{name} ({CREDENTIALS[name]})" for name in found)
        raise ConfigurationError(f"give one credential, not {names}")
    if not found:
        *arguments, last = (f"{name}=" for name in CREDENTIALS)
        *variables, last_variable = CREDENTIALS.values()
        raise ConfigurationError(
            f"no credential: set the environment variable {', '.join(variables)} or "
            f"{last_variable}, or pass HumeAI one of {', '.join(arguments)} and {last}"
        )
    return next(iter(found.items()))


def _make_origin(
    name: str,
    credential: Secret | CredentialSource,
    base_url: str | Secret | None,
    carries: frozenset[str],
) -> Origin:
    if name == "api_token":
        if isinstance(credential, Secret) and not credential.reveal().startswith("at_"):
            warnings.warn(
                "a LowCodeAPI token usually starts with 'at_'; is this one whole?",
                HumeWarning,
                stacklevel=4,
            )
        return LowCodeAPI(credential, base_url=base_url or LOWCODEAPI_URL, carries=carries)
    if carries:
        raise ConfigurationError("gateway_carries goes with api_token, for there is no gateway")
    if name == "api_key":
        return Direct(base_url or HUME_URL, api_key=credential)
    return Direct(base_url or HUME_URL, access_token=credential)
