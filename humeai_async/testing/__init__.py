"""A fake Hume on a real socket, for tests of this library and of code that uses it.

It is built from the facts of the API alone and shares no code with the client, so that a
slip in one shows in the other. Start with `FakeHume`. `MockTransport` is for tests that say
each response themselves.
"""

from __future__ import annotations

from humeai_async.testing.chat_server import ChatServer, Drop, FakeConnection
from humeai_async.testing.chats import FakeChat
from humeai_async.testing.clock import Clock, ManualClock
from humeai_async.testing.conversation import tool_call
from humeai_async.testing.exchange import Arrival, FakeResponse, FormPart
from humeai_async.testing.faults import Fault, FaultKind, Faults
from humeai_async.testing.gateway_recorded import GatewayState
from humeai_async.testing.jobstate import FakeJob, Outcome
from humeai_async.testing.mock_transport import MockTransport
from humeai_async.testing.options import Options
from humeai_async.testing.quota import Hint, Quota, Shape
from humeai_async.testing.server import Dialect, FakeHume, Recorded
from humeai_async.testing.upstream import Credentials

__all__ = [
    "Arrival",
    "ChatServer",
    "Clock",
    "Credentials",
    "Dialect",
    "Drop",
    "FakeChat",
    "FakeConnection",
    "FakeHume",
    "FakeJob",
    "FakeResponse",
    "Fault",
    "FaultKind",
    "Faults",
    "FormPart",
    "GatewayState",
    "Hint",
    "ManualClock",
    "MockTransport",
    "Options",
    "Outcome",
    "Quota",
    "Recorded",
    "Shape",
    "tool_call",
]
