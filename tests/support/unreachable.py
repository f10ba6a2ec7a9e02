"""Addresses on this machine that nobody answers at: what goes wrong below HTTP.

For a name that nobody knows take a host that ends in `.invalid`; for TLS that fails give
`FakeHume` a certificate that the client does not trust, or speak `https` to one without.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Generator


@contextlib.contextmanager
def refusing_url() -> Generator[str]:
    """Give a base URL at which every connection is refused, for as long as it is held."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield _url(bound)


@contextlib.contextmanager
def hanging_url() -> Generator[str]:
    """Give a base URL at which no connection is ever made or refused, as behind a firewall.

    The port listens, its queue is full and nobody accepts.
    """
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(2):
            first = stack.enter_context(socket.socket())
            first.setblocking(False)
            first.connect_ex(listener.getsockname())
        yield _url(listener)


def _url(bound: socket.socket) -> str:
    return f"http://127.0.0.1:{bound.getsockname()[1]}"
