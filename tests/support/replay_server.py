"""Answers from recordings on a real socket.

A recording is a list of exchanges, each with a name, a request and the answer that was seen,
or what became of the connection instead. It knows nothing of Hume; tests start it to drive
a client against what a real server once said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from humeai_async.testing.exchange import Arrival, FakeResponse, Record
from humeai_async.testing.faults import Fault
from humeai_async.testing.loopback import LoopbackServer

_HOP = frozenset(
    {"content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive", "date"}
)
"""Headers that belong to the recorded connection, not to the answer."""
_GATEWAY_KEEPALIVE = 5.0


class ReplayServer(LoopbackServer):
    """Gives recorded answers, by name or by request.

    ```python
    async with ReplayServer(json.loads(path.read_text())) as server:
        server.serve("upstream_429_get", "get_old_format")
        ...  # the next request gets a 429, the one after it a job
    ```

    An exchange is a dict with `name`, `request` (`method`, `url_path`, `query`), `response`
    (`status`, `headers`, `body`) or `None`, and then `client_error`: one that begins with
    `TimeoutError` is never answered, any other is closed without an answer. Where requests
    repeat, the first exchange wins: give the exchanges of one server, or use names.
    """

    def __init__(
        self,
        exchanges: Sequence[Mapping[str, Any]],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        keepalive: float = _GATEWAY_KEEPALIVE,
    ) -> None:
        """Make a server; it listens from `async with` or `start()` on.

        Args:
            exchanges: The recording.
            host: Address to listen on.
            port: Port to listen on; 0 lets the system choose.
            keepalive: Seconds it keeps an idle connection.
        """
        super().__init__(host=host, port=port, keepalive=keepalive)
        self.exchanges: dict[str, Record] = {str(item["name"]): dict(item) for item in exchanges}
        """The recording by name."""
        self.requests: list[Arrival] = []
        """Every request, in order."""
        self.served: list[str | None] = []
        """Name of the exchange that answered each request; `None` if none did."""
        self._queue: deque[str] = deque()

    @property
    def url(self) -> str:
        """Base URL for a client of the gateway; recorded paths begin with `/humeai`."""
        return f"{self.origin}/humeai"

    def serve(self, *names: str) -> None:
        """Answer the next requests with these exchanges, whatever their paths.

        Args:
            names: Exchanges in order; a name may come more than once.

        Raises:
            KeyError: There is no such exchange.
            ValueError: The recording holds only a part of its body.
        """
        for name in names:
            if not _is_whole(self.exchanges[name]):
                raise ValueError(f"the recording of {name} is not whole")
        self._queue.extend(names)

    async def respond(self, arrival: Arrival) -> tuple[FakeResponse, float]:
        """Answer one request; the socket layer calls it."""
        self.requests.append(arrival)
        name = self._queue.popleft() if self._queue else self._find(arrival)
        self.served.append(name)
        if name is None:
            headers = {"Content-Type": "application/json; charset=utf-8"}
            return FakeResponse(404, b'{"message":"Not Found"}', headers), 0.0
        return _replay(self.exchanges[name]), 0.0

    def _find(self, arrival: Arrival) -> str | None:
        """Return the first exchange with the same method, path and query but for the token."""
        for name, exchange in self.exchanges.items():
            request: Record = exchange["request"]
            if (
                request["method"] == arrival.method
                and request["url_path"] == arrival.path
                and _query(request.get("query") or "") == _query(_raw_query(arrival))
                and _is_whole(exchange)
            ):
                return name
        return None


def _replay(exchange: Record) -> FakeResponse:
    response: Record | None = exchange["response"]
    if response is None:
        if str(exchange.get("client_error")).startswith("TimeoutError"):
            return FakeResponse(200, fault=Fault("stall"))
        return FakeResponse(200, fault=Fault("close"))
    headers = {
        name: value for name, value in response["headers"].items() if name.lower() not in _HOP
    }
    if response["headers"].get("Connection") == "close":
        headers["Connection"] = "close"
    return FakeResponse(int(response["status"]), str(response["body"] or "").encode(), headers)


def _is_whole(exchange: Record) -> bool:
    return "body_truncated_from_bytes" not in (exchange["response"] or {})


def _raw_query(arrival: Arrival) -> str:
    return arrival.raw_target.partition("?")[2]


def _query(text: str) -> list[str]:
    return [field for field in text.split("&") if field and not field.startswith("api_token=")]
